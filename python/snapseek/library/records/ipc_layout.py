"""Check the layout of an Arrow IPC file before Arrow reads it.

Arrow verifies the FlatBuffers of a file, and `RecordBatch.validate(full=True)` verifies offsets, UTF-8 and
null counts. Neither refuses a small file that expands: compressed buffers, dictionaries, buffers or record
batches that share bytes, and child arrays of any length that own no bytes. This module accepts only what
`RecordWriter` writes, so memory stays proportional to the file.

Format: https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format
"""

import struct
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_MAGIC = b"ARROW1"
_ALIGNMENT = 8
_BODY_START = 8
_CONTINUATION = 0xFFFFFFFF
_METADATA_V5 = 4
_RECORD_BATCH = 3
_MAX_DEPTH = 8
_MAX_VALUES_PER_BYTE = 8
"""Booleans are the smallest values that own bytes: eight of them lie in one."""

MAX_NAME_CHARACTERS = 1000
"""Every record of an answer repeats the names of its columns."""

_MAX_SCHEMA_BYTES = 8 << 20
"""Arrow copies a schema several times; thousands of columns need a megabyte."""

_BLOCK = np.dtype(
    {
        "names": ["offset", "metadata", "body"],
        "formats": ["<i8", "<i4", "<i8"],
        "offsets": [0, 8, 16],
        "itemsize": 24,
    }
)
_PAIR = np.dtype([("first", "<i8"), ("second", "<i8")])
"""A buffer (offset, length) or a field node (length, null count)."""

_Bytes = NDArray[np.uint8]
_PREFIX = struct.Struct("<II")


class LayoutError(ValueError):
    """The layout of the file is not one that `RecordWriter` writes."""


class _Table:
    """A FlatBuffers table, read field by field within the bounds of its buffer."""

    def __init__(self, content: memoryview, offset: int) -> None:
        self._content = content
        self._offset = offset
        self._vtable = offset - self._read("i", offset)
        self._size = self._read("H", self._vtable)

    @classmethod
    def root(cls, content: memoryview) -> "_Table":
        (offset,) = struct.unpack_from("<I", content)
        return cls(content, offset)

    def _read(self, kind: str, offset: int) -> int:
        if offset < 0:
            raise LayoutError("an offset leads out of its metadata")
        return int(struct.unpack_from("<" + kind, self._content, offset)[0])

    def _offset_of(self, field: int) -> int | None:
        entry = 4 + 2 * field
        offset = self._read("H", self._vtable + entry) if entry + 2 <= self._size else 0
        return self._offset + offset if offset else None

    def number(self, field: int, kind: str) -> int:
        offset = self._offset_of(field)
        return 0 if offset is None else self._read(kind, offset)

    def table(self, field: int) -> "_Table":
        offset = self._offset_of(field)
        if offset is None:
            raise LayoutError(f"field {field} of a metadata table is missing")
        return _Table(self._content, offset + self._read("I", offset))

    def has(self, field: int) -> bool:
        return self._offset_of(field) is not None

    def vector(self, field: int, item: np.dtype[Any]) -> NDArray[Any]:
        offset = self._offset_of(field)
        if offset is None:
            return np.zeros(0, item)
        start = offset + self._read("I", offset)
        return np.frombuffer(self._content, item, self._read("I", start), start + 4)


def check_layout(content: memoryview) -> None:
    """Check the positions of the record batches of a file, and of the buffers in each.

    Raises
    ------
    LayoutError
        If the file is cut off, has compressed buffers or dictionaries, or any two parts of it overlap.
    """
    try:
        footer_start, footer = _footer(content)
        blocks = _blocks(footer, footer_start, len(content) - footer_start)
        bodies = blocks["body"]
        nodes, buffers = [], []
        for offset, metadata, body in blocks.tolist():
            batch = _record_batch(content[offset : offset + metadata], body)
            nodes.append(batch.vector(1, _PAIR))
            buffers.append(batch.vector(2, _PAIR))
    except (struct.error, ValueError) as error:
        raise LayoutError(str(error)) from error
    if nodes:
        _check_nodes(_stacked(nodes), bodies)
        _check_buffers(_stacked(buffers), bodies)


