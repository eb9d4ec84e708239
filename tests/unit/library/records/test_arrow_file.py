import json
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from snapseek.errors import FormatError, StorageError
from snapseek.library import Library
from snapseek.library.indexing import compact, sync
from snapseek.library.records import arrow_file as module
from snapseek.library.records.arrow_file import SCHEMA, Records, RecordWriter
from snapseek.library.records.record_schema import LATER_COLUMNS
from tests.conftest import PICTURES, write_pictures
from tests.support.record_files import write_records


def record(number):
    return {
        "id": 1000 - number,
        "uri": f"file:///p/{number}.jpg",
        "width": number + 1,
        "height": 3,
        "color": "#010203",
        "preview": bytes([number % 256]) * 5,
        "caption": None if number % 2 else f"caption {number}",
        "name": f"{number}.jpg",
        "folder": "",
        "size_bytes": number,
        "modified": datetime.fromtimestamp(number, UTC),
        "kind": "jpeg",
        "taken": None,
        "camera": f"Camera {number}",
        "latitude": number / 2,
        "longitude": None,
        "is_truncated": None,
        "duration_s": None,
        "tags": ["one", str(number)],
        "title": None,
        "taken_offset_minutes": None,
        "taken_from": "exif",
        "rating": number % 6,
    }


def iso(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def written(path, count):
    writer = RecordWriter(path)
    for number in range(count):
        writer.append(record(number))
    writer.finish()
    return path


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 3000])
def test_records_come_back_by_row(tmp_path, count):
    records = Records(written(tmp_path / "r.arrow", count))
    assert len(records) == count
    rows = [row for row in (count - 1, 0, 1024, 1023, 0) if 0 <= row < count]
    for row, (core, own) in zip(rows, records.gather.get(rows), strict=True):
        assert dict(zip(CORE, core, strict=True)) | own == record(row) | {"modified": iso(row)}
        assert records.ids()[row] == 1000 - row


def test_a_batch_ends_before_its_texts_take_much_memory(tmp_path):
    writer = RecordWriter(tmp_path / "r.arrow")
    for number in range(40):
        writer.append(record(number) | {"caption": "a" * (1 << 20)})
    writer.finish()
    records = Records(tmp_path / "r.arrow")
    assert len(records) == 40
    assert max(batch.num_rows for batch in records.batches) <= 17
    assert sum(batch.num_rows for batch in records.in_order(np.arange(40))) == 40


def test_extra_columns_are_those_of_the_source(tmp_path):
    records = Records(written(tmp_path / "r.arrow", 1))
    ((_, own),) = records.gather.get([0])
    assert list(own) == [
        "name",
        "folder",
        "size_bytes",
        "modified",
        "kind",
        "taken",
        "camera",
        "latitude",
        "longitude",
        "tags",
        "title",
        "is_truncated",
        "duration_s",
        "taken_offset_minutes",
        "taken_from",
        "rating",
    ]


def test_a_file_without_newer_columns_opens(tmp_path):
    """Two shards of one library may have different columns."""
    old = pa.schema([field for field in SCHEMA if field.name not in NEWER])
    writer = RecordWriter(tmp_path / "old.arrow", old)
    writer.append({name: value for name, value in record(3).items() if name not in NEWER})
    writer.finish()
    records = Records(tmp_path / "old.arrow")
    ((_, own),) = records.gather.get([0])
    assert set(own) == {"name", "folder", "size_bytes", "modified"}


CORE = ("id", "uri", "width", "height", "color", "preview", "caption")
NEWER = {"kind", "taken", "camera", "latitude", "longitude", "tags", "title"} | LATER_COLUMNS
NEWER |= {"is_truncated", "duration_s"}


def test_anyone_can_open_the_file(tmp_path):
    table = pa.ipc.open_file(str(written(tmp_path / "r.arrow", 2000))).read_all()
    assert table.num_rows == 2000
    assert table.column("uri")[1999].as_py() == "file:///p/1999.jpg"


@pytest.mark.parametrize("content", [b"", b"ARROW1", b"x" * 5000])
def test_what_is_not_arrow_is_refused(tmp_path, content):
    (tmp_path / "r.arrow").write_bytes(content)
    with pytest.raises(FormatError, match="damaged"):
        Records(tmp_path / "r.arrow")


def test_a_truncated_file_is_refused(tmp_path):
    path = written(tmp_path / "r.arrow", 100)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FormatError, match="damaged"):
        Records(path)


