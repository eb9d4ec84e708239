"""snapseek.sources.exclusions: the rules of gitignore, from three places."""

import os
import tarfile

import pytest

from snapseek.errors import InputError
from snapseek.library import Library
from snapseek.sources import FolderSource, open_source
from snapseek.sources.exclusions import Exclusions, checked_patterns, is_skipped, moved_into
from snapseek.sources.open import reopen
from tests.support.picture_sources import add, picture, write_webdataset


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(root, *exclude):
    return [picture.within for picture in FolderSource(root, exclude).find()]


@pytest.mark.parametrize(
    "folder",
    [
        *("#recycle", "@Recycle", "@recycle", "$RECYCLE.BIN", "$Recycle.Bin", "#snapshot", "@tmp", "@eaDir"),
        *("System Volume Information", "lost+found", "RECYCLER", "@Recently-Snapshot", "node_modules"),
        *("Lightroom Previews.lrdata", "Smart Previews.LRDATA", "iPod Photo Cache", "CaptureOne/Cache"),
        *("Photos.photoslibrary/resources", "My.photoslibrary/private", "Old.photolibrary/Thumbnails"),
        *("A.aplibrary/Previews", ".Trash-1000", ".thumbnails"),
    ],
)
def test_bins_and_derived_pictures_are_excluded_at_any_depth(tmp_path, folder):
    write(tmp_path, "a.jpg", f"{folder}/b.jpg", f"deep/er/{folder}/x/c.jpg")
    assert found(tmp_path) == ["a.jpg"]


@pytest.mark.parametrize(
    "folder", ["P.photoslibrary/originals/0", "P.photoslibrary/Masters/2019", "o.aplibrary/Masters"]
)
def test_originals_of_photo_programs_are_read(tmp_path, folder):
    write(tmp_path, f"{folder}/a.jpg")
    assert found(tmp_path) == [f"{folder}/a.jpg"]


def test_a_photo_library_that_is_indexed_itself_has_its_originals_only(tmp_path):
    root = tmp_path / "Photos.photoslibrary"
    write(root, "originals/1/a.jpg", "resources/derivatives/a.jpg")
    assert found(root) == ["originals/1/a.jpg"]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("*.png", ["a.jpg", "drafts/b.jpg", "trip/drafts/c.jpg"]),
        ("drafts", ["a.jpg", "e.png"]),
        ("/drafts", ["a.jpg", "e.png", "trip/drafts/c.jpg", "trip/drafts/d.png"]),
        ("trip/drafts/", ["a.jpg", "drafts/b.jpg", "e.png"]),
        ("**/d*.png", ["a.jpg", "drafts/b.jpg", "e.png", "trip/drafts/c.jpg"]),
        ("[ae].*", ["drafts/b.jpg", "trip/drafts/c.jpg", "trip/drafts/d.png"]),
    ],
)
def test_patterns_have_the_rules_of_gitignore(tmp_path, pattern, left):
    write(tmp_path, "a.jpg", "drafts/b.jpg", "trip/drafts/c.jpg", "trip/drafts/d.png", "e.png")
    assert found(tmp_path, pattern) == left
    (tmp_path / ".snapseekignore").write_text(f"# a comment\n\n{pattern}\n")
    assert found(tmp_path) == left


def test_a_negated_pattern_includes_what_is_excluded_by_default(tmp_path):
    write(tmp_path, "#recycle/a.jpg", ".hidden/b.jpg", "@tmp/c.jpg", "x/#recycle/d/e.jpg")
    assert found(tmp_path, "!#recycle", "!.hidden") == [
        "#recycle/a.jpg",
        ".hidden/b.jpg",
        "x/#recycle/d/e.jpg",
    ]
    (tmp_path / ".snapseekignore").write_text("!@tmp\n")
    assert found(tmp_path) == ["@tmp/c.jpg"]


def test_a_deeper_ignore_file_counts_before_one_above_and_holds_below_itself(tmp_path):
    write(tmp_path, "a.png", "b/a.png", "b/c/a.png", "d/a.png")
    (tmp_path / ".snapseekignore").write_text("*.png\n")
    (tmp_path / "b" / ".snapseekignore").write_text("!a.png\n/c\n")
    assert found(tmp_path) == ["b/a.png"]


