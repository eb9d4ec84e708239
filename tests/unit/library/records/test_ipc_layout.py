"""snapseek.library.records.ipc_layout: only what the writer of records writes is accepted."""

import struct

import numpy as np
import pyarrow as pa
import pytest

from snapseek.errors import FormatError, InputError
from snapseek.library.records.arrow_file import SCHEMA, Records, RecordWriter
from snapseek.library.records.ipc_layout import LayoutError, check_layout, is_stored, stored_type
from tests.support.record_files import write_records

BOMB_BYTES = 64 << 20
TEXTS = pa.array(["a", "b", "a"])


def file_of(schema, *batches, **options):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def batch_of(**columns):
    return pa.record_batch(columns)


def test_what_the_writer_writes_is_accepted(tmp_path):
    rows = [{"caption": f"{row}", "tags": ["x"] * (row % 3)} for row in range(2500)]
    write_records(tmp_path / "r.arrow", rows)
    check_layout(memoryview((tmp_path / "r.arrow").read_bytes()))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begin and end"),
        (b"ARROW1\0\0" + b"x" * 30 + b"ARROW1", "footer"),
        (file_of(pa.schema([("a", pa.int64())]))[:-1], "begin and end"),
    ],
)
def test_another_file_is_refused(data, message):
    with pytest.raises(LayoutError, match=message):
        check_layout(memoryview(data))


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_compressed_buffers_are_refused(codec):
    batch = batch_of(a=pa.array([b"\0" * BOMB_BYTES], pa.binary()))
    data = file_of(batch.schema, batch, compression=codec)
    assert len(data) < BOMB_BYTES // 100
    with pytest.raises(LayoutError, match="compressed"):
        check_layout(memoryview(data))


def test_dictionaries_are_refused():
    batch = batch_of(a=TEXTS.dictionary_encode())
    with pytest.raises(LayoutError, match="dictionaries"):
        check_layout(memoryview(file_of(batch.schema, batch)))


def blocks_at(data):
    """Where the blocks of the footer begin: each has the offset, metadata and body sizes of a batch."""
    (size,) = struct.unpack_from("<i", data, len(data) - 10)
    footer = len(data) - 10 - size
    first = struct.pack("<qi", 8 + struct.unpack_from("<i", data, 12)[0] + 8, 0)[:8]
    return data.index(first, footer)


@pytest.mark.parametrize("field", [0, 24])
@pytest.mark.parametrize("offset", [-8, 0, 4, 1 << 40, "other"])
def test_record_batches_that_share_bytes_or_lie_outside_are_refused(field, offset):
    batch = batch_of(a=pa.array(range(100)))
    data = bytearray(file_of(batch.schema, batch, batch))
    start = blocks_at(data)
    other = struct.unpack_from("<q", data, start + 24 - field)[0]
    struct.pack_into("<q", data, start + field, other if offset == "other" else offset)
    with pytest.raises(LayoutError):
        check_layout(memoryview(data))


def test_buffers_that_share_bytes_are_refused():
    batch = batch_of(a=pa.array([1] * 64), b=pa.array([2] * 64))
    data = bytearray(file_of(batch.schema, batch))
    start = data.index(struct.pack("<qqqq", 512, 0, 512, 512)) + 16
    data[start : start + 16] = struct.pack("<qq", 0, 512)
    with pytest.raises(LayoutError, match="overlap"):
        check_layout(memoryview(data))


def test_more_values_than_bytes_are_refused():
    batch = batch_of(id=pa.array([1]), a=pa.array([[None]], pa.list_(pa.null())))
    data = bytearray(file_of(batch.schema, batch))
    node = struct.pack("<qqqq", 1, 0, 1, 1)
    start = data.index(node) + 16
    data[start : start + 16] = struct.pack("<qq", 1 << 40, 1 << 40)
    with pytest.raises(LayoutError, match="more values than fit"):
        check_layout(memoryview(data))


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        (pa.dictionary(pa.int8(), pa.string()), pa.string()),
        (pa.string_view(), pa.string()),
        (pa.binary_view(), pa.binary()),
        (pa.uuid(), pa.binary(16)),
        (pa.run_end_encoded(pa.int32(), pa.int8()), pa.int8()),
        (pa.list_(pa.dictionary(pa.int8(), pa.string())), pa.list_(pa.string())),
        (pa.list_(pa.string_view(), 3), pa.list_(pa.string(), 3)),
        (pa.large_list(pa.string_view()), pa.large_list(pa.string())),
        (pa.struct([("x", pa.string_view())]), pa.struct([("x", pa.string())])),
        (pa.map_(pa.string(), pa.string_view()), pa.map_(pa.string(), pa.string())),
        (pa.timestamp("us", "UTC"), pa.timestamp("us", "UTC")),
    ],
    ids=str,
)
def test_types_are_stored_as_plain_ones(kind, stored):
    assert stored_type(kind) == stored
    assert is_stored(stored)
    assert is_stored(kind) == (kind == stored)


