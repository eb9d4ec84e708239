import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snapseek.sources.parquet_batches import bounded_batches, row_bytes

TEXTS = [f"{'a' * 20}{row % 3}" for row in range(400)]
DATA = [text.encode() for text in TEXTS]

ARRAYS = {
    "texts": pa.array(TEXTS, pa.string_view()),
    "bytes": pa.array(DATA, pa.binary_view()),
    "a list": pa.array([[text, None] for text in TEXTS], pa.list_(pa.string_view())),
    "a large list": pa.array([[data] for data in DATA], pa.large_list(pa.binary_view())),
    "a fixed list": pa.array([[text, text] for text in TEXTS], pa.list_(pa.string_view(), 2)),
    "an object": pa.StructArray.from_arrays([pa.array(TEXTS, pa.string_view())], ["x"]),
    "a map": pa.array([[(text, text)] for text in TEXTS], pa.map_(pa.string_view(), pa.string_view())),
}


@pytest.mark.parametrize("is_dictionary", [True, False])
@pytest.mark.parametrize("name", ARRAYS)
def test_views_are_read_from_pages_with_and_without_a_dictionary(tmp_path, name, is_dictionary):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"c": ARRAYS[name]}), path, use_dictionary=is_dictionary)
    found = pa.Table.from_batches([batch for batch in bounded_batches(path, 0, ["c"], 100) if batch])
    assert found["c"].to_pylist() == ARRAYS[name].to_pylist()
    assert found["c"].type == pq.ParquetFile(path).schema_arrow.field("c").type


def test_the_bytes_of_views_are_counted():
    views = pa.array(["skipped", "abc", None, "", "x" * 100], pa.string_view())[1:]
    assert row_bytes(views).tolist() == [3, 0, 0, 100]
    assert row_bytes(views[:0]).tolist() == []
    assert row_bytes(pa.array([["a" * 30, "b"], [], None], pa.list_(pa.string_view()))).tolist() == [31, 0, 0]


def test_a_row_group_without_rows_has_no_batch(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"c": pa.array([], pa.string())}), path)
    assert pq.ParquetFile(path).num_row_groups == 1
    assert list(bounded_batches(path, 0, ["c"], 100)) == []
