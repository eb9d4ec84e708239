"""snapseek.library.storage.trust; tests/robustness/test_stranger_library.py tries the tricks."""

from pathlib import Path

import pytest

from snapseek.library.storage.confirmations import Confirmed
from snapseek.library.storage.source_table import Source
from snapseek.library.storage.trust import Guarded, Trust
from snapseek.sources import Picture, PlainFiles


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / "library").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    return tmp_path / "home"


def trust_of(home: Path, *roots: Path, urls: bool = False) -> Trust:
    return Trust(home / "library", None, Confirmed(roots, urls))


def test_the_folder_that_contains_the_library_is_permitted_and_not_named(home):
    trust = trust_of(home)
    assert trust.permits(home)
    assert trust.permits(home / "deep" / "a.jpg")
    assert not trust.names(home)
    assert not trust.permits(home.parent)
    assert not trust.permits(home / ".." / "other" / "a.jpg")


def test_an_allowed_root_is_permitted_and_named_with_its_hidden_files(home):
    trust = trust_of(home, home.parent / "other")
    assert trust.names(home.parent / "other" / ".hidden" / "a.jpg")
    assert not trust.permits(home.parent / "otherwise")


def test_the_library_counts_where_it_really_is(home):
    link = home.parent / "other" / "link"
    link.symlink_to(home / "library")
    trust = Trust(link, None)
    assert trust.permits(home / "a.jpg")
    assert not trust.permits(home.parent / "other" / "a.jpg")


@pytest.mark.parametrize(
    ("kind", "name", "urls", "expected"),
    [
        ("folder", "a", False, True),
        ("urls", "list.txt", False, False),
        ("urls", "list.txt", True, True),
        ("urls", "../other/list.txt", True, False),
        ("import", "../other", False, False),
        ("import", "../other", True, True),
        ("tar", "a.tar", False, True),
        ("files", "../other", False, False),
        ("unknown", "../other", False, False),
    ],
)
def test_which_sources_are_followed(home, kind, name, urls, expected):
    assert trust_of(home, urls=urls).permits_source(Source(1, kind, home / name)) is expected


def test_single_files_are_confirmed_one_by_one(home):
    other = home.parent / "other"
    trust = trust_of(home, other / "a.jpg")
    assert trust.permits_source(Source(1, "files", other))
    assert trust.permits(other / "a.jpg")
    assert not trust.permits(other / "b.jpg")


def test_a_known_picture_behind_a_link_stays_as_it_is(home):
    for name in ("known.jpg", "new.jpg"):
        (home.parent / "other" / name).write_bytes(b"x")
        (home / name).symlink_to(home.parent / "other" / name)
    (home / "own.jpg").write_bytes(b"x")
    pictures = [Picture(home, name, 1, 2) for name in ("known.jpg", "new.jpg", "own.jpg")]
    source = PlainFiles("folder", home, lambda: pictures)
    found = list(Guarded(source, trust_of(home), {"known.jpg": (7, 8)}.get).find())
    assert [(p.within, p.size_bytes, p.modified_ns) for p in found] == [
        ("known.jpg", 7, 8),
        ("new.jpg", 0, 0),
        ("own.jpg", 1, 2),
    ]
    assert [p.problem is None for p in found] == [False, False, True]