def _footer(content: memoryview) -> tuple[int, _Table]:
    end = len(content) - len(_MAGIC) - 4
    if end < _BODY_START or content[:6] != _MAGIC or content[-6:] != _MAGIC:
        raise LayoutError("it does not begin and end as an Arrow file does")
    (size,) = struct.unpack_from("<i", content, end)
    if not 0 < size <= end - _BODY_START:
        raise LayoutError(f"its footer has {size} bytes")
    return end - size, _Table.root(content[end - size : end])


def _blocks(footer: _Table, stop: int, footer_bytes: int) -> NDArray[Any]:
    """Return offset and sizes of each record batch; they are in sequence and end before `stop`."""
    if footer.number(0, "h") != _METADATA_V5 or footer.table(1).number(0, "h") != 0:
        raise LayoutError("it is not a little-endian Arrow file of metadata version 5")
    if len(footer.vector(2, _BLOCK)):
        raise LayoutError("it has dictionaries")
    blocks = footer.vector(3, _BLOCK)
    if footer_bytes - blocks.nbytes > _MAX_SCHEMA_BYTES:
        raise LayoutError(f"its schema has more than {_MAX_SCHEMA_BYTES} bytes")
    sizes = blocks["metadata"].astype(np.int64)
    starts, bodies = blocks["offset"], blocks["body"]
    if (sizes < _PREFIX.size).any() or not _follow(starts, sizes, _BODY_START, stop):
        raise LayoutError("the metadata of its record batches overlaps or lies outside the file")
    if (
        not _follow(starts + sizes, bodies, _BODY_START, stop)
        or (starts[1:] < _ends(starts, sizes, bodies)).any()
    ):
        raise LayoutError("its record batches overlap or lie outside the file")
    return blocks


def _ends(
    starts: NDArray[np.int64], sizes: NDArray[np.int64], bodies: NDArray[np.int64]
) -> NDArray[np.int64]:
    return (starts + sizes + bodies)[:-1]


def _follow(
    starts: NDArray[np.int64], sizes: NDArray[np.int64], begin: int, stop: NDArray[np.int64] | int
) -> bool:
    """Return whether ranges along the last axis are aligned, ordered, disjoint and within bounds."""
    is_inside = (starts >= begin) & (starts <= stop) & (sizes >= 0) & (starts % _ALIGNMENT == 0)
    if not is_inside.all() or (sizes > stop - starts).any():
        return False
    return bool((starts[..., 1:] >= starts[..., :-1] + sizes[..., :-1]).all())


def _record_batch(metadata: memoryview, body: int) -> _Table:
    mark, size = _PREFIX.unpack_from(metadata)
    if mark != _CONTINUATION or size > len(metadata) - _PREFIX.size:
        raise LayoutError("a record batch does not begin as one")
    message = _Table.root(metadata[_PREFIX.size : _PREFIX.size + size])
    kind = message.number(0, "h"), message.number(1, "B")
    if kind != (_METADATA_V5, _RECORD_BATCH) or message.number(3, "q") != body:
        raise LayoutError("the footer leads to something else than a record batch")
    batch = message.table(2)
    if batch.has(3):
        raise LayoutError("its buffers are compressed")
    return batch


def _stacked(parts: list[NDArray[Any]]) -> NDArray[np.int64]:
    """Return (batches, parts of each, 2) int64."""
    if len({len(part) for part in parts}) != 1:
        raise LayoutError("its record batches have different numbers of columns")
    return np.stack(parts).view("<i8").reshape(len(parts), -1, 2)


