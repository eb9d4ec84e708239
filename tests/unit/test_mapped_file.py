"""snapseek.mapped_file."""

import os

import pytest

from snapseek.errors import FormatError
from snapseek.mapped_file import MappedFile


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(100)))
    return path


@pytest.mark.parametrize("load", ["map", "ram"])
def test_the_bytes_are_those_of_the_file(path, load):
    file = MappedFile(path, load)
    file.check_length()
    assert bytes(file.view) == bytes(range(100))


def test_a_truncated_file_is_an_error_that_says_what_to_do(path):
    mapped, loaded = MappedFile(path), MappedFile(path, "ram")
    os.truncate(path, 99)
    with pytest.raises(FormatError) as caught:
        mapped.check_length()
    assert caught.value.expected == f"100 bytes in {path}"
    assert caught.value.got.startswith("99:")
    assert 'load="ram"' in caught.value.hint
    loaded.check_length()
    assert bytes(loaded.view) == bytes(range(100))


def test_a_file_that_is_replaced_or_removed_stays_readable(path):
    mapped = MappedFile(path)
    other = path.with_name("other")
    other.write_bytes(b"short")
    other.replace(path)
    mapped.check_length()
    assert bytes(mapped.view) == bytes(range(100))
    path.unlink()
    mapped.check_length()
