"""snapseek.library.indexing.source_selection: a picture that is reached by several ways is one picture."""

import os
import shutil

import pytest
from PIL import Image

from snapseek.errors import InputError, MissingArgumentError
from snapseek.library import Library
from snapseek.library.indexing import sync
from tests.conftest import PICTURES


def paint(path, color=(1, 2, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 20), color).save(path)


def ids(library):
    return {hit.meta["name"]: hit.id for hit in library.browse(99)}


def test_a_folder_inside_an_indexed_one_adds_nothing(folder, tmp_path, encoder, embedded):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    before = ids(library)
    embedded.clear()
    paint(folder / "deep" / "new.png")
    again = Library.build(folder / "deep", tmp_path / "l", encoder=encoder)
    assert embedded == ["deep/new.png"]
    assert again.info().folders == (folder,)
    assert before.items() <= ids(again).items()
    assert "is inside" in again.report.notes[0]


def test_the_folder_above_an_indexed_one_takes_its_pictures(folder, tmp_path, encoder, embedded):
    library = Library.build(folder / "deep", tmp_path / "l", encoder=encoder)
    library.add(folder / "red.jpg")
    before = ids(library)
    embedded.clear()
    report = library.add(folder)
    assert (report.moved, report.added, report.duplicates) == (3, 3, 3)
    assert library.info().folders == (folder,)
    assert before.items() <= ids(library).items()
    assert len(library) == len(PICTURES)
    assert set(embedded).isdisjoint({"red.jpg", "deep/blue.webp", "deep/er/yellow.gif"})
    assert {hit.meta["folder"] for hit in library.browse(99)} == {"", "deep", "deep/er"}
    assert library.sync().unchanged == len(PICTURES)


def test_a_link_to_an_indexed_folder_adds_nothing(folder, tmp_path, encoder, embedded):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    embedded.clear()
    for name, target in [("link", folder), ("deep link", folder / "deep")]:
        (tmp_path / name).symlink_to(target)
        assert library.add(tmp_path / name).added == 0
    assert embedded == []
    assert library.info().folders == (folder,)


def test_a_folder_that_was_indexed_by_a_link_is_known_by_its_name(folder, tmp_path, encoder):
    (tmp_path / "link").symlink_to(folder)
    library = Library.build(tmp_path / "link", tmp_path / "l", encoder=encoder)
    report = library.add(folder)
    assert (report.added, report.unchanged, len(library)) == (0, len(PICTURES), len(PICTURES))
    assert f"{folder} is {tmp_path / 'link'}" in report.notes[0]


@pytest.mark.parametrize("spelling", ["{0}/", "{0}/deep/..", "{0}//deep/../."])
def test_other_spellings_are_the_same_folder(folder, tmp_path, encoder, spelling):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    assert library.add(spelling.format(folder)).unchanged == len(PICTURES)
    assert library.info().folders == (folder,)


def test_a_folder_and_one_inside_it_in_one_command(folder, tmp_path, encoder):
    for order in ([folder, folder / "deep"], [folder / "deep", folder]):
        library = Library.build(order, tmp_path / f"l{len(str(order[0]))}", encoder=encoder)
        assert len(library) == len(PICTURES)
        assert library.info().folders == (folder,)


def test_sources_that_overlap_already_are_merged_by_a_sync(folder, tmp_path, encoder):
    library = Library.build(folder / "deep", tmp_path / "l", encoder=encoder)
    Library.build(folder, tmp_path / "other", encoder=encoder)
    away = tmp_path / "away"
    folder.rename(away)
    paint(folder / "deep" / "x.png")
    with sync.exclusive_writer(tmp_path / "l") as database, database.transaction():
        database.sources.get_or_create("folder", folder)
    shutil.rmtree(folder)
    away.rename(folder)
    report = library.sync()
    assert (report.moved, report.added, len(library)) == (2, 4, len(PICTURES))
    assert library.info().folders == (folder,)


def test_links_to_pictures_are_one_picture_with_them(tmp_path, encoder):
    root = tmp_path / "q"
    paint(root / "x.png")
    paint(tmp_path / "elsewhere.png", (200, 0, 0))
    (root / "a.png").symlink_to(root / "x.png")
    (root / "b.png").symlink_to("x.png")
    (root / "c.png").symlink_to(tmp_path / "elsewhere.png")
    library = Library.build(root, tmp_path / "l", encoder=encoder)
    assert sorted(ids(library)) == ["c.png", "x.png"]
    assert library.report.duplicates == 2
    assert library.sync().unchanged == 2


