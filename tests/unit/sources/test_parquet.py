import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snapseek.errors import InputError
from snapseek.sources.parquet import ParquetImages, has_pictures
from tests.support.picture_sources import picture, write_hugging_face, write_img2dataset_table


def read(path):
    source = ParquetImages(path)
    wanted = list(source.find())
    return source, list(source.read(wanted))


def test_a_table_of_hugging_face(tmp_path):
    write_hugging_face(tmp_path / "train.parquet")
    source, found = read(tmp_path / "train.parquet")
    assert [one.within for one in found] == ["0", "1", "2", "3"]
    first = found[0]
    assert (first.data, first.name) == (picture("red", "PNG"), "red.png")
    assert first.metadata.caption == "a red card"
    assert first.columns == {"label": 0, "width_": 40}
    assert source.columns() == pa.schema([("label", pa.int8()), ("width_", pa.int64())])
    assert first.uri == f"parquet://{tmp_path}/train.parquet!image/0"


def test_a_table_of_img2dataset(tmp_path):
    write_img2dataset_table(tmp_path / "00000.parquet")
    source, found = read(tmp_path / "00000.parquet")
    assert found[2].data == picture("blue")
    assert found[2].name == "000000002"
    assert found[2].columns["url"] == "https://x.example/blue.jpg"
    assert source.columns().field("similarity").type == pa.float32()


def test_a_folder_of_tables(tmp_path):
    write_hugging_face(tmp_path / "a.parquet", ("red",))
    (tmp_path / "data").mkdir()
    write_img2dataset_table(tmp_path / "data" / "b.parquet", ("blue", "green"))
    pq.write_table(pa.table({"n": [1]}), tmp_path / "c.parquet")
    (tmp_path / "d.parquet").write_bytes(b"PAR1 nothing")
    _, found = read(tmp_path)
    assert [(one.within, one.problem is None) for one in found] == [
        ("a.parquet/0", True),
        ("c.parquet", False),
        ("d.parquet", False),
        ("b.parquet/0", True),
        ("b.parquet/1", True),
    ]


def test_only_some_are_read_whatever_the_row_groups(tmp_path):
    write_hugging_face(tmp_path / "a.parquet", ("red", "green", "blue", "white") * 30, row_group_size=7)
    source = ParquetImages(tmp_path / "a.parquet")
    subset = [one for one in source.find() if int(one.within) % 50 == 2]
    assert [one.name for one in source.read(subset)] == ["blue.png", "red.png", "blue.png"]


def test_rows_without_a_picture(tmp_path):
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [
        None,
        {"bytes": None, "path": "/etc/passwd"},
        {"bytes": b"", "path": None},
        {"bytes": b"x", "path": ".."},
        {"bytes": b"y", "path": "a/b.png"},
    ]
    pq.write_table(pa.table({"image": pa.array(rows, kind)}), tmp_path / "a.parquet")
    _, found = read(tmp_path / "a.parquet")
    assert [one.data for one in found] == [None, None, None, b"x", b"y"]
    assert "no bytes" in found[1].problem
    assert [one.name for one in found[3:]] == ["..", "b.png"]


def test_columns_that_do_not_agree(tmp_path):
    for name, labels in (("a", pa.array([1], pa.int32())), ("b", pa.array([2.5])), ("c", pa.array(["x"]))):
        table = pa.table({"image": [picture()], "label": labels})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    source, found = read(tmp_path)
    assert source.columns().field("label").type == pa.string()
    assert [one.columns["label"] for one in found] == ["1", "2.5", "x"]


def test_damage_is_limited_to_a_row_group(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table({"image": [picture()] * 30, "n": list(range(30))})
    pq.write_table(table, path, row_group_size=10, compression="none", use_dictionary=False)
    group = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    data[group.data_page_offset : group.data_page_offset + 30] = b"\xff" * 30
    path.write_bytes(data)
    _, found = read(path)
    assert [one.columns["n"] for one in found if one.problem is None] == [*range(10), *range(20, 30)]
    assert sum("cannot be read here" in (one.problem or "") for one in found) == 10


def test_which_tables_have_pictures(tmp_path):
    write_hugging_face(tmp_path / "a.parquet")
    pq.write_table(pa.table({"url": ["x"], "vector": [b"x"]}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"image": ["http://x"]}), tmp_path / "c.parquet")
    assert [has_pictures(tmp_path / f"{name}.parquet") for name in "abc"] == [True, False, False]
    with pytest.raises(InputError, match="expected a parquet file"):
        list(ParquetImages(tmp_path / "gone").find())
