"""snapseek.library.indexing.sync: folders that change, synced with as little work as possible."""

import os
import shutil
from contextlib import suppress

import pytest
from PIL import Image

from snapseek.errors import InputError, ItemNotFoundError, SnapseekError
from snapseek.library import Library
from snapseek.library.indexing import batch_writer, sync
from snapseek.models import Encoder
from snapseek.sources import FolderSource
from tests.conftest import PICTURES, write_pictures
from tests.support.tiny_model import write_tiny_model


@pytest.fixture
def opened(folder, tmp_path, encoder) -> Library:
    return Library.build(folder, tmp_path / "l", encoder=encoder)


def paint(path, color="red", size=(20, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


def ids(library):
    return {library.original_path(hit.id).name: hit.id for hit in library.browse(99)}


def counts(report):
    return (report.added, report.updated, report.moved, report.removed, report.unchanged, report.failed)


def test_a_sync_without_changes_embeds_nothing(opened, embedded):
    version = opened.version
    assert counts(opened.sync()) == (0, 0, 0, 0, len(PICTURES), 0)
    assert embedded == []
    assert opened.version == version


def test_files_without_a_picture_are_counted_apart(opened, folder):
    """Unreadable as before and removed before: as they were, touched, moved, and read again."""

    def left_out(**options):
        report = opened.sync(**options)
        return (report.unchanged - report.failed_before, report.failed_before, report.failed)

    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_text(f"no picture {name}")
    assert left_out() == (len(PICTURES), 0, 2)
    assert left_out() == (len(PICTURES), 2, 0)
    os.utime(folder / "a.jpg", (1, 1))
    (folder / "b.jpg").rename(folder / "deep" / "c.jpg")
    assert left_out() == (len(PICTURES), 2, 0)
    assert left_out(retry_failed=True) == (len(PICTURES), 0, 2)
    opened.remove(folder / "red.jpg")
    report = opened.sync()
    assert (report.unchanged, report.failed_before, report.removed_before) == (len(PICTURES) + 2, 2, 1)


def test_only_what_is_new_is_embedded(opened, folder, embedded):
    before = ids(opened)
    paint(folder / "more.png", "cyan")
    assert counts(opened.sync()) == (1, 0, 0, 0, len(PICTURES), 0)
    assert embedded == ["more.png"]
    assert ids(opened) == before | {"more.png": len(PICTURES) + 1}
    assert opened.search("cyan", 1)[0].meta["name"] == "more.png"


def test_a_changed_file_keeps_its_id(opened, folder, embedded):
    before = ids(opened)
    paint(folder / "red.jpg", "cyan")
    assert counts(opened.sync()) == (0, 1, 0, 0, len(PICTURES) - 1, 0)
    assert embedded == ["red.jpg"]
    assert ids(opened) == before
    assert opened.search("cyan", 1)[0].id == before["red.jpg"]
    assert len(opened) == len(opened.browse(99)) == len(PICTURES)


def test_a_gone_file_is_not_found(opened, folder, embedded):
    before = ids(opened)
    (folder / "red.jpg").unlink()
    assert counts(opened.sync()) == (0, 0, 0, 1, len(PICTURES) - 1, 0)
    assert embedded == []
    assert set(ids(opened)) == set(before) - {"red.jpg"}
    with pytest.raises(ItemNotFoundError):
        opened[before["red.jpg"]]
    paint(folder / "red2.png")
    opened.sync()
    assert ids(opened)["red2.png"] > max(before.values())


def test_a_moved_file_keeps_id_and_vector(opened, folder, embedded):
    before = ids(opened)
    vector = opened.vector(before["red.jpg"])
    (folder / "new").mkdir()
    (folder / "red.jpg").rename(folder / "new" / "rouge.jpg")
    assert counts(opened.sync()) == (0, 0, 1, 0, len(PICTURES) - 1, 0)
    assert embedded == []
    hit = opened[before["red.jpg"]]
    assert (hit.meta["folder"], hit.meta["name"]) == ("new", "rouge.jpg")
    assert opened.original_path(hit.id) == folder / "new" / "rouge.jpg"
    assert opened.vector(hit.id) == pytest.approx(vector, abs=1e-3)
    assert len(opened.search("red", 99)) == len(PICTURES)


def test_moves_between_folders_of_a_library(folder, tmp_path, encoder, embedded):
    paint(tmp_path / "other" / "cyan.png", "cyan")
    opened = Library.build([folder, tmp_path / "other"], tmp_path / "l", encoder=encoder)
    before = ids(opened)
    embedded.clear()
    (folder / "red.jpg").rename(tmp_path / "other" / "red.jpg")
    assert opened.sync().moved == 1
    assert (embedded, ids(opened)) == ([], before)
    assert opened.original_path(before["red.jpg"]).parent == tmp_path / "other"


def test_a_copy_of_a_file_that_stays_is_new(opened, folder, embedded):
    shutil.copy(folder / "red.jpg", folder / "copy.jpg")
    assert opened.sync().added == 1
    assert embedded == ["copy.jpg"]


def test_a_new_modification_time_alone_embeds_nothing(opened, folder, embedded):
    before = ids(opened)
    os.utime(folder / "red.jpg", ns=(10**18, 10**18))
    assert counts(opened.sync()) == (0, 0, 0, 0, len(PICTURES), 0)
    assert embedded == []
    assert ids(opened) == before
    assert opened[before["red.jpg"]].meta["modified"].startswith("2001-09-09")
    version = opened.version
    opened.sync()
    assert opened.version == version


def test_new_content_of_the_same_size_is_embedded(opened, folder, embedded):
    paint(folder / "white.bmp", "cyan", (60, 40))
    assert opened.sync().updated == 1
    assert opened.search("cyan", 1)[0].meta["name"] == "white.bmp"


def test_a_file_that_failed_is_not_tried_again_until_it_changes(opened, folder, embedded):
    (folder / "bad.jpg").write_bytes(b"no picture")
    assert opened.sync().failed == 1
    assert opened.sync().failed == 0
    assert embedded == ["bad.jpg"]
    assert [failure.path.name for failure in opened.failures()] == ["bad.jpg"]
    assert opened.sync(retry_failed=True).failed == 1
    paint(folder / "bad.jpg")
    assert opened.sync().added == 1
    assert opened.failures() == []


def test_a_picture_that_becomes_unreadable_is_removed(opened, folder):
    (folder / "red.jpg").write_bytes(b"no picture")
    report = opened.sync()
    assert counts(report) == (0, 0, 0, 0, len(PICTURES) - 1, 1)
    assert "red.jpg" not in ids(opened)


def test_an_absent_folder_removes_nothing(opened, folder):
    folder.rename(folder.with_name("away"))
    report = opened.sync()
    assert report.missing == (folder,)
    assert len(opened) == len(PICTURES)
    folder.mkdir()  # as where a disk is not mounted
    assert opened.sync().missing == (folder,)
    with pytest.raises(InputError) as caught:
        opened.sync(folder)
    assert caught.value.got == "none"
    assert len(opened) == len(PICTURES)


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may look anywhere")
def test_an_unreadable_folder_removes_nothing(opened, folder):
    (folder / "deep").chmod(0)
    try:
        assert opened.sync().removed == 0
    finally:
        (folder / "deep").chmod(0o755)
    assert len(opened) == len(PICTURES)


def test_pictures_of_an_unreadable_folder_stay(opened, folder, monkeypatch):
    find = FolderSource.find

    def hiding(source):
        for picture in find(source):
            if not picture.within.startswith("deep/"):
                yield picture
        yield sync.Picture(source.path, "deep", problem="the folder cannot be read: denied")

    monkeypatch.setattr(FolderSource, "find", hiding)
    assert opened.sync().removed == 0
    assert len(opened) == len(PICTURES)


def test_an_index_of_another_folder_leaves_the_first(opened, tmp_path, encoder):
    other = write_pictures(tmp_path / "other")
    both = Library.build(other, tmp_path / "l", encoder=encoder)
    assert len(both) == 2 * len(PICTURES)
    assert both.report.added == len(PICTURES)
    assert list(both.info().folders) == [tmp_path / "other", tmp_path / "pictures"]


def test_single_files(opened, tmp_path, folder, embedded):
    paint(tmp_path / "else" / "cyan.png", "cyan")
    paint(tmp_path / "else" / "never.png", "cyan")
    paint(folder / "inside.png", "cyan")
    report = opened.add([tmp_path / "else" / "cyan.png", folder / "inside.png"])
    assert report.added == 2
    assert opened.add(tmp_path / "else" / "cyan.png").unchanged == 1
    paint(tmp_path / "else" / "cyan.png", "blue")
    assert counts(opened.sync()) == (0, 1, 0, 0, len(PICTURES) + 1, 0)
    (tmp_path / "else" / "cyan.png").unlink()
    assert opened.sync().removed == 1
    assert "never.png" not in embedded
    with pytest.raises(InputError) as caught:
        opened.add(tmp_path / "else" / "cyan.png")
    assert caught.value.got.startswith("nothing at")


def test_an_interrupted_index_resumes(folder, tmp_path, encoder, monkeypatch, embedded):
    monkeypatch.setattr(batch_writer, "BATCH_ROWS", 2)
    whole = ids(Library.build(folder, tmp_path / "whole", encoder=encoder))
    embedded.clear()

    def stop(progress):
        if progress.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Library.build(folder, tmp_path / "l", encoder=encoder, progress=stop)
    assert len(Library.open(tmp_path / "l", encoder=encoder)) == 4
    seen = []
    library = Library.build(folder, tmp_path / "l", encoder=encoder, progress=seen.append)
    assert counts(library.report) == (len(PICTURES) - 4, 0, 0, 0, 4, 0)
    assert [(p.done, p.total, p.skipped) for p in seen] == [(1, 2, 4), (2, 2, 4)]
    assert ids(library) == whole


def test_the_first_commit_has_the_tiles_of_a_screen(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(batch_writer, "FIRST_BATCH_S", 1e9)
    monkeypatch.setattr(batch_writer, "BATCH_ROWS", 10 * batch_writer.FIRST_ROWS)
    for number in range(2 * batch_writer.FIRST_ROWS):
        paint(tmp_path / "many" / f"{number:03}b.png", size=(20 + number, 20))
        (tmp_path / "many" / f"{number:03}a.png").write_bytes(b"damaged")
    sizes = []

    def look(progress):
        with suppress(SnapseekError):
            sizes.append(len(Library.open(tmp_path / "l", encoder=encoder)))

    Library.build(tmp_path / "many", tmp_path / "l", encoder=encoder, progress=look)
    assert set(sizes) - {0} <= {batch_writer.FIRST_ROWS, 2 * batch_writer.FIRST_ROWS}
    assert batch_writer.FIRST_ROWS in sizes, "unreadable files do not count"


def test_another_model_embeds_everything_again(opened, folder, tmp_path, encoder):
    before = ids(opened)
    other = write_tiny_model(tmp_path / "other", mean=(0.4,) * 3)
    new = Library.build(folder, tmp_path / "l", encoder=Encoder.load(other))
    assert new.report.updated == len(PICTURES)
    assert ids(new) == before
    assert new.info().fingerprint != encoder.fingerprint
    paint(tmp_path / "more" / "red.png")
    more = Library.build(tmp_path / "more", tmp_path / "l", encoder=encoder)
    assert (more.report.added, len(more)) == (1, len(PICTURES) + 1)
    assert more.info().fingerprint == encoder.fingerprint
    assert {hit.id for hit in more.browse(99)} > set(before.values())


def test_a_library_with_an_ivf_index_is_synced(folder, tmp_path, encoder, embedded, monkeypatch):
    monkeypatch.setattr("snapseek.vectors.index.FLAT_ROWS", 5)
    opened = Library.build(folder, tmp_path / "l", encoder=encoder)
    assert [part.is_flat for part in opened.snapshot()._shards.parts] == [False]
    before = ids(opened)
    vector = opened.vector(before["red.jpg"])
    (folder / "red.jpg").rename(folder / "rouge.jpg")
    (folder / "deep" / "blue.webp").unlink()
    paint(folder / "green.png", "cyan")
    embedded.clear()
    assert counts(opened.sync()) == (0, 1, 1, 1, len(PICTURES) - 3, 0)
    assert embedded == ["green.png"]
    item = before["red.jpg"]
    assert ids(opened) == {
        name.replace("red.jpg", "rouge.jpg"): item for name, item in before.items() if name != "blue.webp"
    }
    assert opened.vector(item) == pytest.approx(vector, abs=0.02)
    assert opened.search("cyan", 1)[0].id == before["green.png"]
    like = opened.search(item, 9)
    assert like.total == len(like) == len(PICTURES) - 2
    assert opened.verify() == []