def test_an_arrow_file_of_something_else_is_refused(tmp_path):
    with pa.ipc.new_file(str(tmp_path / "r.arrow"), pa.schema([("id", pa.int64())])):
        pass
    with pytest.raises(FormatError, match="lacks the columns uri"):
        Records(tmp_path / "r.arrow")


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(StorageError, match="cannot write"):
        RecordWriter(tmp_path / "no" / "such" / "folder.arrow")


def test_records_are_gathered_in_any_order(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK_BYTES", 1)
    records = Records(written(tmp_path / "r.arrow", 3000))
    order = np.random.default_rng(0).permutation(3000)
    batches = list(records.in_order(order))
    assert len(batches) > 1
    assert [number for batch in batches for number in batch.column("id").to_pylist()] == list(1000 - order)
    assert batches[0].column("uri")[0].as_py() == f"file:///p/{order[0]}.jpg"


def test_answers_have_json_values_and_no_raw_bytes(tmp_path):
    own = {
        "day": date(2020, 1, 2),
        "price": Decimal("1.50"),
        "raw": b"\xff",
        "tags": [{"at": datetime(2020, 1, 2)}],
    }
    row = {name: record(1)[name] for name in CORE}
    batch = pa.RecordBatch.from_pylist([row | own])
    schema = SCHEMA.empty_table().select(list(row)).schema
    batch = batch.cast(pa.schema([*schema, *[batch.schema.field(name) for name in own]]))
    writer = RecordWriter(tmp_path / "r.arrow", batch.schema)
    writer.extend(batch)
    writer.finish()
    records = Records(tmp_path / "r.arrow")
    ((_, meta),) = records.gather.get([0])
    assert meta == {"day": "2020-01-02", "price": "1.50", "tags": [{"at": "2020-01-02T00:00:00"}]}
    assert json.dumps(meta)


def test_a_library_of_an_earlier_version_is_synced(tmp_path, encoder, monkeypatch):
    """Pictures indexed without the newer columns, and then others with them; and merged."""
    old = pa.schema([field for field in SCHEMA if field.name not in NEWER])
    folder = write_pictures(tmp_path / "pictures")
    count = len(PICTURES)
    with monkeypatch.context() as before:
        before.setattr(sync, "SCHEMA", old)
        library = Library.build(folder, tmp_path / "l", encoder=encoder)
    assert "kind" not in next(iter(library.browse(1))).meta
    Image.new("RGB", (9, 9), "red").save(folder / "new.jpg")
    monkeypatch.setattr(compact, "SMALL_ROWS", 0)
    assert library.sync().added == 1
    assert len(library.snapshot().schemas()) == 2
    kinds = [hit.meta.get("kind") for hit in library.search("red", count + 1)]
    assert sorted(kinds, key=str) == [None] * count + ["jpeg"]
    assert [hit.meta["name"] for hit in library.search("red", 10, where="type:jpeg")] == ["new.jpg"]
    library.compact()
    assert len(library.snapshot().schemas()) == 1
    assert [hit.meta.get("kind") for hit in library.browse(count + 1)] == [None] * count + ["jpeg"]


def test_values_that_python_lacks_are_text(tmp_path):
    kinds = {
        "day": (pa.date32(), 2**30),
        "wait": (pa.duration("s"), 2**62),
        "mars": (pa.timestamp("s", "Mars/Olympus"), 60),
    }
    schema = pa.schema([*SCHEMA, *((name, kind) for name, (kind, _) in kinds.items())])
    base = pa.RecordBatch.from_pylist([record(1)], schema=SCHEMA)
    own = [
        pa.array([value], pa.int32() if name == "day" else pa.int64()).cast(kind)
        for name, (kind, value) in kinds.items()
    ]
    with pa.ipc.new_file(tmp_path / "r.arrow", schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays([*base.columns, *own], schema=schema))
    ((_, own),) = Records(tmp_path / "r.arrow").gather.get([0])
    assert "out of range" in own["day"]
    assert own["wait"] == str(2**62)
    assert own["mars"] == "1970-01-01T00:01:00Z"


def test_a_preview_that_no_answer_can_hold_is_refused(tmp_path):
    assert len(write_records(tmp_path / "a.arrow", [{"preview": bytes(1 << 16)}])) == 1
    with pytest.raises(FormatError, match="a preview has 65537 bytes"):
        write_records(tmp_path / "b.arrow", [{}, {"preview": bytes((1 << 16) + 1)}])
