"""The column indexes of a shard: built on first use, and stored next to the records of a large shard."""

import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.column_builder import kind_of, label_list_index, numeric_index, text_index
from snapseek.library.columns.column_index import ColumnIndex, Flags
from snapseek.library.columns.dictionary import DictionaryIndex
from snapseek.library.columns.index_files import AnyIndex, IndexFiles
from snapseek.library.columns.numeric import NumericIndex
from snapseek.library.columns.place_index import PLACE_COLUMNS, place_indexes
from snapseek.library.filters import typecheck
from snapseek.library.filters.ast import Condition, GeoWithin
from snapseek.library.filters.typecheck import DATE_ROLES, ORIENTATION, Kind
from snapseek.library.records.arrow_file import Records
from snapseek.library.records.arrow_gather import reading
from snapseek.mapped_file import LoadMode

KEPT_ROWS = 100_000
"""Smaller shards store no indexes: they are rebuilt in milliseconds."""

_T = TypeVar("_T")
_EARTH_KM = 6371.0088
_OFFSET = "taken_offset_minutes"
_MINUTE_US = 60_000_000


class ColumnStore:
    """The column indexes of a shard. Safe to use from many threads."""

    def __init__(self, records: Records, path: Path | None = None, load: LoadMode = "map") -> None:
        """`path` is the file of the records; with None nothing is stored."""
        self.kinds: dict[str, Kind] = {
            field.name: kind for field in records.schema if (kind := kind_of(field.type)) is not None
        }
        self.rows = len(records)
        self._records = records
        self.files = IndexFiles(records, dict(self.kinds), path if self.rows >= KEPT_ROWS else None, load)
        """The files of the indexes."""
        has_coordinates = self.kinds.get("latitude") == self.kinds.get("longitude") == "number"
        self._computed = [name for name in PLACE_COLUMNS if has_coordinates and name not in self.kinds]
        self.kinds |= dict.fromkeys(self._computed, "text")
        self._indexes: dict[str, ColumnIndex] = {}
        self._derived: dict[str, Any] = {}
        self._lock = threading.Lock()

    def index(self, column: str) -> ColumnIndex | None:
        """Return the index of a column, built if need be; None if there is no such column."""
        if column not in self.kinds:
            return None
        if column in self._computed:
            return self._town_indexes[column]
        with self._lock:
            if column not in self._indexes:
                self._indexes[column] = self.files.load(column) or self._build(column)
            return self._indexes[column]

    def derived(self, name: str, make: Callable[["ColumnStore"], _T]) -> _T:
        """Return what `make` derives from the indexes of this store, made at the first call."""
        if name not in self._derived:
            self._derived[name] = make(self)
        found: _T = self._derived[name]
        return found

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
    def moment(self) -> NumericIndex | None:
        """When each picture was made, in UTC: the first value among the columns of `DATE_ROLES`."""
        return self._first_date(self._numbers)

    @cached_property
    def date(self) -> NumericIndex | None:
        """The local date and time at which each picture was made, by which people look for it."""
        if self.kinds.get("taken") != "date" or self.kinds.get(_OFFSET) != "number":
            return self.moment
        return self._first_date(lambda role: self._local_taken if role == "taken" else self._numbers(role))

    def _first_date(self, values: Callable[[str], NumericIndex]) -> NumericIndex | None:
        columns = [role for role in DATE_ROLES if self.kinds.get(role) == "date"]
        found = None
        for column in map(values, columns):
            found = column if found is None else _filled(found, column)
            if len(found.valid) == 0:
                break
        return found

    @cached_property
    def _local_taken(self) -> NumericIndex:
        """`taken`, and where its offset from UTC is known, the local time."""
        taken, offset = self._numbers("taken"), self._numbers(_OFFSET)
        minutes = np.where(offset.mask("exists", True), offset.values.astype(np.int64), 0)
        return NumericIndex(taken.values.astype(np.int64) + minutes * _MINUTE_US, taken.valid)

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

    @cached_property
    def _town_indexes(self) -> dict[str, DictionaryIndex]:
        return place_indexes(self._numbers("latitude"), self._numbers("longitude"))

    def _numbers(self, column: str) -> NumericIndex:
        index = self.index(column)
        assert isinstance(index, NumericIndex)
        return index

    def _build(self, column: str) -> ColumnIndex:
        kind = self.kinds[column]
        index: AnyIndex
        with reading(self._records.path, f"column {column} cannot be read"):
            if kind == "text":
                index = text_index(self._records, column)
            elif kind == "list":
                index = label_list_index(self._records, column)
            else:
                index = numeric_index(self._records, column)
        self.files.store(column, index)
        return index


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
