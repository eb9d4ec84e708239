"""Read scattered rows of a mapped Arrow file in place.

To take rows from many batches Arrow slices each batch, concatenates the slices and copies them, which takes
longer than the search itself. This module computes the addresses of all values at once from the Arrow
columnar format (https://arrow.apache.org/docs/format/Columnar.html).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.errors import FormatError

Indices = NDArray[np.int64]
ValueReader = Callable[[Indices, Indices], list[Any]]
"""Returns the values of rows, by the numbers of their batches and their indices there, (n,) int64 each."""

Buffers = Sequence[pa.Buffer | None]
"""The buffers of one column of a batch: its validity, then its values."""

Record = dict[str, Any]
Core = tuple[int, str, int, int, str, bytes, str | None]
"""The values of the columns that every record has: id, uri, width, height, color, preview, caption."""

HINT = "run: snapseek repair"
_UNREADABLE = (OSError, ValueError, OverflowError, LookupError, pa.ArrowException)
_OFFSET = np.dtype(np.int32)
_NO_BUFFER = -1
_BOTH = np.arange(2)


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Replace what Arrow and Python raise about unreadable values in this block by a FormatError."""
    try:
        yield
    except _UNREADABLE as error:
        raise FormatError(f"{path} is damaged: {what} ({str(error)[:300]}); {HINT}") from error


class RecordGather:
    """Reads scattered records of a mapped file. Safe to use from many threads.

    Parameters
    ----------
    path
        The file, for error messages.
    mapped
        Its batches.
    core
        The columns of `Core`.
    extra
        The columns that the source added, without those of raw bytes.
    """

    def __init__(
        self, path: Path, mapped: "MappedBatches", core: Sequence[str], extra: Sequence[str]
    ) -> None:
        self._path = path
        self._batches = mapped.batches
        self._core = core
        self._extra = extra
        self._counts = np.array([batch.num_rows for batch in self._batches], np.int64)
        self._stops = np.cumsum(self._counts)
        self._readers = {name: mapped.values_of(name) for name in (*core, *extra)}
        """The reader of each column; None where only Arrow can read it."""

    def get(self, rows: Sequence[int]) -> list[tuple[Core, Record]]:
        """Return for each row the required columns, and the others by name without columns of raw bytes.

        Values that JSON lacks are text; times are ISO 8601.
        """
        if not rows:
            return []
        columns = self.columns(rows, self._readers)
        core = zip(*(columns[name] for name in self._core), strict=True)
        extra = (
            zip(*(columns[name] for name in self._extra), strict=True)
            if self._extra
            else repeat((), len(rows))
        )
        return [
            (known, dict(zip(self._extra, added, strict=True)))
            for known, added in zip(core, extra, strict=True)
        ]

    def columns(self, rows: Sequence[int], names: Iterable[str]) -> dict[str, list[Any]]:
        """Return the values of columns by name, one for each row, without columns that are not there."""
        wanted = np.asarray(rows, np.int64)
        batch = self._stops.searchsorted(wanted, side="right")
        offset = wanted - (self._stops - self._counts)[batch]
        with reading(self._path, "a record cannot be read"):
            return {
                name: read(batch, offset) if read else self._by_arrow(name, batch, offset)
                for name, read in ((name, self._readers[name]) for name in names if name in self._readers)
            }

    def _by_arrow(self, name: str, batch: Indices, offset: Indices) -> list[Any]:
        pairs = zip(batch.tolist(), offset.tolist(), strict=True)
        parts = [self._batches[number].column(name).slice(index, 1) for number, index in pairs]
        return plain_values(pa.chunked_array([pa.concat_arrays(parts)]))


