"""Folders that move, disappear and come back: nothing is embedded again, every id stays."""

import errno
import json
import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from snapseek.cli import main
from snapseek.library import Library
from snapseek.library.storage import folder_table
from snapseek.models import Encoder
from snapseek.server import create_app
from tests.conftest import PICTURES, write_pictures
from tests.support.tiny_model import write_tiny_model


def paint(path: Path, color=(1, 2, 3)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 20), color).save(path)


def ids(library: Library) -> dict[str, int]:
    return {hit.meta["name"]: hit.id for hit in library.browse(99)}


def originals(library: Library) -> set[bool]:
    """Whether the server sends each original."""
    client = TestClient(create_app(library), base_url="http://127.0.0.1")
    return {client.get(f"/api/image/{hit.id}").status_code == 200 for hit in library.browse(99)}


def as_earlier_version(directory: Path) -> None:
    """Make a library one that did not record where it was, and had no tables for folders."""
    with closing(sqlite3.connect(directory / "library.db")) as connection:
        connection.execute("DELETE FROM settings WHERE name = 'directory'")
        for table in ("exclusions", "skipped", "former_items"):
            connection.execute(f"DROP TABLE {table}")
        connection.commit()


@pytest.fixture
def inside(tmp_path, encoder) -> Path:
    """A folder with its library inside."""
    root = write_pictures(tmp_path / "disk1" / "photos")
    Library.build(root, root / ".snapseek", encoder=encoder)
    return root


@pytest.mark.parametrize("is_early", [False, True])
def test_a_folder_that_moves_with_its_library_keeps_everything(inside, tmp_path, encoder, embedded, is_early):
    if is_early:
        as_earlier_version(inside / ".snapseek")
    before = ids(Library.open(inside / ".snapseek"))
    moved = tmp_path / "another disk" / "pictures"
    moved.parent.mkdir()
    inside.rename(moved)
    library = Library.open(moved / ".snapseek", encoder=encoder)
    assert ids(library) == before
    assert library.info().folders == (moved,)
    assert all(library.original_path(hit.id).is_file() for hit in library.browse(99))
    assert originals(library) == {True}
    assert library.export(tmp_path / "out.json") == len(PICTURES)
    assert all(
        row["uri"].startswith(moved.as_uri()) for row in json.loads((tmp_path / "out.json").read_text())
    )
    report = library.sync()
    assert (report.unchanged, report.added, report.removed, report.missing) == (len(PICTURES), 0, 0, ())
    again = Library.build(moved, moved / ".snapseek", encoder=encoder)
    assert ids(again) == before
    assert embedded == []


def test_pictures_added_after_a_move_are_found_after_the_next(inside, tmp_path, encoder):
    for number in (2, 3, 4):
        moved = tmp_path / f"disk{number}" / "photos"
        moved.parent.mkdir()
        inside.rename(moved)
        inside = moved
        paint(moved / "new" / f"{number}.png", (number * 20, 0, 0))
        library = Library.build(moved, moved / ".snapseek", encoder=encoder)
        assert len(library) == len(PICTURES) + number - 1
        assert {library.original_path(hit.id).is_file() for hit in library.browse(99)} == {True}
        assert originals(library) == {True}
    assert sorted(ids(library).values()) == list(range(1, len(PICTURES) + 4))


def test_a_moved_folder_whose_files_have_new_times_is_not_embedded(inside, tmp_path, encoder, embedded):
    before = ids(Library.open(inside / ".snapseek"))
    moved = tmp_path / "copy"
    shutil.copytree(inside, moved, copy_function=shutil.copyfile)
    shutil.rmtree(inside)
    library = Library.open(moved / ".snapseek", encoder=encoder)
    assert library.sync().unchanged == len(PICTURES)
    assert ids(library) == before
    assert embedded == []


def test_changes_after_a_move_are_synced(inside, tmp_path, encoder):
    moved = tmp_path / "b"
    inside.rename(moved)
    (moved / "red.jpg").unlink()
    (moved / "green.png").rename(moved / "other.png")
    paint(moved / "white.bmp")
    library = Library.open(moved / ".snapseek", encoder=encoder)
    report = library.sync()
    assert (report.removed, report.moved, report.updated) == (1, 1, 1)
    assert {library.original_path(hit.id).is_file() for hit in library.browse(99)} == {True}
    assert library.remove(moved / "deep") == 2