def test_patterns_of_the_source_count_before_ignore_files(tmp_path):
    write(tmp_path, "a.png", "a.jpg")
    (tmp_path / ".snapseekignore").write_text("*.png\n")
    assert found(tmp_path, "!*.png", "*.jpg") == ["a.png"]


def test_an_excluded_name_begins_with_a_number_sign(tmp_path):
    write(tmp_path, "#1/a.jpg", "b.jpg")
    assert found(tmp_path, "#1") == ["b.jpg"]


@pytest.mark.parametrize("pattern", ["", " ", "!", "/", "a\0b"])
def test_a_pattern_that_says_nothing_is_refused(pattern):
    with pytest.raises(InputError) as caught:
        checked_patterns([pattern])
    assert caught.value.got == repr(pattern)


def test_an_invalid_line_of_an_ignore_file_has_no_effect(tmp_path):
    write(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / ".snapseekignore").write_bytes(b"\xef\xbb\xbf!\r\n\xff\r\na.jpg\r\n")
    assert found(tmp_path) == ["b.jpg"]


def test_an_ignore_file_that_is_a_pipe_is_not_opened(tmp_path):
    write(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / ".snapseekignore")
    assert found(tmp_path) == ["a.jpg"]


def test_a_folder_whose_ignore_file_cannot_be_read_is_a_problem(tmp_path):
    write(tmp_path, "a/b.jpg", "c.jpg")
    (tmp_path / "a" / ".snapseekignore").write_bytes(b"x\n" * (1 << 20))
    problems = {p.within: p.problem for p in FolderSource(tmp_path).find()}
    assert problems.keys() == {"a", "c.jpg"}
    assert "cannot be read" in problems["a"]


@pytest.mark.parametrize(
    ("pattern", "moved"),
    [("*.png", "/sub/**/*.png"), ("/a", "/sub/a"), ("a/b", "/sub/a/b"), ("!x/", "!/sub/**/x/")],
)
def test_a_pattern_moves_into_the_folder_above(tmp_path, pattern, moved):
    assert moved_into(pattern, "sub") == moved
    write(tmp_path, "a/b.png", "sub/a/b.png", "sub/x/y.png", "sub/a/c.jpg")
    inside = [name for name in found(tmp_path, moved) if name.startswith("sub/")]
    assert inside == [f"sub/{name}" for name in found(tmp_path / "sub", pattern)]


def test_the_watcher_ignores_what_is_excluded_by_default():
    assert [name for name in (".git", "@eaDir", "holiday") if is_skipped(name)] == [".git", "@eaDir"]


def test_a_folder_below_an_excluded_one_is_excluded():
    assert Exclusions().excludes_below("a/#recycle/b")
    assert not Exclusions().excludes_below("a/b")


def names_in(source):
    return sorted(picture.name for picture in source.find())


def test_patterns_apply_to_the_members_of_archives(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in ("drafts/1.jpg", "2.jpg", "3.gif"):
            add(archive, name, picture("red"))
    assert names_in(open_source(tmp_path / "a.tar", exclude=["drafts/", "*.gif"])) == ["2.jpg"]
    assert names_in(open_source(tmp_path, exclude=["*.jpg", "!2.jpg"])) == ["2.jpg", "3.gif"]
    assert names_in(reopen("tar", tmp_path / "a.tar", exclude=["/2.jpg"])) == ["1.jpg", "3.gif"]


def test_patterns_apply_to_host_and_path_of_urls(tmp_path):
    urls = ["https://a.example/x/1.jpg?w=2", "https://a.example/y/2.gif", "https://b.example/3.jpg"]
    (tmp_path / "list.txt").write_text("\n".join(urls))
    assert names_in(open_source(tmp_path / "list.txt", exclude=["b.example", "*.gif"])) == ["1.jpg"]


def test_patterns_of_an_archive_are_remembered(tmp_path, encoder):
    (tmp_path / "in").mkdir()
    write_webdataset(tmp_path / "in" / "a.tar")
    archive, library = tmp_path / "in" / "a.tar", tmp_path / "library"
    opened = Library.build(archive, library, encoder=encoder, exclude=["*1.jpg"])
    assert len(opened) == 3
    assert opened.sync().removed == 0
    assert opened.add(archive, exclude=["*2.jpg"]).removed == 1
    assert len(opened) == 2