def test_hard_links_and_copies_are_pictures_of_their_own(tmp_path, encoder):
    root = tmp_path / "q"
    paint(root / "x.png")
    os.link(root / "x.png", root / "y.png")
    shutil.copy(root / "x.png", root / "z.png")
    assert len(Library.build(root, tmp_path / "l", encoder=encoder)) == 3


def test_a_hidden_or_excluded_folder_that_is_named_is_a_source_of_its_own(folder, tmp_path, encoder):
    library = Library.build(folder, tmp_path / "l", encoder=encoder, exclude=["drafts"])
    paint(folder / ".hidden" / "a.png")
    paint(folder / "drafts" / "b.png")
    paint(folder / "drafts" / "c.png")
    assert library.add([folder / ".hidden", folder / "drafts" / "b.png"]).added == 2
    assert library.sync().unchanged == len(PICTURES) + 2


def test_a_folder_that_is_only_unmounted_is_not_merged(folder, tmp_path, encoder):
    library = Library.build(folder / "deep", tmp_path / "l", encoder=encoder)
    before = ids(library)
    (folder / "deep").rename(tmp_path / "away")
    (folder / "deep").mkdir()
    report = library.add(folder)
    assert (report.added, report.removed) == (4, 0)
    assert before.items() <= ids(library).items()
    (folder / "deep").rmdir()
    (tmp_path / "away").rename(folder / "deep")
    report = library.sync()
    assert (report.added, report.moved, len(library)) == (0, 2, len(PICTURES))
    assert before.items() <= ids(library).items()


# --- exclusions


def test_exclusions_are_remembered_and_remove_what_they_exclude(folder, tmp_path, encoder):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    before = ids(library)
    assert library.sync(folder, exclude=["*.bmp", "/deep/er"]).removed == 2
    assert library.sync().unchanged == len(PICTURES) - 2
    report = library.sync(folder, exclude=["!*.bmp"])
    assert (report.added, len(library)) == (1, len(PICTURES) - 1)
    assert ids(library)["white.bmp"] == before["white.bmp"]


def test_exclusions_of_a_folder_inside_go_to_the_one_above(folder, tmp_path, encoder):
    paint(folder / "a.gif")
    library = Library.build(folder / "deep", tmp_path / "l", encoder=encoder, exclude=["*.gif"])
    assert sorted(ids(library)) == ["blue.webp"]
    library.add(folder)
    assert "a.gif" in ids(library)
    assert "yellow.gif" not in ids(library)


def test_a_pattern_for_a_folder_inside_holds_there_only(folder, tmp_path, encoder):
    paint(folder / "a.gif")
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    library.add(folder / "deep", exclude=["*.gif"])
    assert sorted(ids(library)) == sorted(
        {"a.gif", *(name.split("/")[-1] for name in PICTURES)} - {"yellow.gif"}
    )


def test_a_removed_source_leaves_no_exclusions_to_the_next(folder, tmp_path, encoder):
    library = Library.build(folder, tmp_path / "l", encoder=encoder, exclude=["*.jpg"])
    library.remove(folder)
    assert library.add(folder).added == len(PICTURES)


def test_exclusions_need_a_folder_and_a_valid_pattern(folder, tmp_path, encoder):
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    with pytest.raises(MissingArgumentError):
        library.sync(exclude=["*.jpg"])
    with pytest.raises(InputError, match="pattern"):
        library.sync(folder, exclude=["!"])


# --- skipped files


def test_what_was_skipped_is_in_report_info_and_list(folder, tmp_path, encoder):
    (folder / "a.jxl").write_bytes(b"x")
    (folder / "deep" / "b.psd").write_bytes(b"x")
    (folder / "album").symlink_to(tmp_path)
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    assert [(entry.kind, entry.count) for entry in library.report.skipped] == [
        ("jpeg_xl", 1),
        ("linked_folder", 1),
        ("photoshop", 1),
    ]
    assert library.info().skipped == {"jpeg_xl": 1, "linked_folder": 1, "photoshop": 1}
    assert {(file.path, file.kind) for file in library.skipped()} == {
        (folder / "a.jxl", "jpeg_xl"),
        (folder / "album", "linked_folder"),
        (folder / "deep" / "b.psd", "photoshop"),
    }
    version = library.version
    library.sync()
    assert library.version == version
    (folder / "a.jxl").unlink()
    library.sync()
    assert library.info().skipped == {"linked_folder": 1, "photoshop": 1}
    assert library.version != version