def test_further_folders_below_move_too_and_folders_elsewhere_stay(tmp_path, encoder, embedded):
    root = write_pictures(tmp_path / "disk1" / "photos")
    other = tmp_path / "other"
    paint(other / "x.png")
    library = Library.build(root, root / "db" / "lib", encoder=encoder)
    library.add(other)
    before = ids(library)
    (tmp_path / "disk1").rename(tmp_path / "disk2")
    embedded.clear()
    moved = tmp_path / "disk2" / "photos"  # further out than the folder that contains the library
    library = Library.open(moved / "db" / "lib", encoder=encoder, allow_roots=[moved])
    assert library.info().folders == (tmp_path / "disk2" / "photos", other)
    assert library.sync().unchanged == len(PICTURES) + 1
    assert (ids(library), embedded) == (before, [])
    assert {library.original_path(hit.id).is_file() for hit in library.browse(99)} == {True}


def test_a_library_that_leaves_its_folder_still_names_that_folder(inside, tmp_path, encoder):
    (tmp_path / "libraries").mkdir()
    alone = tmp_path / "libraries" / ".snapseek"
    shutil.move(inside / ".snapseek", alone)
    paint(tmp_path / "libraries" / "stranger.png")
    library = Library.open(alone, encoder=encoder)
    assert library.info().folders == (inside,)
    assert library.sync().unchanged == len(PICTURES)


def test_a_copy_names_its_own_pictures(inside, tmp_path, encoder):
    shutil.copytree(inside, tmp_path / "copy")
    library = Library.open(tmp_path / "copy" / ".snapseek", encoder=encoder)
    assert library.info().folders == (tmp_path / "copy",)
    (tmp_path / "copy" / "red.jpg").unlink()
    assert library.sync().removed == 1
    assert len(Library.open(inside / ".snapseek")) == len(PICTURES)


def test_an_archive_inside_a_moved_folder_is_read(tmp_path, encoder):
    import tarfile

    root = tmp_path / "disk1" / "photos"
    paint(root / "a.png", (200, 0, 0))
    paint(tmp_path / "b.png", (0, 200, 0))
    with tarfile.open(root / "t.tar", "w") as archive:
        archive.add(tmp_path / "b.png", "b.png")
    library = Library.build([root, root / "t.tar"], root / ".snapseek", encoder=encoder)
    assert len(library) == 2
    (tmp_path / "disk1").rename(tmp_path / "disk2")
    library = Library.open(tmp_path / "disk2" / "photos" / ".snapseek", encoder=encoder)
    assert originals(library) == {True}
    assert library.sync().unchanged == 2


def test_a_folder_that_moved_away_from_its_library_is_recognized(folder, tmp_path, encoder, embedded):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    before = ids(library)
    embedded.clear()
    moved = tmp_path / "new" / "home"
    moved.parent.mkdir()
    folder.rename(moved)
    paint(moved / "another.png")
    report = library.add(moved)
    assert (report.moved, report.added) == (len(PICTURES), 1)
    assert embedded == ["another.png"]
    assert library.info().folders == (moved,)
    assert before.items() <= ids(library).items()


def test_copies_of_some_pictures_of_an_unmounted_folder_are_new_pictures(folder, tmp_path, encoder):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    before = ids(library)
    (tmp_path / "copies").mkdir()
    shutil.copy(folder / "red.jpg", tmp_path / "copies" / "r.jpg")
    folder.rename(tmp_path / "away")
    assert library.add(tmp_path / "copies").added == 1
    (tmp_path / "away").rename(folder)
    assert library.sync().unchanged == len(PICTURES) + 1
    assert before.items() <= ids(library).items()


# --- mount points


@pytest.mark.parametrize("left_there", [(), (".DS_Store",), (".hidden/x.jpg", ".nomount")])
def test_a_mount_point_that_is_emptied_and_filled_again(folder, tmp_path, encoder, embedded, left_there):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    before = ids(library)
    embedded.clear()
    (folder / "deep").rename(tmp_path / "away")
    (folder / "deep").mkdir()
    for name in left_there:
        paint_bytes(folder / "deep" / name)
    for _ in range(2):
        report = library.sync()
        assert (report.removed, report.missing) == (0, (folder / "deep",))
    assert ids(library) == before
    shutil.rmtree(folder / "deep")
    (tmp_path / "away").rename(folder / "deep")
    report = library.sync()
    assert (report.unchanged, report.added, report.missing) == (len(PICTURES), 0, ())
    assert (ids(library), originals(library), embedded) == (before, {True}, [])


