import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapseek.errors import FormatError
from snapseek.library.columns.column_file import StaleError, read_arrays, write_arrays

STAMP = {"facet": "X", "rows": 3}
ARRAYS = {
    "a": np.arange(3, dtype=np.int64),
    "none": np.zeros(0, np.uint8),
    "flags": np.array([True, False, True]),
    "b": np.array([1.5, 2.5], np.float32),
}


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "x.facet"
    assert write_arrays(path, STAMP, ARRAYS)
    found, _ = read_arrays(path, STAMP)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
        assert name == "none" or found[name].ctypes.data % 64 == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.facet"]


def test_a_file_of_other_records_is_stale(tmp_path):
    path = tmp_path / "x.facet"
    with pytest.raises(FormatError, match="cannot be read"):
        read_arrays(path, STAMP)
    write_arrays(path, STAMP, ARRAYS)
    with pytest.raises(FormatError, match="other records"):
        read_arrays(path, STAMP | {"rows": 4})


def test_every_byte_of_every_array_counts(tmp_path):
    path = tmp_path / "x.facet"
    write_arrays(path, STAMP, ARRAYS)
    whole = path.read_bytes()
    begin = -(-(16 + int.from_bytes(whole[8:12], "little")) // 64) * 64
    refused = 0
    for position in range(begin, len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        try:
            read_arrays(path, STAMP)
        except FormatError:
            refused += 1
    assert refused == sum(array.nbytes for array in ARRAYS.values())


def test_a_file_without_checksums_is_stale(tmp_path, monkeypatch):
    path = tmp_path / "x.facet"
    with monkeypatch.context() as patch:
        patch.setattr("snapseek.library.columns.column_file._EDITION", 1)
        write_arrays(path, STAMP, ARRAYS)
    with pytest.raises(StaleError):
        read_arrays(path, STAMP)


def test_a_read_only_folder_is_no_error(tmp_path):
    assert not write_arrays(tmp_path / "nowhere" / "x.facet", STAMP, ARRAYS)


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, 400), position=st.integers(0, 400), value=st.integers(0, 255))
def test_header_damage_raises_format_error(tmp_path_factory, cut, position, value):
    path = tmp_path_factory.mktemp("damage") / "x.facet"
    write_arrays(path, STAMP, ARRAYS)
    whole = path.read_bytes()
    damaged = bytearray(whole[: max(1, len(whole) - cut)])
    damaged[min(position, len(damaged) - 1)] = value
    path.write_bytes(bytes(damaged))
    try:
        found, _ = read_arrays(path, STAMP)
    except FormatError:
        return
    assert {name: len(array) for name, array in found.items()} == {k: len(v) for k, v in ARRAYS.items()}
    assert bytes(damaged[:16]) == whole[:16]
