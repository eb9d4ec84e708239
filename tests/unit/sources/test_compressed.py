"""snapseek.sources.compressed: a compressed archive is refused with the command that unpacks it."""

import pytest

from snapseek.errors import InputError
from snapseek.sources import open_source
from tests.support.picture_sources import picture


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("a.tar.gz", "tar -xf {0}/a.tar.gz -C {0}/a,"),
        ("a.TGZ", "tar -xf"),
        ("my photos.zip", "unzip '{0}/my photos.zip' -d '{0}/my photos',"),
        ("a.7z", "7z x"),
        ("list.csv.gz", "gunzip -k {0}/list.csv.gz,"),
        ("a.tar.zst", "tar -xf"),
    ],
)
@pytest.mark.parametrize("is_inside", [False, True])
def test_the_command_that_unpacks_is_named(tmp_path, name, command, is_inside):
    (tmp_path / name).write_bytes(b"packed")
    with pytest.raises(InputError, match="compressed file") as caught:
        open_source(tmp_path if is_inside else tmp_path / name)
    assert command.format(tmp_path) in caught.value.hint


def test_a_folder_with_pictures_may_have_archives(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"packed")
    (tmp_path / "a.jpg").write_bytes(picture())
    assert [one.within for one in open_source(tmp_path).find()] == ["a.jpg"]
