"""snapseek.sources.embeddings."""

import numpy as np
import pyarrow as pa
import pytest

from snapseek.errors import InputError
from snapseek.sources import find_embeddings
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows


def test_pairs_come_in_order_with_their_records(tmp_path):
    parts = [unit_rows(3).astype(np.float16), unit_rows(12, seed=1)]
    found = find_embeddings(write_embeddings(tmp_path, *parts))
    assert (found.rows, found.dim) == (15, 24)
    for (file, blocks), part in zip(found, parts, strict=True):
        (block,) = blocks
        np.testing.assert_array_equal(block.vectors, part)
        assert file.rows == block.records.num_rows == len(part)
    assert block.records.column("uri")[11].as_py() == "https://pictures.example/1-11.jpg"


def test_own_columns_keep_their_types(tmp_path):
    schema = find_embeddings(write_embeddings(tmp_path, unit_rows(2))).columns.schema
    assert schema.field("taken").type == pa.date32()
    assert (schema.field("key").type, schema.field("id_").type) == (pa.string(), pa.int64())


def test_no_vectors(tmp_path):
    with pytest.raises(InputError, match="got none"):
        find_embeddings(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_embeddings(tmp_path / "nowhere")


def test_other_numbers_of_rows_are_refused(tmp_path):
    write_embeddings(tmp_path, unit_rows(3))
    np.save(tmp_path / "img_emb" / "img_emb_0.npy", unit_rows(4))
    with pytest.raises(InputError, match="got 3 and 4"):
        find_embeddings(tmp_path)


@pytest.mark.parametrize("gone", ["img_emb/img_emb_1.npy", "metadata/metadata_1.parquet"])
def test_a_file_without_partner_is_refused(tmp_path, gone):
    write_embeddings(tmp_path, *[unit_rows(2)] * 3)
    (tmp_path / gone).unlink()
    with pytest.raises(InputError, match="with the number 1"):
        find_embeddings(tmp_path)


def test_other_dimensions_are_refused(tmp_path):
    write_embeddings(tmp_path, unit_rows(2), unit_rows(2, dim=8))
    with pytest.raises(InputError, match="expected vectors of 24 dimensions"):
        find_embeddings(tmp_path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 4), np.int8), "got int8"),
        (np.zeros(4, np.float32), "shape"),
        (np.zeros((2, 4), object), "got object"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, message):
    write_embeddings(tmp_path, unit_rows(2))
    np.save(tmp_path / "img_emb" / "img_emb_0.npy", array)
    with pytest.raises(InputError, match=message):
        find_embeddings(tmp_path)


@pytest.mark.parametrize("name", ["img_emb/img_emb_0.npy", "metadata/metadata_0.parquet"])
@pytest.mark.parametrize("damage", ["cut", "other"])
def test_damaged_files_are_named(tmp_path, name, damage):
    path = write_embeddings(tmp_path, unit_rows(50)) / name
    path.write_bytes(path.read_bytes()[:-30] if damage == "cut" else b"x" * 500)
    with pytest.raises(InputError, match=name):
        find_embeddings(tmp_path)


def test_the_error_lists_other_vector_files(tmp_path):
    np.save(tmp_path / "features.npy", unit_rows(2))
    with pytest.raises(InputError, match=r"got none, only features\.npy"):
        find_embeddings(tmp_path)
    with pytest.raises(InputError, match="got a file; name the folder above"):
        find_embeddings(tmp_path / "features.npy")


def test_other_dtypes_are_rejected_with_a_hint(tmp_path):
    write_embeddings(tmp_path, unit_rows(3).astype(np.int32))
    with pytest.raises(InputError, match=r"got int32 of \(3, 24\); write it again with numpy\.save"):
        find_embeddings(tmp_path)
