"""What the pages of a parquet table take when they are decompressed, by their headers alone.

The footer of a table says little about memory: a dictionary page holds a value once that rows repeat, and a
page is decompressed as a whole whatever the size of a batch. So a table of 31 KB can take gigabytes. The page
headers say the true sizes before anything is decompressed
(https://parquet.apache.org/docs/file-format/data-pages/, Thrift compact protocol).
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import pyarrow.parquet as pq

MAX_OPEN_BYTES = 256 << 20
"""Pages that are open at once, one of each column, may take this much, or `_MAX_RATIO` times their size in
the file."""

_MAX_RATIO = 20
_VALUE_BYTES = 8
_HEADER_BYTES = (1 << 14, 1 << 24)
"""Bounds of a page header, which has the smallest and largest value: the usual one, and that of Arrow."""

_MAX_DEPTH = 16
_PLAIN, _DELTA_BYTE_ARRAY, _IN_DICTIONARY = 0, 7, frozenset({2, 8})
"""Numbers of encodings."""

_TRUE, _FALSE, _BYTE, _I64, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 6, 7, 8, 9, 10, 12
_TYPE, _SIZE, _STORED_SIZE = 1, 2, 3
_DATA, _DICTIONARY, _DATA_V2 = 5, 7, 8
"""Numbers of fields in a page header: the last three are structures, one a kind of page."""


@dataclass(frozen=True)
class Page:
    """The sizes of one page, before and after decompression, its number of values and their encoding."""

    stored_bytes: int
    size_bytes: int
    values: int
    encoding: int
    is_dictionary: bool


@dataclass(frozen=True)
class ReadPlan:
    """How to read columns of a row group in bounded memory.

    Attributes
    ----------
    dictionaries
        Leaf columns to read as dictionaries, whose values many rows share.
    value_bytes
        Bounds one value of the other columns that many rows may share, 0 if there is none.
    """

    dictionaries: tuple[str, ...]
    value_bytes: int


def plan_group(path: Path, metadata: "pq.FileMetaData", group: int, columns: set[str]) -> ReadPlan:
    """Return how to read these columns of a row group.

    Parameters
    ----------
    path
        The table.
    metadata
        Its footer.
    group
        The number of the row group.
    columns
        The names of the columns to be read.

    Raises
    ------
    ValueError
        If that takes memory out of proportion to the file.
    """
    stored = taken = value_bytes = 0
    dictionaries: list[str] = []
    with path.open("rb") as file:
        for index in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(index)
            name = chunk.path_in_schema
            if not any(name == column or name.startswith(f"{column}.") for column in columns):
                continue
            pages = list(_pages(file, chunk))
            is_repeated = metadata.schema.column(index).max_repetition_level > 0
            stored += _largest(page.stored_bytes for page in pages)
            taken += _largest(page.size_bytes for page in pages)
            if is_repeated:
                stored += sum(page.stored_bytes for page in pages)
                taken += sum(page.values for page in pages) * _VALUE_BYTES
            if chunk.physical_type == "BYTE_ARRAY":
                if _is_read_as_dictionary(pages, is_repeated=is_repeated):
                    dictionaries.append(name)
                else:
                    value_bytes = max(value_bytes, _shared_bytes(name, pages, is_repeated=is_repeated))
    if taken > max(MAX_OPEN_BYTES, _MAX_RATIO * stored):
        raise ValueError(
            f"{stored:,} bytes of the file would take {taken:,} bytes in memory, and the limit is "
            f"{MAX_OPEN_BYTES:,}; write the table again in smaller row groups"
        )
    return ReadPlan(tuple(dictionaries), value_bytes)


def _largest(sizes: Iterable[int]) -> int:
    return max(sizes, default=0)


def _is_read_as_dictionary(pages: list[Page], *, is_repeated: bool) -> bool:
    """Return whether all values are in a dictionary; for lists also with some after it, in plain encoding.

    Arrow would hash these, which takes too long for pictures.
    """
    encodings = {page.encoding for page in pages if not page.is_dictionary}
    has_dictionary = any(page.is_dictionary for page in pages)
    return has_dictionary and encodings <= (_IN_DICTIONARY | {_PLAIN} if is_repeated else _IN_DICTIONARY)


def _shared_bytes(name: str, pages: list[Page], *, is_repeated: bool) -> int:
    """Return a bound of the values that share bytes: of a dictionary, or a prefix of the value before."""
    shared = [page.size_bytes for page in pages if page.is_dictionary or page.encoding == _DELTA_BYTE_ARRAY]
    largest = _largest(shared)
    if is_repeated and sum(page.values for page in pages) * largest > MAX_OPEN_BYTES:
        raise ValueError(f"the lists of column {name} have an encoding that takes too much memory")
    return largest


def _pages(file: BinaryIO, chunk: "pq.ColumnChunkMetaData") -> Iterator[Page]:
    """Yield the pages of a column chunk. Raises ValueError for a damaged header."""
    starts = [chunk.data_page_offset]
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        starts.append(chunk.dictionary_page_offset)
    offset = min(starts)
    end = offset + chunk.total_compressed_size
    while offset < end:
        try:
            fields, length = _header_at(file, offset)
            kind: dict[int, Any] = fields.get(_DATA) or fields.get(_DATA_V2) or fields.get(_DICTIONARY) or {}
            encoding = kind.get(4 if _DATA_V2 in fields else 2, 0)
            sizes = int(fields[_STORED_SIZE]), int(fields[_SIZE]), int(kind.get(1, 0))
            page = Page(*sizes, int(encoding), is_dictionary=_DICTIONARY in fields)
        except (IndexError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("the header of a page is damaged") from error
        if min(page.stored_bytes, page.size_bytes, page.values) < 0:
            raise ValueError("the header of a page is damaged")
        yield page
        offset += length + page.stored_bytes


def _header_at(file: BinaryIO, offset: int) -> tuple[dict[int, Any], int]:
    """Return the fields of the page header at an offset, and its length."""
    for size in _HEADER_BYTES:
        file.seek(offset)
        with suppress(IndexError):
            return _Compact(file.read(size)).structure()
    raise IndexError


class _Compact:
    """Reads one structure in the compact protocol of Thrift."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def structure(self, depth: int = 0) -> tuple[dict[int, Any], int]:
        """Return the fields by number, and the offset of the end. Raises IndexError where the data ends."""
        if depth > _MAX_DEPTH:
            raise RecursionError
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != 0:
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = self._value(head & 15, depth)
        return fields, self._offset

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind == _BYTE:
            return self._byte()
        if _BYTE < kind <= _I64:
            return self._integer()
        if kind == _STRUCT:
            return self.structure(depth + 1)[0]
        if kind in (_DOUBLE, _BINARY):
            length = 8 if kind == _DOUBLE else self._varint()
            self._offset += length  # after the length itself
            return None
        if kind in (_LIST, _SET):
            return self._list(depth)
        raise KeyError(kind)

    def _list(self, depth: int) -> None:
        head = self._byte()
        count = head >> 4 if head >> 4 != 15 else self._varint()
        for _ in range(count):
            if head & 15 in (_TRUE, _FALSE):
                self._byte()
            else:
                self._value(head & 15, depth + 1)

    def _byte(self) -> int:
        self._offset += 1
        return self._data[self._offset - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
