import os
import subprocess
import sys
from pathlib import Path

import pytest

from snapseek import file_kinds
from snapseek.errors import InputError
from snapseek.sources import FolderSource, find_pictures


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


def skipped(root, *exclude):
    source = FolderSource(root, exclude)
    list(source.find())
    return {entry.kind: (entry.count, entry.examples) for entry in source.skipped.examples()}


@pytest.fixture
def plain(monkeypatch):
    """The optional packages for RAW files and videos are missing."""
    monkeypatch.setattr(file_kinds, "can_read_raw", lambda: False)
    monkeypatch.setattr(file_kinds, "can_read_video", lambda: False)


def test_skipped_files_are_counted_by_kind_with_their_names(tmp_path, plain):
    write(
        tmp_path,
        "a.jpg",
        "IMG_1.CR2",
        "b/IMG_2.nef",
        "m.MOV",
        "x.jxl",
        "x.jp2",
        "x.psd",
        "x.svg",
        "x.ico",
        "x.doc",
    )
    write(tmp_path, ".hidden/c.jpg", ".d.jpg", "._a.jpg", ".DS_Store", "#recycle/e.jpg", "a.xmp", "notes.txt")
    (tmp_path / "album").symlink_to(tmp_path / "b")
    assert skipped(tmp_path) == {
        "raw": (2, ("IMG_1.CR2", "b/IMG_2.nef")),
        "video": (1, ("m.MOV",)),
        "jpeg_xl": (1, ("x.jxl",)),
        "jpeg_2000": (1, ("x.jp2",)),
        "photoshop": (1, ("x.psd",)),
        "svg": (1, ("x.svg",)),
        "other_picture": (1, ("x.ico",)),
        "other": (1, ("x.doc",)),
        "hidden": (2, (".d.jpg", ".hidden")),
        "excluded": (1, ("#recycle",)),
        "linked_folder": (1, ("album",)),
    }


def test_raw_files_and_videos_are_read_if_their_packages_are_there(tmp_path, monkeypatch):
    monkeypatch.setattr(file_kinds, "can_read_raw", lambda: True)
    monkeypatch.setattr(file_kinds, "can_read_video", lambda: True)
    write(tmp_path, "a.CR2", "b.mp4", "c.jxl")
    assert found(tmp_path) == ["a.CR2", "b.mp4"]


@pytest.mark.parametrize("can_read", [False, True])
def test_raw_and_jpeg_or_heic_and_video_of_one_stem_are_one_picture(tmp_path, monkeypatch, can_read):
    monkeypatch.setattr(file_kinds, "can_read_raw", lambda: can_read)
    monkeypatch.setattr(file_kinds, "can_read_video", lambda: can_read)
    write(tmp_path, "IMG_1.JPG", "img_1.cr2", "b/IMG_2.HEIC", "b/IMG_2.MOV", "b/IMG_1.DNG", "c.mp4")
    assert found(tmp_path) == [
        "IMG_1.JPG",
        *(["b/IMG_1.DNG"] if can_read else []),
        "b/IMG_2.HEIC",
        *(["c.mp4"] if can_read else []),
    ]
    assert skipped(tmp_path)["paired"] == (2, ("b/IMG_2.MOV", "img_1.cr2"))


def test_a_raw_file_whose_jpeg_is_excluded_is_read_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(file_kinds, "can_read_raw", lambda: True)
    write(tmp_path, "IMG_1.JPG", "IMG_1.CR2")
    assert [p.within for p in FolderSource(tmp_path, ["*.jpg", "*.JPG"]).find()] == ["IMG_1.CR2"]


def test_empty_folders_and_links_are_known_after_a_scan(tmp_path):
    write(tmp_path, "a.jpg", "b/c.jpg", "e/.DS_Store")
    (tmp_path / "d" / "f").mkdir(parents=True)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "b" / "c.jpg")
    source = FolderSource(tmp_path)
    list(source.find())
    assert sorted(source.empty_folders) == ["d/f", "e"]
    assert source.links == [("link.jpg", (tmp_path / "b" / "c.jpg").resolve())]
