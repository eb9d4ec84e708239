"""Local pictures of a list are served if the user has named the list, and no others."""

import json

import pytest

from snapseek.library import Library
from snapseek.library.storage.confirmations import MAX_BYTES, Confirmed, confirm, load_confirmed
from snapseek.library.storage.shard_files import exclusive_writer
from tests.support.picture_sources import picture
from tests.support.stranger_library import client_of


@pytest.fixture
def pictures(tmp_path):
    for name in ("a/one.jpg", "b/two.jpg", "b/below/three.jpg", "c/real.jpg"):
        path = tmp_path / "far" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture("red" if name[0] == "a" else "blue"))
    (tmp_path / "far" / "a" / "link.jpg").symlink_to(tmp_path / "far" / "c" / "real.jpg")
    return tmp_path / "far"


@pytest.fixture
def library(tmp_path, pictures, encoder):
    (tmp_path / "lists").mkdir()
    path = tmp_path / "lists" / "list.txt"
    path.write_text(
        f"../far/a/one.jpg\n{pictures / 'a' / 'link.jpg'}\n{(pictures / 'b' / 'two.jpg').as_uri()}\n"
    )
    return Library.build(path, tmp_path / "home" / "library", encoder=encoder)


def served(library):
    with client_of(library) as client:
        return {hit.meta["name"]: client.get(f"/api/image/{hit.id}").status_code for hit in library.browse(9)}


def test_pictures_of_a_named_list_are_served(library, tmp_path, encoder):
    expected = {"one.jpg": 200, "two.jpg": 200, "link.jpg": 200}
    assert served(library) == expected
    assert served(Library.open(tmp_path / "home" / "library", encoder=encoder)) == expected


def test_a_later_sync_serves_what_the_list_names_then(library, tmp_path, pictures):
    path = tmp_path / "lists" / "list.txt"
    path.write_text(f"{path.read_text()}../far/b/below/three.jpg\n")
    assert not library.snapshot().trust.permits_file(pictures / "b" / "below" / "three.jpg")
    assert library.sync().added == 1
    assert served(library)["three.jpg"] == 200


def test_only_files_in_the_listed_folders_may_be_read(library, pictures, tmp_path):
    trust = library.snapshot().trust
    assert trust.permits_file(pictures / "b" / "another.jpg")
    assert not trust.permits(pictures / "b")
    assert not trust.permits_file(pictures / "b" / "below" / "three.jpg")
    assert not trust.permits_file(pictures / "secret.jpg")
    (pictures / "b" / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    assert not trust.permits_file(pictures / "b" / "out.jpg")


def test_more_folders_than_the_configuration_holds(library, caplog):
    many = tuple(library.info().path / f"{number}-{'x' * 2000}" for number in range(MAX_BYTES // 4000 + 1))
    with exclusive_writer(library.info().path) as database:
        confirm(database, library.info().path, Confirmed(folders=many))
    id_ = library.snapshot().settings["id"]
    found = load_confirmed(library.info().path, id_)
    assert found.folders == ()
    assert found.roots
    assert "--allow-root" in caplog.text


def test_a_configuration_of_an_earlier_version_is_read(library, tmp_path):
    from snapseek.library.storage.confirmations import confirmed_path

    path = confirmed_path(library.snapshot().settings["id"])
    fields = json.loads(path.read_bytes())
    assert fields.pop("folders")
    path.write_text(json.dumps(fields))
    found = load_confirmed(library.info().path, library.snapshot().settings["id"])
    assert (found.roots, found.folders) == ((tmp_path / "lists" / "list.txt",), ())


def test_what_was_confirmed_moves_with_the_folder_of_the_library(tmp_path, encoder):
    root, elsewhere = tmp_path / "disk1" / "photos", tmp_path / "other"
    for path in (root / "sub" / "a.jpg", elsewhere / "b.jpg"):
        path.parent.mkdir(parents=True)
        path.write_bytes(picture("red" if path.name == "a.jpg" else "blue"))
    (root / "list.txt").write_text("sub/a.jpg\n")
    library = Library.build(root / "list.txt", root / "db" / "lib", encoder=encoder)
    library.add(root)
    library.add(elsewhere)
    (tmp_path / "disk1").rename(tmp_path / "disk2")
    moved = Library.open(tmp_path / "disk2" / "photos" / "db" / "lib", encoder=encoder)
    trust = moved.snapshot().trust
    assert moved.unconfirmed() == ()
    assert trust.permits(tmp_path / "disk2" / "photos" / "new.jpg")
    assert trust.permits(elsewhere / "b.jpg")
    assert not trust.permits(tmp_path / "disk2" / "secret.jpg")
    assert {*served(moved).values()} == {200}


def test_a_library_that_leaves_its_folder_confirms_no_other(tmp_path, encoder):
    root = tmp_path / "photos"
    (root / "db").mkdir(parents=True)
    (root / "a.jpg").write_bytes(picture())
    Library.build(root, root / "db" / "lib", encoder=encoder)
    (tmp_path / "far" / "away").mkdir(parents=True)
    (root / "db" / "lib").rename(tmp_path / "far" / "away" / "lib")
    trust = Library.open(tmp_path / "far" / "away" / "lib", encoder=encoder).snapshot().trust
    assert not trust.permits(tmp_path / "far" / "secret.jpg")
    assert trust.permits(root / "a.jpg")
