"""snapseek.library.export: what is written is what the library knows, in every format."""

import csv
import io
import json
import os
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snapseek.errors import InputError, StorageError, UnknownChoiceError
from snapseek.library import Library
from snapseek.library.export import _column, kind_of, unified
from tests.conftest import PICTURES, write_pictures
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows

OWN_FILES = [
    "library.db",
    "library.db-wal",
    "previews.db",
    "writer.lock",
    "shards/a.arrow",
    "tables/pictures.parquet",
]


@pytest.mark.parametrize(
    "name", [*OWN_FILES, "student/student.json", "student/onnx/text_model.onnx", "Writer.lock"]
)
def test_no_file_of_the_library_is_written_over(folder, tmp_path, encoder, name):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    (tmp_path / "link").symlink_to(tmp_path / "l", target_is_directory=True)
    before = {path: path.read_bytes() for path in (tmp_path / "l").rglob("*") if path.is_file()}
    for target in ("l", "link"):
        with pytest.raises(InputError, match="expected a file that is not one of the library"):
            library.export(tmp_path / target / name, "csv")
    assert {path: path.read_bytes() for path in (tmp_path / "l").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", OWN_FILES)
def test_no_file_of_another_library_is_written_over(folder, library, tmp_path, encoder, name):
    other = Library.build(folder, tmp_path / "other", encoder=encoder)
    with pytest.raises(InputError, match="expected a file that is not one of the library"):
        library.export(tmp_path / "other" / name, "csv")
    assert other.verify() == []


@pytest.mark.parametrize(
    "name",
    [
        ".collection.json.lock",
        ".collection.json.0123456789abcdef.tmp",
        ".collection.01234567.tmp",
        ".holiday.csv.0123456789abcdef.tmp",
        "..training.snap.json.0123456789abcdef.tmp",
    ],
)
def test_no_lock_and_no_draft_is_written_over(library, tmp_path, name):
    for there in (False, True):
        with pytest.raises(InputError, match="expected a file that is no lock and no draft"):
            library.export(tmp_path / name, "csv")
        assert (tmp_path / name).exists() == there
        (tmp_path / name).write_bytes(b"")


@pytest.mark.parametrize(
    "name", [".lock", "a.lock", ".a.tmp", "tables", "library.db.csv", ".hidden.csv", "a.tmp"]
)
def test_other_names_are_free(library, tmp_path, name):
    assert library.export(tmp_path / name, "csv") == len(library)


def test_a_pipe_a_device_and_a_folder_are_not_replaced(library, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "null").symlink_to(os.devnull)
    for name in ("pipe", "folder", "null"):
        before = (tmp_path / name).lstat()
        with pytest.raises(StorageError, match="found a folder, a device or a pipe"):
            library.export(tmp_path / name, "csv")
        assert (tmp_path / name).lstat().st_ino == before.st_ino


def exported(library, kind, **options) -> bytes:
    stream = io.BytesIO()
    assert library.export(stream, kind, **options) == len(library)
    return stream.getvalue()


def names(folder) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, encoder) -> Library:
    """Pictures of a folder, and imported rows with columns of their own."""
    target = tmp_path_factory.mktemp("mixed")
    rows = {
        "url": ["https://p.example/0", "https://p.example/1", None],
        "caption": ['=HYPERLINK("http://evil.example")', 'a "red", door\nand a line', "-5 degrees"],
        "width": [640, 0, 3],
        "taken": pa.array([datetime(2024, 5, 1, 9, 30, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")),
        "tags": pa.array([["dog", "@home"], [], None], pa.list_(pa.string())),
        "share": [0.5, float("nan"), -1.0],
        "size_bytes": ["12 KB", "?", None],
        "thumb": pa.array([b"\xff", b"", None], pa.binary()),
    }
    Library.build(write_pictures(target / "pictures"), target / "l", encoder=encoder)
    return imported(target, encoder, rows)


def imported(target, encoder, columns) -> Library:
    """A library of rows that have just these columns."""
    table = pa.table(columns)
    folder = write_embeddings(target / "laion", unit_rows(len(table), dim=3))
    pq.write_table(table, folder / "metadata" / "metadata_0.parquet")
    return Library.import_vectors(folder, target / "l", encoder=encoder)


def test_csv_has_a_line_a_picture(library):
    rows = list(csv.DictReader(io.StringIO(exported(library, "csv").decode())))
    assert [row["name"] for row in rows] == [hit.meta["name"] for hit in library.browse(100)]
    assert "preview" not in rows[0]
    assert (rows[0]["width"], rows[0]["height"], rows[0]["caption"]) == ("60", "40", "")


def test_json_has_the_values_of_answers(library):
    rows = json.loads(exported(library, "json"))
    for row, hit in zip(rows, library.browse(100), strict=True):
        assert row == {
            "id": hit.id,
            "uri": hit.uri,
            "width": hit.width,
            "height": hit.height,
            "color": hit.color,
            "caption": hit.caption,
            **hit.meta,
        }
    assert [json.loads(line) for line in exported(library, "jsonl").splitlines()] == rows


def test_parquet_keeps_types_and_previews(library):
    table = pq.read_table(pa.BufferReader(exported(library, "parquet")))
    hits = library.browse(100)
    assert table.column("preview").to_pylist() == [hit.preview for hit in hits]
    assert table.schema.field("modified").type == pa.timestamp("us", "UTC")
    assert table.column("id").to_pylist() == [hit.id for hit in hits]


def test_npy_has_the_vectors_in_the_same_order(library):
    vectors = np.load(io.BytesIO(exported(library, "npy")))
    assert (vectors.dtype, vectors.shape) == (np.float16, (len(PICTURES), 3))
    for vector, hit in zip(vectors, library.browse(100), strict=True):
        np.testing.assert_allclose(vector, library.vector(hit.id), atol=1e-3)


def test_the_columns_of_all_sources_are_joined(mixed):
    rows = json.loads(exported(mixed, "json"))
    assert len(rows) == len(PICTURES) + 3
    assert rows[-3]["taken"] == "2024-05-01T09:30:00.000000Z"
    assert rows[-3]["tags"] == ["dog", "@home"]
    assert rows[-2]["share"] is None  # NaN, for which JSON has no word
    assert rows[0]["tags"] is None
    assert "thumb" not in rows[0]
    table = pq.read_table(pa.BufferReader(exported(mixed, "parquet")))
    assert table.schema.field("tags").type == pa.list_(pa.string())
    assert table.column("thumb").to_pylist()[-3:] == [b"\xff", b"", None]


def test_a_column_of_two_types_becomes_text(mixed):
    rows = json.loads(exported(mixed, "json"))
    assert rows[0]["size_bytes"].isdigit()
    assert [row["size_bytes"] for row in rows[-3:]] == ["12 KB", "?", None]


def test_csv_has_no_formulas(mixed):
    def captions(**options):
        lines = csv.DictReader(io.StringIO(exported(mixed, "csv", **options).decode(), newline=""))
        return [line["caption"] for line in lines][-3:]

    as_it_is = ['=HYPERLINK("http://evil.example")', 'a "red", door\nand a line', "-5 degrees"]
    assert captions() == ["'" + as_it_is[0], as_it_is[1], "'-5 degrees"]
    assert captions(keep_text=True) == as_it_is
    lines = list(csv.DictReader(io.StringIO(exported(mixed, "csv").decode(), newline="")))
    assert (lines[-1]["share"], lines[-3]["tags"]) == ("-1.0", '["dog", "@home"]')


@pytest.mark.parametrize("begin", "=+-@\t\r")
def test_no_text_begins_as_a_formula_does(begin, encoder, tmp_path):
    columns = {"url": ["x"], "caption": [f"{begin}cmd"], f"{begin}name": [f"{begin}1"]}
    library = imported(tmp_path, encoder, columns)
    for line in csv.reader(io.StringIO(exported(library, "csv").decode(), newline="")):
        assert not [cell for cell in line if cell.startswith(begin)]


def test_an_export_appears_when_it_is_complete(library, tmp_path):
    target = tmp_path / "all.JSON"
    target.write_text("before")
    assert library.export(target) == len(library)
    assert len(json.loads(target.read_text())) == len(library)
    assert names(tmp_path) == ["all.JSON"]


def test_a_file_stays_as_it_was_when_an_export_fails(library, tmp_path, monkeypatch):
    target = tmp_path / "all.npy"
    target.write_text("before")

    def refuse(*_):
        raise InputError("scores and no vectors")

    monkeypatch.setattr("snapseek.library.storage.shards.RecordBlock.vectors", refuse)
    with pytest.raises(InputError):
        library.export(target)
    assert (target.read_text(), names(tmp_path)) == ("before", ["all.npy"])


def test_an_export_that_cannot_be_written(library, tmp_path):
    with pytest.raises(StorageError, match=r"cannot write .*nowhere"):
        library.export(tmp_path / "nowhere" / "all.csv")


@pytest.mark.parametrize("target", ["all", "all.xlsx", io.BytesIO()])
def test_the_format_is_the_argument_or_the_suffix(target):
    with pytest.raises(UnknownChoiceError) as caught:
        kind_of(target, None)
    assert caught.value.expected == "a format of csv, json, jsonl, parquet, npy"
    assert kind_of("all.xlsx", "csv") == "csv"


def test_types_widen_where_they_can():
    one, two = pa.schema({"a": pa.int32(), "b": pa.string()}), pa.schema({"a": pa.int64(), "b": pa.float64()})
    assert unified([one, two]) == pa.schema({"a": pa.int64(), "b": pa.string()})


def test_bytes_in_a_column_of_texts_become_base64():
    records = pa.RecordBatch.from_pydict({"a": [b"\0\xff", None]})
    assert _column(records, pa.field("a", pa.string())).to_pylist() == ["AP8=", None]
