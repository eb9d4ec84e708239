"""The column indexes of a shard: built on first use, and stored next to the records of a large shard."""

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
from snapseek.library.filters import typecheck
from snapseek.library.filters.ast import Condition, GeoWithin
from snapseek.library.filters.typecheck import DATE_ROLES, ORIENTATION, Kind
from snapseek.library.records.arrow_file import Records

KEPT_ROWS = 100_000
"""Smaller shards store no indexes: they are rebuilt in milliseconds."""

_EARTH_KM = 6371.0088
_CLASSES: dict[str, Callable[..., Any]] = {
    "NumberFacet": NumericIndex,
    "ChoiceFacet": DictionaryIndex,
    "ListFacet": LabelListIndex,
}
_STORED_NAMES: dict[type, str] = {
    NumericIndex: "NumberFacet",
    DictionaryIndex: "ChoiceFacet",
    LabelListIndex: "ListFacet",
    FullTextIndex: "WordFacet",
}
"""The names of the classes in files."""

_STORED_NAMES_OF: dict[Kind, tuple[str, ...]] = {
    "text": ("ChoiceFacet", "WordFacet"),
    "list": ("ListFacet",),
    "number": ("NumberFacet",),
    "date": ("NumberFacet",),
    "flag": ("NumberFacet",),
}