def test_a_column_of_a_dictionary_is_written_in_full(tmp_path):
    schema = pa.schema([*SCHEMA, ("licence", pa.dictionary(pa.int8(), pa.string()))])
    write_records(tmp_path / "r.arrow", [{"licence": "cc0"}], licence=schema.field("licence").type)
    records = Records(tmp_path / "r.arrow")
    assert records.schema.field("licence").type == pa.string()
    assert records.gather.get([0])[0][1]["licence"] == "cc0"


def test_a_type_that_records_cannot_have_is_refused_when_it_is_written(tmp_path):
    with pytest.raises(InputError, match="column u of a type"):
        RecordWriter(tmp_path / "r.arrow", pa.schema([("u", pa.sparse_union([pa.field("a", pa.int8())]))]))


def test_false_offsets_are_an_error_before_any_kernel_runs(tmp_path):
    path = tmp_path / "r.arrow"
    records = write_records(path, [{"caption": "text " * row} for row in range(9)])
    offsets = records.batches[0].column("caption").buffers()[1]
    start = offsets.address - records._mapped.address
    del records
    data = bytearray(path.read_bytes())
    data[start + 4 : start + 8] = np.int32(2**31 - 1).tobytes()
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"r\.arrow is damaged.*snapseek repair"):
        Records(path)


@pytest.mark.parametrize("batch", [0, 100, 199])
def test_damage_in_any_of_many_batches_is_an_error(tmp_path, monkeypatch, batch):
    monkeypatch.setattr("snapseek.library.records.arrow_file.available_cores", lambda: 3)
    write_records(tmp_path / "row.arrow", [{"caption": "text"}])
    row = Records(tmp_path / "row.arrow").batches[0]
    path = tmp_path / "r.arrow"
    writer = RecordWriter(path)
    for _ in range(200):
        writer.extend(row)
    writer.finish()
    records = Records(path)
    assert len(records.batches) == 200
    text = records.batches[batch].column("caption").buffers()[2]
    start = text.address - records._mapped.address
    del records, text
    data = bytearray(path.read_bytes())
    data[start : start + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"r\.arrow is damaged.*snapseek repair"):
        Records(path)


@pytest.mark.parametrize(("name", "value"), [("width", None), ("uri", None), ("id", None)])
def test_a_record_without_required_columns_is_refused(tmp_path, name, value):
    with pytest.raises(FormatError, match=f"column {name} lacks values"):
        write_records(tmp_path / "r.arrow", [{name: value}])


def test_a_known_column_of_another_type_is_refused(tmp_path):
    schema = SCHEMA.set(SCHEMA.get_field_index("width"), pa.field("width", pa.string()))
    with pa.ipc.new_file(tmp_path / "r.arrow", schema):
        pass
    with pytest.raises(FormatError, match="width of type int32, found string"):
        Records(tmp_path / "r.arrow")


@pytest.mark.parametrize(
    "kind", [pa.timestamp("s", "Europe/Berlin"), pa.list_(pa.timestamp("s", "Europe/Berlin"))]
)
@pytest.mark.parametrize("found", [b"Europe/Berlin", b"own_column"])
def test_a_name_or_a_time_zone_that_is_not_utf_8_is_refused(tmp_path, kind, found):
    path = tmp_path / "r.arrow"
    write_records(path, [{}], own_column=kind)
    path.write_bytes(path.read_bytes().replace(found, b"\xff" + found[1:]))
    with pytest.raises(FormatError, match="utf-8"):
        Records(path)


def test_a_name_that_is_too_long_is_refused_on_the_way_in_and_out(tmp_path):
    write_records(tmp_path / "r.arrow", [{}])
    rows = pa.ipc.open_file(str(tmp_path / "r.arrow")).read_all()
    table = rows.append_column("x" * 1001, pa.array([1]))
    (tmp_path / "long.arrow").write_bytes(file_of(table.schema, *table.to_batches()))
    with pytest.raises(FormatError, match="a name of more than 1000 characters"):
        Records(tmp_path / "long.arrow")
    with pytest.raises(InputError, match="at most 1000 characters, found one of 1001"):
        RecordWriter(tmp_path / "new.arrow", table.schema)


def test_a_schema_of_many_megabytes_is_refused(tmp_path):
    schema = pa.schema([("a", pa.int64())], metadata={"k": "v" * (9 << 20)})
    with pytest.raises(LayoutError, match="schema has more than"):
        check_layout(memoryview(file_of(schema)))
    field = pa.field("extra", pa.int64(), metadata={"k": "v" * (9 << 20)})
    RecordWriter(tmp_path / "w.arrow", SCHEMA.append(field)).finish()  # which keeps no metadata
    check_layout(memoryview((tmp_path / "w.arrow").read_bytes()))
