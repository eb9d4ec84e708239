"""The facets of one shard: each made when a filter first asks for it, and kept beside a large shard."""

import threading
from collections.abc import Callable
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import FormatError
from snapseek.library.columns.column_builder import kind_of, label_list_index, numeric_index, text_index
from snapseek.library.columns.column_check import check_arrays
from snapseek.library.columns.column_file import StaleError, read_arrays, write_arrays
from snapseek.library.columns.column_index import ColumnIndex, Flags
from snapseek.library.columns.dictionary import DictionaryIndex
from snapseek.library.columns.fulltext import FullTextArrays, FullTextIndex, TextScan
from snapseek.library.columns.label_list import LabelListIndex
from snapseek.library.columns.numeric import NumericIndex
from snapseek.library.filters import typecheck as filter_meaning
from snapseek.library.filters.ast import Condition, GeoWithin
from snapseek.library.filters.typecheck import DATE_ROLES, ORIENTATION, Kind
from snapseek.library.records.arrow_file import Records


def arrays_of(facet: NumericIndex | DictionaryIndex | LabelListIndex) -> dict[str, NDArray[Any]]:
    """The arrays that a facet is made of, by name."""
    return {field.name: getattr(facet, field.name) for field in fields(facet)}


KEPT_ROWS = 100_000
"""From so many rows on facets are kept in files; of fewer they are made again in no time."""

_EARTH_KM = 6371.0088
_ARRAY_FACETS: dict[str, Callable[..., Any]] = {
    "NumberFacet": NumericIndex,
    "ChoiceFacet": DictionaryIndex,
    "ListFacet": LabelListIndex,
}
_STORED_NAMES: dict[type, str] = {
    **{kind: name for name, kind in _ARRAY_FACETS.items() if isinstance(kind, type)},
    FullTextIndex: "WordFacet",
}
_KINDS_OF: dict[Kind, tuple[str, ...]] = {
    "text": ("ChoiceFacet", "WordFacet"),
    "list": ("ListFacet",),
    "number": ("NumberFacet",),
    "date": ("NumberFacet",),
    "flag": ("NumberFacet",),
}


