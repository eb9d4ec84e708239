"""snapseek.sources.folder_table: `metadata.csv` next to the pictures, as imagefolder has it."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snapseek.library import Library
from snapseek.sources import open_source
from tests.support.picture_sources import picture


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b.jpg", "train/cat/c.jpg"):
        path = tmp_path / "p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture("red" if name == "a.jpg" else "blue"))
    return tmp_path / "p"


def found_in(folder):
    source = open_source(folder)
    found = {one.within: one for one in source.read(list(source.find()))}
    return source, found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.csv", "file_name,text,label\na.jpg,a red door,5\nb.jpg,,6\ntrain/cat/c.jpg,a cat,7\n"),
        ("metadata.csv", "sep=;\nfile_name;text;label\n./a.jpg;a red door;5\nb.jpg;;6\n"),
        (
            "metadata.jsonl",
            '{"file_name": "a.jpg", "text": "a red door", "label": 5}\n{"file_name": "none.jpg"}\n',
        ),
        ("metadata.tsv", "label\tfile_name\tcaption\n5\ta.jpg\ta red door\n"),
    ],
)
def test_a_table_gives_captions_and_columns(folder, name, text):
    (folder / name).write_text(text)
    source, found = found_in(folder)
    assert source.columns() == pa.schema([("label", pa.int64())])
    assert (found["a.jpg"].metadata.caption, dict(found["a.jpg"].columns)) == ("a red door", {"label": 5})
    assert found["a.jpg"].data is None
    assert found["b.jpg"].metadata.caption is None


def test_the_nearest_table_counts(folder):
    (folder / "metadata.csv").write_text("file_name,text\na.jpg,top\ntrain/cat/c.jpg,top\n")
    (folder / "train" / "metadata.jsonl").write_text('{"file_name": "cat/c.jpg", "text": "near"}\n')
    _, found = found_in(folder)
    assert [found[name].metadata.caption for name in ("a.jpg", "train/cat/c.jpg")] == ["top", "near"]


def test_types_of_several_tables_are_unified(folder, tmp_path, encoder):
    (folder / "metadata.csv").write_text("file_name,n\na.jpg,x\n")
    table = pa.table(
        {
            "file_name": ["cat/c.jpg"],
            "n": pa.array([5], pa.int32()),
            "when": pa.array([2**60]).view(pa.timestamp("us")),
        }
    )
    pq.write_table(table, folder / "train" / "metadata.parquet")
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    assert len(library) == 3
    assert library.report.notes == (
        "column 'when': 1 value outside the range of records (years 1 to 9999) became null",
    )


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\0\0\0", '"never closed\n'])
def test_a_table_of_something_else_stops_nothing(folder, tmp_path, encoder, text):
    (folder / "metadata.csv").write_text(text)
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    assert (len(library), library.report.failed) == (3, 0)


def test_the_table_counts_before_a_sidecar(folder, tmp_path, encoder):
    (folder / "metadata.csv").write_text("file_name,text\na.jpg,of the table\nb.jpg,\n")
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text("of the sidecar")
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    captions = {hit.meta["name"]: hit.caption for hit in library.browse()}
    assert captions == {"a.jpg": "of the table", "b.jpg": "of the sidecar", "c.jpg": None}