class ColumnStore:
    """The column indexes of a shard. Safe to use from many threads."""

    def __init__(self, records: Records, path: Path | None = None) -> None:
        """`path` is the file of the records; with None nothing is stored."""
        self.kinds: dict[str, Kind] = {
            field.name: kind for field in records.schema if (kind := kind_of(field.type)) is not None
        }
        self.rows = len(records)
        self._records = records
        self._record_path = path if self.rows >= KEPT_ROWS else None
        self._indexes: dict[str, ColumnIndex] = {}
        self._lock = threading.Lock()

    def index(self, column: str) -> ColumnIndex | None:
        """Return the index of a column, built if need be; None if there is no such column."""
        if column not in self.kinds:
            return None
        with self._lock:
            if column not in self._indexes:
                self._indexes[column] = self._load(column) or self._build(column)
            return self._indexes[column]

    def file_of(self, column: str) -> Path | None:
        """Return the file of a column's index, or None if it has none."""
        path = None if self._record_path is None else self._path(column)
        return path if path is not None and path.is_file() else None

    def damage(self, column: str) -> str | None:
        """Return what is wrong with the file of a column, or None if it is sound, stale or missing."""
        try:
            self._from_file(column)
        except StaleError:
            return None
        except FormatError as error:
            return str(error)
        return None

    def rebuild(self, column: str) -> None:
        """Build the index of a column again and replace its file."""
        with self._lock:
            self._indexes[column] = self._build(column)

    def mask(self, condition: Condition | GeoWithin) -> Flags:
        """Return a read-only mask, (rows,) bool, of the rows that fulfil a condition."""
        if isinstance(condition, GeoWithin):
            return self._within_radius(condition)
        if condition.column == ORIENTATION:
            return self._with_orientation(str(condition.value))
        index: ColumnIndex | None
        match condition.column:
            case typecheck.DATE:
                index = self.date
            case typecheck.PIXELS:
                index = self.pixels
            case column:
                index = self.index(column)
        if index is None or not self._has_type_of(condition):
            return np.zeros(self.rows, np.bool_)
        return index.mask(condition.operator, condition.value)

    def _has_type_of(self, condition: Condition) -> bool:
        """Return whether the column can be compared with the value: its type may differ between shards."""
        if condition.operator == "exists":
            return True
        is_text = self.kinds.get(condition.column) in ("text", "list")
        values = condition.value if isinstance(condition.value, tuple) else [condition.value]
        return all(isinstance(value, str) == is_text for value in values)

    @cached_property
    def date(self) -> NumericIndex | None:
        """When each picture was made: the first value among the columns of `DATE_ROLES`."""
        columns = [role for role in DATE_ROLES if self.kinds.get(role) == "date"]
        found = None
        for column in map(self._numbers, columns):
            found = column if found is None else _filled(found, column)
            if len(found.valid) == 0:
                break
        return found

    @cached_property
    def pixels(self) -> NumericIndex:
        """Width times height of each picture; no value if one of them is unknown."""
        width, height = self._numbers("width"), self._numbers("height")
        pixels = width.values.astype(np.int64) * height.values
        valid = (width.values > 0) & (height.values > 0)
        small = pixels.astype(np.int32) if self.rows and pixels.max() < 2**31 else pixels
        return NumericIndex(small, np.zeros(0, np.bool_) if valid.all() else valid)

    def _with_orientation(self, wanted: str) -> Flags:
        width, height = self._numbers("width").values, self._numbers("height").values
        compare = {"portrait": np.less, "landscape": np.greater, "square": np.equal}[wanted]
        found: Flags = compare(width, height)
        return found & self.pixels.mask("exists", True)

    def _within_radius(self, area: GeoWithin) -> Flags:
        found = np.zeros(self.rows, np.bool_)
        if self.kinds.get("latitude") != "number" or self.kinds.get("longitude") != "number":
            return found
        latitude, longitude = self._numbers("latitude"), self._numbers("longitude")
        reach = (
            np.degrees(area.radius_km / _EARTH_KM) * 1.0001
        )  # preselects by latitude; the exact distance decides
        band = np.abs(latitude.values - area.latitude) <= reach
        known = latitude.mask("exists", True) & longitude.mask("exists", True)
        rows = np.flatnonzero(band & known)
        distance = distance_km(
            area.latitude,
            area.longitude,
            latitude.values[rows].astype(np.float64),
            longitude.values[rows].astype(np.float64),
        )
        found[rows] = distance <= area.radius_km
        return found

    def _numbers(self, column: str) -> NumericIndex:
        index = self.index(column)
        assert isinstance(index, NumericIndex)
        return index

    def _build(self, column: str) -> ColumnIndex:
        kind = self.kinds[column]
        index: NumericIndex | DictionaryIndex | LabelListIndex | FullTextIndex | TextScan
        with self._records.reading(f"column {column} cannot be read"):
            if kind == "text":
                index = text_index(self._records, column)
            elif kind == "list":
                index = label_list_index(self._records, column)
            else:
                index = numeric_index(self._records, column)
        # The shard may have been dropped meanwhile, with its files.
        is_stored = self._record_path is not None and self._record_path.is_file()
        if is_stored and not isinstance(index, TextScan):
            arrays = index.index.arrays() if isinstance(index, FullTextIndex) else _arrays_of(index)
            write_arrays(self._path(column), self._stamp(column, _STORED_NAMES[type(index)]), arrays)
        return index

    def _load(self, column: str) -> ColumnIndex | None:
        """Return the index from its file, unless that is missing, damaged or of other records."""
        try:
            return self._from_file(column)
        except FormatError:
            return None

    def _from_file(self, column: str) -> ColumnIndex | None:
        """Return the index from its file, None if there is none. Raises StaleError or FormatError."""
        path = self.file_of(column)
        if path is None:
            return None
        stale = StaleError(f"{path} was built from other records")
        for name in _STORED_NAMES_OF[self.kinds[column]]:
            try:
                arrays = read_arrays(path, self._stamp(column, name))
                check_arrays(name, arrays, self.rows, is_whole=self.kinds[column] in ("date", "flag"))
            except StaleError:
                continue
            except ValueError as error:
                raise FormatError(f"{path} is damaged: {error}") from error
            if name == "WordFacet":
                return FullTextIndex(FullTextArrays.from_arrays(arrays), TextScan(self._records, column))
            index: ColumnIndex = _CLASSES[name](**arrays)
            return index
        raise stale

    def _path(self, column: str) -> Path:
        assert self._record_path is not None
        return self._record_path.with_suffix(f".{self._records.schema.get_field_index(column)}.facet")

    def _stamp(self, column: str, kind: str) -> dict[str, object]:
        """Return what identifies the records: they never change, so the size of their file is enough."""
        return {"facet": kind, "column": column, "rows": self.rows, "bytes": self._records.size_bytes}


def _arrays_of(index: NumericIndex | DictionaryIndex | LabelListIndex) -> dict[str, NDArray[Any]]:
    """Return the arrays of an index by name."""
    return {field.name: getattr(index, field.name) for field in fields(index)}


def _filled(first: NumericIndex, second: NumericIndex) -> NumericIndex:
    """Return the values of `first`, and those of `second` where it has none."""
    valid = first.mask("exists", True)
    other = second.mask("exists", True)
    both = valid | other
    values = np.where(valid, first.values.astype(np.int64), second.values.astype(np.int64))
    return NumericIndex(values, np.zeros(0, np.bool_) if both.all() else both)


def distance_km(
    latitude: float, longitude: float, latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return great-circle distances in km, (n,) float64, by the haversine formula; arguments in degrees."""
    here, there = np.radians(latitude), np.radians(latitudes)
    across = np.radians(longitudes - longitude)
    half = np.sin((there - here) / 2) ** 2 + np.cos(here) * np.cos(there) * np.sin(across / 2) ** 2
    return np.asarray(2 * _EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))))
