"""snapseek.library.storage.relocation: recorded paths of a folder that was moved with its library."""

from pathlib import Path

import pytest

from snapseek.library.storage.relocation import NOT_MOVED, Relocation, find_relocation

OLD, NEW = Path("/disk1/my photos"), Path("/mnt/b")
MOVED = Relocation(OLD, NEW)


@pytest.mark.parametrize(
    ("recorded", "current"),
    [
        ("file:///disk1/my%20photos/a.jpg", "file:///mnt/b/a.jpg"),
        ("file:///disk1/my%20photos/c/%C3%A9.jpg", "file:///mnt/b/c/%C3%A9.jpg"),
        ("tar:///disk1/my%20photos/0.tar!0.jpg", "tar:///mnt/b/0.tar!0.jpg"),
        ("parquet:///disk1/my%20photos/t.parquet!image/7", "parquet:///mnt/b/t.parquet!image/7"),
    ],
)
def test_uris_below_the_folder_move_and_are_recorded_as_before(recorded, current):
    assert MOVED.uri(recorded) == current
    assert MOVED.recorded_uri(current) == recorded


@pytest.mark.parametrize(
    "uri",
    [
        "file:///disk1/my%20photos2/a.jpg",
        "https://a.example/disk1/my%20photos/a.jpg",
        "file:///disk1",
        "",
        "x",
    ],
)
def test_other_uris_stay(uri):
    assert MOVED.uri(uri) == uri
    assert NOT_MOVED.uri(uri) == uri


def test_paths_move():
    assert MOVED.path(OLD / "sub") == NEW / "sub"
    assert MOVED.path(OLD) == NEW
    assert MOVED.path(Path("/else")) == Path("/else")
    assert MOVED.recorded_path(NEW / "sub") == OLD / "sub"


@pytest.mark.parametrize(
    ("directory", "recorded", "folders", "expected"),
    [
        ("/mnt/b/.snapseek", "/disk1/a/.snapseek", ["/disk1/a"], ("/disk1/a", "/mnt/b")),
        ("/mnt/b/x/lib", "/disk1/a/x/lib", ["/disk1/a/x", "/disk1/a"], ("/disk1/a", "/mnt/b")),
        ("/mnt/b/.snapseek", None, ["/disk1/a"], ("/disk1/a", "/mnt/b")),
        ("/disk1/a/.snapseek", "/disk1/a/.snapseek", ["/disk1/a"], None),
        ("/disk1/a/.snapseek", None, ["/backup", "/disk1/a"], None),
        ("/mnt/b/.snapseek", "/libs/.snapseek", ["/disk1/a"], None),
        ("/mnt/b/other", "/disk1/a/lib", ["/disk1/a"], None),
        ("/lib", "/lib2/lib", ["/lib2/lib/photos"], None),
        ("/mnt/b/.snapseek", "/mnt/b/.snapseek2", [], None),
    ],
)
def test_a_library_inside_a_folder_moves_with_it(directory, recorded, folders, expected):
    found = find_relocation(Path(directory), recorded, map(Path, folders), lambda folder, now: True)
    assert found == (Relocation(*map(Path, expected)) if expected else NOT_MOVED)


def test_a_folder_without_the_pictures_is_not_the_moved_one():
    arguments = Path("/mnt/b/.snapseek"), "/disk1/a/.snapseek", [Path("/disk1/a")]
    assert find_relocation(*arguments, lambda folder, now: False) == NOT_MOVED
