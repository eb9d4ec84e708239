"""snapseek.library.indexing.file_tracker: what a folder is, compared with what is known of it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapseek.library.indexing import file_tracker as module
from snapseek.library.indexing.file_tracker import FileTracker
from snapseek.library.storage.database import Database
from snapseek.library.storage.file_table import FileRow
from snapseek.library.storage.schema import FOLDER
from snapseek.sources import Picture
from tests.support.databases import add_file, clear_files

ROOT = Path("/nowhere")
NAMES = ["a", "b", "c/a", "c/b", "c", "d"]
FILES = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.integers(1, 2), st.integers(1, 2), st.sampled_from([b"x", b"y"]))
)
"""Path: size, time, content."""


def known(files):
    """Rows of the tracker, ids from 1 in order of path."""
    return [
        FileRow(ROOT, name, size, time, item, None, content)
        for item, (name, (size, time, content)) in enumerate(sorted(files.items()), start=1)
    ]


def compared(library_path, before, now, monkeypatch):
    """Moved, touched, gone and todo, by path; and how many are unchanged."""
    contents = {ROOT / name: content for name, (_, _, content) in now.items()}
    monkeypatch.setattr(module, "content_hash", contents.get)
    with Database.open_for_writing(library_path) as database:
        with database.transaction():
            clear_files(database)
            source = database.sources.get_or_create(FOLDER, ROOT)
            for row in known(before):
                add_file(database, row)
        tracker = FileTracker(database)
        pictures = [Picture(ROOT, name, size, time) for name, (size, time, _) in sorted(now.items())]
        assert tracker.scan(source, pictures) == len(now)
        moved, touched = tracker.compare(threads=1)
        gone = [within.decode() for _, within, _ in tracker.gone()]
        pending, unchanged = tracker.plan()
        found = {file.picture.within: file.item for file in tracker.pending()}
        assert len(found) == pending
        moves = {file.picture.within: (file.old[1].decode(), file.item) for file in moved}
        return moves, {file.picture.within for file in touched}, gone, found, unchanged


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(FILES, FILES)
def test_every_file_has_one_fate(tmp_path_factory, before, now):
    with pytest.MonkeyPatch.context() as patch:
        library_path = tmp_path_factory.getbasetemp() / "tracker"
        moved, touched, gone, todo, unchanged = compared(library_path, before, now, patch)
    ids = {row.within: row.item for row in known(before)}
    assert set(moved) | touched | set(todo) | {n for n in now if before.get(n, ())[:2] == now[n][:2]} == set(
        now
    )
    assert len(moved) + len(touched) + len(todo) + unchanged == len(now)
    for name, (old, item) in moved.items():
        assert name not in before
        assert old not in now
        assert (before[old][0], before[old][2], ids[old]) == (now[name][0], now[name][2], item)
    assert len({old for old, _ in moved.values()}) == len(moved)
    assert set(gone) == set(before) - set(now) - {old for old, _ in moved.values()}
    for name in touched:
        assert (before[name][0], before[name][2]) == (now[name][0], now[name][2])
        assert before[name][1] != now[name][1]
    assert todo == {name: ids.get(name) for name in todo}
    left = {(before[name][0], before[name][2]) for name in gone}
    assert not [name for name in todo if name not in before and (now[name][0], now[name][2]) in left]


def test_files_of_an_unreadable_folder_are_not_gone(tmp_path):
    with Database.open_for_writing(tmp_path) as database:
        with database.transaction():
            source = database.sources.get_or_create(FOLDER, ROOT)
            for row in known(dict.fromkeys(["a", "c/a", "c/b/a", "ca"], (1, 1, b"x"))):
                add_file(database, row)
        tracker = FileTracker(database)
        tracker.scan(source, [Picture(ROOT, "c", problem="the folder cannot be read")])
        tracker.compare(threads=1)
        assert [within for _, within, _ in tracker.gone()] == [b"a", b"ca"]


def test_a_partial_scan_finds_nothing_gone(tmp_path):
    with Database.open_for_writing(tmp_path) as database:
        with database.transaction():
            source = database.sources.get_or_create(FOLDER, ROOT)
            for row in known({"a": (1, 1, b"x"), "b": (1, 1, b"y")}):
                add_file(database, row)
        tracker = FileTracker(database)
        tracker.scan(source, [Picture(ROOT, "a", 1, 1)], is_whole=False)
        tracker.compare(threads=1)
        assert tracker.gone() == []
        assert tracker.plan() == (0, 1)
