import os
import subprocess
import sys
from pathlib import Path

import pytest

from snapseek.errors import InputError
from snapseek.sources import find_pictures


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(root):
    return [picture.within for picture in find_pictures(root)]


def test_pictures_at_any_depth_in_order_of_name(tmp_path):
    write(tmp_path, "b.JPG", "a.png", "c/d/e.webp", "c/a.gif", "notes.txt", "c/song.mp3")
    assert found(tmp_path) == ["a.png", "b.JPG", "c/a.gif", "c/d/e.webp"]


def test_hidden_and_generated_folders_are_skipped(tmp_path):
    write(
        tmp_path,
        ".hidden.jpg",
        ".git/a.jpg",
        ".snapseek/a.jpg",
        "@eaDir/a.jpg",
        "node_modules/x/a.png",
        "a.jpg",
    )
    assert found(tmp_path) == ["a.jpg"]


def test_name_parent_and_uri_of_a_picture(tmp_path):
    write(tmp_path, "deep/er/my dog #1.jpg")
    (picture,) = find_pictures(tmp_path)
    assert (picture.name, picture.parent, picture.size_bytes) == ("my dog #1.jpg", "deep/er", 1)
    assert picture.uri == f"file://{tmp_path}/deep/er/my%20dog%20%231.jpg"
    assert picture.modified_ns == picture.path.stat().st_mtime_ns


def test_a_name_that_is_not_utf8(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    Path(os.fsdecode(path)).touch()
    (picture,) = find_pictures(tmp_path)
    assert os.fsencode(picture.path) == path
    assert picture.uri.endswith("/caf%E9.jpg")
    assert picture.name == "caf\N{REPLACEMENT CHARACTER}.jpg"


def test_links_to_folders_are_skipped_and_broken_links_reported(tmp_path):
    write(tmp_path, "a/b.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "loop.jpg").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    pictures = {picture.within: picture.problem for picture in find_pictures(tmp_path)}
    assert pictures == {"a/b.jpg": None, "gone.jpg": "the file cannot be read: No such file or directory"}


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (picture,) = find_pictures(tmp_path)
    assert "regular file" in picture.problem


def test_a_folder_deeper_than_the_stack(tmp_path):
    depth = sys.getrecursionlimit() + 100
    subprocess.run([sys.executable, "-c", DIG, str(depth)], cwd=tmp_path, check=True)
    try:
        assert found(tmp_path) == ["d/" * depth + "a.jpg"]
    finally:
        subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # shutil would need a deeper stack


DIG = """
import os, sys
for _ in range(int(sys.argv[1])):
    os.mkdir("d")
    os.chdir("d")
open("a.jpg", "w").close()
"""


def test_a_folder_that_cannot_be_read_is_reported(tmp_path, monkeypatch):
    write(tmp_path, "locked/a.jpg", "open/b.jpg")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert {p.within: p.problem for p in find_pictures(tmp_path)} == {
        "locked": "the folder cannot be read: Permission denied",
        "open/b.jpg": None,
    }


@pytest.mark.parametrize(("name", "what"), [("nowhere", "nothing"), ("file.jpg", "a file")])
def test_what_is_not_a_folder_is_refused(tmp_path, name, what):
    write(tmp_path, "file.jpg")
    with pytest.raises(InputError, match=f"got {what}"):
        find_pictures(tmp_path / name)