def _check_nodes(nodes: NDArray[np.int64], bodies: NDArray[np.int64]) -> None:
    lengths, nulls = nodes[..., 0], nodes[..., 1]
    if (lengths < 0).any() or (nulls < 0).any() or (nulls > lengths).any():
        raise LayoutError("a column has a false number of values")
    if (lengths // _MAX_VALUES_PER_BYTE > bodies[:, None]).any():
        raise LayoutError("a column has more values than fit into its record batch")


def _check_buffers(buffers: NDArray[np.int64], bodies: NDArray[np.int64]) -> None:
    if not _follow(buffers[..., 0], buffers[..., 1], 0, bodies[:, None]):
        raise LayoutError("buffers overlap or lie outside their record batch")


def check_schema(schema: pa.Schema, required: dict[str, pa.DataType]) -> None:
    """Check that the names are different, and that the types are ones that records can have.

    Raises
    ------
    LayoutError
        For a column of another type, two columns of one name, a name of more than `MAX_NAME_CHARACTERS`, or a
        column of `required` with another type.
    UnicodeDecodeError
        For a name or a time zone that is not UTF-8.
    """
    if len(set(schema.names)) != len(schema.names):
        raise LayoutError("two of its columns have one name")
    if any(len(name) > MAX_NAME_CHARACTERS for name in schema.names):
        raise LayoutError(f"a column has a name of more than {MAX_NAME_CHARACTERS} characters")
    for field in schema:
        wanted = required.get(field.name, field.type)
        if field.type != wanted:
            raise LayoutError(f"expected column {field.name} of type {wanted}, found {field.type}")
        if not is_stored(field.type):
            raise LayoutError(f"column {field.name} has the type {str(field.type)[:100]}")
        _decode_names(field)


def _decode_names(field: "pa.Field[Any]") -> None:
    """Raise UnicodeDecodeError for a name or a time zone that is not UTF-8: Arrow decodes them late."""
    _ = field.name, getattr(field.type, "tz", None)
    for index in range(field.type.num_fields):
        _decode_names(field.type.field(index))


def is_stored(kind: pa.DataType, depth: int = _MAX_DEPTH) -> bool:
    """Return whether records can have a type: its values own the bytes that they are made of."""
    types = pa.types
    if types.is_nested(kind) and not types.is_union(kind):
        is_known = any(
            test(kind)
            for test in (
                types.is_list,
                types.is_large_list,
                types.is_fixed_size_list,
                types.is_struct,
                types.is_map,
            )
        )
        children = (kind.field(index).type for index in range(kind.num_fields))
        return is_known and depth > 0 and all(is_stored(child, depth - 1) for child in children)
    return not isinstance(kind, pa.BaseExtensionType) and any(test(kind) for test in _PLAIN)


_PLAIN = (
    pa.types.is_null,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_temporal,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
)


def stored_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that values of type `kind` have in a file of records.

    Dictionaries, run-end encoding, views and extension types are replaced by the plain type of their values.
    """
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return stored_type(kind.storage_type)
    if isinstance(kind, pa.DictionaryType | pa.RunEndEncodedType):
        return stored_type(kind.value_type)
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return pa.string() if types.is_string_view(kind) else pa.binary()
    return _stored_nested(kind) if types.is_nested(kind) and not types.is_union(kind) else kind


def _stored_nested(kind: Any) -> pa.DataType:
    types = pa.types
    if types.is_map(kind):
        return pa.map_(stored_type(kind.key_type), stored_type(kind.item_type), kind.keys_sorted)
    fields = [kind.field(index) for index in range(kind.num_fields)]
    plain: Any = [field.with_type(stored_type(field.type)) for field in fields]
    if types.is_struct(kind):
        return pa.struct(plain)
    if types.is_fixed_size_list(kind):
        fixed: pa.DataType = pa.list_(plain[0], kind.list_size)
        return fixed
    is_large = types.is_large_list(kind) or types.is_large_list_view(kind)
    return pa.large_list(plain[0]) if is_large else pa.list_(plain[0])