def paint_bytes(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


@pytest.mark.parametrize("accepted", ["deep", ".", "deep/er"])
def test_an_empty_folder_is_removed_when_that_is_confirmed(folder, tmp_path, encoder, accepted):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    (folder / "deep" / "er" / "yellow.gif").unlink()
    assert library.sync().missing == (folder / "deep" / "er",)
    report = library.sync(accept_missing=folder / accepted)
    assert (report.removed, report.missing) == (1, ())
    assert library.sync().missing == ()


def test_a_missing_source_is_removed_when_that_is_confirmed(folder, tmp_path, encoder, capsys):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    folder.rename(tmp_path / "away")
    assert library.sync().missing == (folder,)
    assert main(["sync", "--library", str(tmp_path / "l")]) == 0
    assert f"snapseek sync --accept-missing {folder}" in capsys.readouterr().err
    assert main(["sync", "--library", str(tmp_path / "l"), "--accept-missing", str(folder)]) == 0
    assert len(library) == 0 or library.refresh() or len(library) == 0


def test_a_stranger_cannot_be_confirmed(folder, tmp_path, encoder, capsys):
    Library.build(folder, tmp_path / "l", encoder=encoder)
    assert main(["sync", "--library", str(tmp_path / "l"), "--accept-missing", str(tmp_path)]) == 1
    assert "expected a folder of this library" in capsys.readouterr().err


def test_pictures_moved_out_of_a_folder_that_is_empty_now_have_moved(folder, tmp_path, encoder, embedded):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    before = ids(library)
    embedded.clear()
    (folder / "deep" / "er" / "yellow.gif").rename(folder / "yellow.gif")
    report = library.sync()
    assert (report.moved, report.removed, report.missing) == (1, 0, ())
    assert (ids(library), embedded) == (before, [])


def test_a_folder_that_cannot_be_read_is_reported_until_that_is_confirmed(
    folder, tmp_path, encoder, monkeypatch
):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "deep":
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    for _ in range(2):
        report = library.sync()
        assert (report.removed, report.missing) == (0, (folder / "deep",))
    assert library.sync(accept_missing=folder / "deep").removed == 2
    monkeypatch.undo()
    assert library.sync().added == 2


def test_another_model_embeds_previews_of_a_folder_that_is_unmounted(folder, tmp_path, encoder):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    before = ids(library)
    other = Encoder.load(write_tiny_model(tmp_path / "other model", mean=(0.4,) * 3))
    (folder / "deep").rename(tmp_path / "away")
    (folder / "deep").mkdir()
    assert ids(Library.build(folder, tmp_path / "l", encoder=other)) == before
    (folder / "deep").rmdir()
    (tmp_path / "away").rename(folder / "deep")
    library = Library.open(tmp_path / "l", encoder=other)
    assert library.sync().updated == 2  # from their originals
    assert ids(library) == before


def test_single_files_of_an_unmounted_folder_are_kept(tmp_path, encoder):
    paint(tmp_path / "a" / "x.png")
    paint(tmp_path / "b" / "y.png", (200, 0, 0))
    library = Library.build(tmp_path / "a", tmp_path / "l", encoder=encoder)
    library.add(tmp_path / "b" / "y.png")
    (tmp_path / "b").rename(tmp_path / "away")
    (tmp_path / "b").mkdir()
    report = library.sync()
    assert (report.removed, report.missing) == (0, (tmp_path / "b",))
    paint(tmp_path / "b" / "other.png")
    assert library.sync().removed == 1


# --- deleted folders


def test_a_deleted_folder_is_removed_and_its_pictures_come_back_with_their_ids(folder, tmp_path, encoder):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    before = ids(library)
    shutil.move(folder / "deep", tmp_path / "away")
    assert library.sync().removed == 2
    paint(folder / "new.png")
    library.sync()
    assert ids(library)["new.png"] == len(PICTURES) + 1
    shutil.move(tmp_path / "away", folder / "elsewhere")
    assert library.sync().added == 2
    assert before.items() <= ids(library).items()
    assert library.sync().unchanged == len(PICTURES) + 1
    assert library.verify() == []


def test_two_copies_that_come_back_do_not_share_an_id(folder, tmp_path, encoder):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    former = ids(library)["red.jpg"]
    data = (folder / "red.jpg").read_bytes()
    (folder / "red.jpg").unlink()
    library.sync()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(data)
    library.sync()
    found = ids(library)
    assert sorted((found["a.jpg"], found["b.jpg"])) == [former, len(PICTURES) + 1]
    assert library.verify() == []


def test_an_id_is_forgotten_after_thirty_days(folder, tmp_path, encoder, monkeypatch):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    data = (folder / "red.jpg").read_bytes()
    (folder / "red.jpg").unlink()
    library.sync()
    later = time.time() + 31 * 86_400
    monkeypatch.setattr(folder_table.time, "time", lambda: later)
    (folder / "red.jpg").write_bytes(data)
    library.sync()
    assert ids(library)["red.jpg"] == len(PICTURES) + 1