class ColumnStore:
    """What can be asked of the columns of a shard. Safe to use from many threads."""

    def __init__(self, records: Records, beside: Path | None = None) -> None:
        """`beside` is the shard's file of records, None to keep nothing on the disk."""
        self.kinds: dict[str, Kind] = {
            field.name: kind for field in records.schema if (kind := kind_of(field.type)) is not None
        }
        self.rows = len(records)
        self._records = records
        self._beside = beside if self.rows >= KEPT_ROWS else None
        self._facets: dict[str, ColumnIndex] = {}
        self._lock = threading.Lock()

    def index(self, column: str) -> ColumnIndex | None:
        """The facet of a column, made if it is not there yet; None where there is no such column."""
        if column not in self.kinds:
            return None
        with self._lock:
            if column not in self._facets:
                self._facets[column] = self._kept(column) or self._made(column)
            return self._facets[column]

    def file_of(self, column: str) -> Path | None:
        """Return where the facet of a column is kept, or None if it is not."""
        path = None if self._beside is None else self._path(column)
        return path if path is not None and path.is_file() else None

    def damage(self, column: str) -> str | None:
        """Return what is wrong with the file of a column, or None if it is sound, stale or not there."""
        try:
            self._from_file(column)
        except StaleError:
            return None
        except FormatError as error:
            return str(error)
        return None

    def rebuild(self, column: str) -> None:
        """Build the facet of a column again and replace its file."""
        with self._lock:
            self._facets[column] = self._made(column)

    def mask(self, condition: Condition | GeoWithin) -> Flags:
        """(rows,) which fulfil it; not to be changed."""
        if isinstance(condition, GeoWithin):
            return self._near(condition)
        if condition.column == ORIENTATION:
            return self._oriented(str(condition.value))
        facet: ColumnIndex | None
        match condition.column:
            case filter_meaning.DATE:
                facet = self.date
            case filter_meaning.PIXELS:
                facet = self.pixels
            case column:
                facet = self.index(column)
        if facet is None or not self._suits(condition):
            return np.zeros(self.rows, np.bool_)
        return facet.mask(condition.operator, condition.value)

    def _suits(self, condition: Condition) -> bool:
        """Whether this column can be compared with the value: shards may have other types than the first."""
        if condition.operator == "exists":
            return True
        is_text = self.kinds.get(condition.column) in ("text", "list")
        values = condition.value if isinstance(condition.value, tuple) else [condition.value]
        return all(isinstance(value, str) == is_text for value in values)

    @cached_property
    def date(self) -> NumericIndex | None:
        """When each picture was made, by the first column of `DATE_ROLES` that tells."""
        columns = [role for role in DATE_ROLES if self.kinds.get(role) == "date"]
        found = None
        for facet in map(self._numbers, columns):
            found = facet if found is None else _filled(found, facet)
            if len(found.valid) == 0:
                break
        return found

    @cached_property
    def pixels(self) -> NumericIndex:
        """Width times height of each picture; no value where one of them is not known."""
        width, height = self._numbers("width"), self._numbers("height")
        pixels = width.values.astype(np.int64) * height.values
        valid = (width.values > 0) & (height.values > 0)
        small = pixels.astype(np.int32) if self.rows and pixels.max() < 2**31 else pixels
        return NumericIndex(small, np.zeros(0, np.bool_) if valid.all() else valid)

    def _oriented(self, wanted: str) -> Flags:
        width, height = self._numbers("width").values, self._numbers("height").values
        compare = {"portrait": np.less, "landscape": np.greater, "square": np.equal}[wanted]
        found: Flags = compare(width, height)
        return found & self.pixels.mask("exists", True)

    def _near(self, near: GeoWithin) -> Flags:
        found = np.zeros(self.rows, np.bool_)
        if self.kinds.get("latitude") != "number" or self.kinds.get("longitude") != "number":
            return found
        latitude, longitude = self._numbers("latitude"), self._numbers("longitude")
        reach = np.degrees(near.radius_km / _EARTH_KM) * 1.0001  # the exact distance decides below
        band = np.abs(latitude.values - near.latitude) <= reach
        known = latitude.mask("exists", True) & longitude.mask("exists", True)
        rows = np.flatnonzero(band & known)
        distance = distance_km(
            near.latitude,
            near.longitude,
            latitude.values[rows].astype(np.float64),
            longitude.values[rows].astype(np.float64),
        )
        found[rows] = distance <= near.radius_km
        return found

    def _numbers(self, column: str) -> NumericIndex:
        facet = self.index(column)
        assert isinstance(facet, NumericIndex)
        return facet

    def _made(self, column: str) -> ColumnIndex:
        kind = self.kinds[column]
        facet: NumericIndex | DictionaryIndex | LabelListIndex | FullTextIndex | TextScan
        with self._records.reading(f"column {column} cannot be read"):
            if kind == "text":
                facet = text_index(self._records, column)
            elif kind == "list":
                facet = label_list_index(self._records, column)
            else:
                facet = numeric_index(self._records, column)
        is_there = self._beside is not None and self._beside.is_file()  # or the shard was dropped meanwhile
        if is_there and not isinstance(facet, TextScan):
            arrays = facet.index.arrays() if isinstance(facet, FullTextIndex) else arrays_of(facet)
            write_arrays(self._path(column), self._stamp(column, _STORED_NAMES[type(facet)]), arrays)
        return facet

    def _kept(self, column: str) -> ColumnIndex | None:
        """The facet from its file, unless that is missing, damaged or of other records."""
        try:
            return self._from_file(column)
        except FormatError:
            return None

    def _from_file(self, column: str) -> ColumnIndex | None:
        """Return the facet from its file, None if there is none. Raises StaleError or FormatError."""
        path = self.file_of(column)
        if path is None:
            return None
        stale = StaleError(f"{path} was made of something else")
        for name in _KINDS_OF[self.kinds[column]]:
            try:
                arrays = read_arrays(path, self._stamp(column, name))
                check_arrays(name, arrays, self.rows, is_whole=self.kinds[column] in ("date", "flag"))
            except StaleError:
                continue
            except ValueError as error:
                raise FormatError(f"{path} is damaged: {error}") from error
            if name == "WordFacet":
                return FullTextIndex(FullTextArrays(**arrays), TextScan(self._records, column))
            facet: ColumnIndex = _ARRAY_FACETS[name](**arrays)
            return facet
        raise stale

    def _path(self, column: str) -> Path:
        assert self._beside is not None
        return self._beside.with_suffix(f".{self._records.schema.get_field_index(column)}.facet")

    def _stamp(self, column: str, kind: str) -> dict[str, object]:
        """What a facet is made of: the records of a shard never change, so their file's size tells enough."""
        return {"facet": kind, "column": column, "rows": self.rows, "bytes": self._records.size_bytes}


def _filled(first: NumericIndex, second: NumericIndex) -> NumericIndex:
    """The values of the first; where it has none, those of the second."""
    valid = first.mask("exists", True)
    other = second.mask("exists", True)
    both = valid | other
    values = np.where(valid, first.values.astype(np.int64), second.values.astype(np.int64))
    return NumericIndex(values, np.zeros(0, np.bool_) if both.all() else both)


def distance_km(
    latitude: float, longitude: float, latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n,) along the surface of the sphere, by the haversine formula; arguments in degrees."""
    here, there = np.radians(latitude), np.radians(latitudes)
    across = np.radians(longitudes - longitude)
    half = np.sin((there - here) / 2) ** 2 + np.cos(here) * np.cos(there) * np.sin(across / 2) ** 2
    return np.asarray(2 * _EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))))