class MappedBatches:
    """The bytes of a mapped file of record batches."""

    def __init__(self, mapped: pa.Buffer, batches: Sequence[pa.RecordBatch]) -> None:
        """`mapped` is the whole file that contains the batches."""
        self.batches = batches
        self._address = mapped.address
        self._bytes = np.frombuffer(memoryview(mapped), np.uint8)
        self.text = memoryview(mapped)

    def values_of(self, name: str) -> ValueReader | None:
        """Return the reader of a column; None for a type or layout that is not supported."""
        columns = [batch.column(name) for batch in self.batches]
        return self._reader(columns) if columns else None

    def _reader(self, columns: "Sequence[pa.Array[Any]]") -> ValueReader | None:
        kind, types = columns[0].type, pa.types
        if any(column.offset for column in columns):
            return None
        buffers = [column.buffers() for column in columns]
        valid = self._starts(buffers, 0, np.dtype(np.uint8))
        if valid is None:
            return None
        is_valid = _Validity(self._bytes, valid)
        if all(column.null_count == len(column) for column in columns):
            return lambda batch, index: [None] * len(index)
        if types.is_string(kind) or types.is_binary(kind):
            return self._texts(buffers, types.is_string(kind), is_valid)
        if types.is_list(kind):
            return self._lists(columns, buffers, is_valid)
        if types.is_timestamp(kind) and kind.tz in (None, "UTC"):
            zone = kind.tz
            return self._numbers(
                buffers, np.dtype(f"M8[{kind.unit}]"), lambda values: iso_times(values, zone), is_valid
            )
        if types.is_boolean(kind):
            return self._booleans(buffers, is_valid)
        if types.is_integer(kind) or (types.is_floating(kind) and kind.bit_width > 16):
            return self._numbers(
                buffers, np.dtype(kind.to_pandas_dtype()), lambda values: values.tolist(), is_valid
            )
        return None

    def _numbers(
        self,
        buffers: Sequence[Buffers],
        dtype: np.dtype[Any],
        plain: Callable[[NDArray[Any]], list[Any]],
        is_valid: "_Validity",
    ) -> ValueReader | None:
        starts = self._starts(buffers, 1, dtype)
        if starts is None:
            return None
        whole = self._as(dtype)
        return is_valid.applied_to(lambda batch, index: plain(whole[starts[batch] + index]))

    def _booleans(self, buffers: Sequence[Buffers], is_valid: "_Validity") -> ValueReader | None:
        starts = self._starts(buffers, 1, np.dtype(np.uint8))
        if starts is None:
            return None
        return is_valid.applied_to(
            lambda batch, index: _bits(self._bytes, starts[batch], index).astype(np.bool_).tolist()
        )

    def _texts(self, buffers: Sequence[Buffers], is_text: bool, is_valid: "_Validity") -> ValueReader | None:
        offsets = self._offsets(buffers)
        data = self._starts(buffers, 2, np.dtype(np.uint8))
        if offsets is None or data is None:
            return None
        text = self.text

        def values(batch: Indices, index: Indices) -> list[Any]:
            bounds = (offsets.of(batch, index) + data[batch, None]).tolist()
            if is_text:
                return [str(text[low:high], "utf-8") for low, high in bounds]
            return [bytes(text[low:high]) for low, high in bounds]

        return is_valid.applied_to(values)

    def _lists(
        self, columns: "Sequence[pa.Array[Any]]", buffers: Sequence[Buffers], is_valid: "_Validity"
    ) -> ValueReader | None:
        offsets = self._offsets(buffers)
        entries = self._reader([column.values for column in columns])  # type: ignore[attr-defined]
        if offsets is None or entries is None:
            return None

        def values(batch: Indices, index: Indices) -> list[Any]:
            first, end = offsets.of(batch, index).T
            counts = end - first
            stops = np.cumsum(counts)
            inner = np.arange(stops[-1] if len(stops) else 0) + np.repeat(first - (stops - counts), counts)
            flat = entries(np.repeat(batch, counts), inner)
            bounds = zip((stops - counts).tolist(), stops.tolist(), strict=True)
            return [flat[low:high] for low, high in bounds]

        return is_valid.applied_to(values)

    def _offsets(self, buffers: Sequence[Buffers]) -> "_Offsets | None":
        starts = self._starts(buffers, 1, _OFFSET)
        return None if starts is None else _Offsets(self._as(_OFFSET), starts)

    def _starts(
        self, buffers: Sequence[Buffers], number: int, dtype: np.dtype[Any]
    ) -> NDArray[np.int64] | None:
        """Return where a buffer begins in each batch, in values; None if it is outside the file."""
        sizes = np.zeros(len(buffers), np.int64)
        starts = np.full(len(buffers), _NO_BUFFER)
        for batch, parts in enumerate(buffers):
            buffer = parts[number]
            if buffer is not None and buffer.size:  # the address of an empty one means nothing
                sizes[batch], starts[batch] = buffer.size, buffer.address - self._address
        here = starts != _NO_BUFFER
        inside = (
            (starts[here] >= 0)
            & (starts[here] + sizes[here] <= len(self._bytes))
            & (starts[here] % dtype.itemsize == 0)
        )
        if not inside.all():
            return None
        return np.where(here, starts // dtype.itemsize, _NO_BUFFER)

    def _as(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        whole = len(self._bytes) // dtype.itemsize * dtype.itemsize
        return np.asarray(self._bytes[:whole].view(dtype))


@dataclass(frozen=True)
class _Offsets:
    """The offsets of texts or lists in their contents."""

    offsets: NDArray[np.int32]
    starts: NDArray[np.int64]

    def of(self, batch: Indices, index: Indices) -> NDArray[np.int64]:
        """Return begin and end of each, (n, 2) int64."""
        first = self.starts[batch] + index
        return np.asarray(self.offsets[first[:, None] + _BOTH], np.int64)


class _Validity:
    """The validity bitmaps of a column; a batch without nulls has none."""

    def __init__(self, whole: NDArray[np.uint8], starts: NDArray[np.int64]) -> None:
        """`starts`, (batches,), are the offsets of the bitmaps in the file."""
        self._bytes = whole
        self._starts = starts
        self._is_whole = bool((starts == _NO_BUFFER).all())
        self._has_every_bitmap = bool((starts != _NO_BUFFER).all())

    def applied_to(self, read: ValueReader) -> ValueReader:
        """Return a reader that has None for nulls; `read` is not called where all values are."""
        if self._is_whole:
            return read

        def values(batch: Indices, index: Indices) -> list[Any]:
            valid = self._valid(batch, index)
            if not valid.any():
                return [None] * len(index)
            found = read(batch, index)
            if valid.all():
                return found
            return [value if known else None for value, known in zip(found, valid.tolist(), strict=True)]

        return values

    def _valid(self, batch: Indices, index: Indices) -> NDArray[np.bool_]:
        """Return which rows have a value, (n,)."""
        starts = self._starts[batch]
        if self._has_every_bitmap:
            return np.asarray(_bits(self._bytes, starts, index) == 1)
        is_partial = starts != _NO_BUFFER
        bits = _bits(self._bytes, np.where(is_partial, starts, 0), np.where(is_partial, index, 0))
        return np.asarray((bits == 1) | ~is_partial)


def _bits(whole: NDArray[np.uint8], starts: Indices, index: Indices) -> NDArray[np.uint8]:
    """Return bits, (n,) of 0 or 1, by the byte at which each bitmap starts and the index in it."""
    return np.asarray(whole[starts + (index >> 3)] >> (index & 7).astype(np.uint8) & np.uint8(1))


def iso_times(values: NDArray[Any], zone: str | None) -> list[str]:
    """Return times, datetime64 (n,), as ISO 8601 text such as 2026-05-01T09:30:00.000000Z.

    `zone` is UTC or None. Takes a fifth of the time of a cast in Arrow.
    """
    end = "Z" if zone else ""
    return [written + end for written in np.datetime_as_string(values).tolist()]


def plain_values(column: "pa.ChunkedArray[Any]") -> list[Any]:
    """Return the values of a column: those that JSON lacks as text, times as ISO 8601; raw bytes stay."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _times(column)
    of_list = pa.types.is_list(kind) and _is_plain(kind.value_type)
    try:
        values = column.to_pylist()
    except (ValueError, OverflowError, LookupError):  # Python has no such date or time zone, Arrow has
        values = column.cast(pa.string()).to_pylist()
    return values if of_list or _is_plain(kind) else [_json_value(value) for value in values]


def _is_plain(kind: pa.DataType) -> bool:
    """Return whether Arrow returns values of this type as answers have them."""
    types = pa.types
    return bool(
        types.is_string(kind)
        or types.is_integer(kind)
        or types.is_binary(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
    )


def _times(column: "pa.ChunkedArray[Any]") -> list[str | None]:
    """Return times as ISO 8601 text, such as 2026-05-01T09:30:00.000000Z."""
    if column.type.tz in (None, "UTC"):
        return [
            None if time.startswith("NaT") else time for time in iso_times(column.to_numpy(), column.type.tz)
        ]
    try:
        return [time and time.replace(" ", "T") for time in column.cast(pa.string()).to_pylist()]
    except pa.ArrowInvalid:  # a time zone that this machine does not know
        return _times(column.cast(pa.timestamp(column.type.unit, "UTC")))


def _json_value(value: Any) -> Any:
    """Return a value that JSON has: anything but texts, numbers, lists and objects becomes text."""
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    if isinstance(value, list | tuple):
        return [_json_value(entry) for entry in value]
    if isinstance(value, dict):
        return {str(name): _json_value(entry) for name, entry in value.items()}
    return value.isoformat() if isinstance(value, date | datetime | time) else str(value)
