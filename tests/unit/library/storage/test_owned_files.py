"""Each way in which a file of somebody else was once lost or written over, and what is refused instead."""

import os
import shutil
import sqlite3
import sys
import tarfile
from contextlib import closing, suppress

import numpy as np
import pytest
from PIL import Image

from snapseek.errors import FormatError, InputError, LibraryNotFoundError, SnapseekError, StorageError
from snapseek.library import Library, repair, verify
from snapseek.library.columns.column_file import write_arrays
from snapseek.library.storage.database import Database
from snapseek.library.storage.preview_queue import PreviewQueue
from snapseek.models import Encoder
from snapseek.models.hub import probe_cache
from snapseek.models.hub.manifest import Manifest
from tests.support import foreign_files
from tests.support.foreign_files import STEM
from tests.support.students import static_weights, write_student


def paint(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (number * 9 % 256, number * 31 % 256, 7 * number % 256)).save(path)


def images(folder):
    for number in range(3):
        paint(folder / f"{number}.png", number)
    return folder


def files_of(place):
    return {path: foreign_files.state_of(path) for path in sorted(place.rglob("*"))}


@pytest.fixture
def place(tmp_path, encoder):
    """A library of three pictures."""
    Library.build(images(tmp_path / "pictures"), tmp_path / "l", encoder=encoder)
    return tmp_path / "l"


def test_a_library_does_not_go_among_the_files_of_others(tmp_path, encoder):
    (tmp_path / "data/shards").mkdir(parents=True)
    with tarfile.open(tmp_path / "data/shards/00000.tar", "w") as archive:
        archive.add(images(tmp_path / "pictures") / "0.png", "0.png")
    before = files_of(tmp_path / "data")
    with pytest.raises(InputError, match=r"expected an empty or missing folder .* found shards"):
        Library.build(tmp_path / "data/shards/00000.tar", tmp_path / "data", encoder=encoder)
    assert files_of(tmp_path / "data") == before
    Library.build(tmp_path / "data/shards", tmp_path / "data/l", encoder=encoder)
    assert {path: state for path, state in files_of(tmp_path / "data").items() if path in before} == before


def test_a_stranger_among_the_shards_stays_and_is_reported(place, tmp_path, encoder):
    foreign = place / "shards/model-00001.safetensors"
    foreign.write_bytes(b"weights")
    paint(tmp_path / "pictures/more.png", 9)
    library = Library.open(place, encoder=encoder)
    library.sync()
    library.remove(1)
    library.compact()
    assert foreign.read_bytes() == b"weights"
    assert [problem.place for problem in library.verify()] == [foreign]
    assert library.repair().problems == ()
    assert foreign.exists()


def test_nothing_is_removed_through_a_link(place, tmp_path, encoder):
    (tmp_path / "user").mkdir()
    for path in (place / "shards").iterdir():
        path.rename(tmp_path / "user" / path.name)
    (tmp_path / "user" / f"{STEM}.snap").write_bytes(b"mine")
    (place / "shards").rmdir()
    (place / "shards").symlink_to(tmp_path / "user")
    before = files_of(tmp_path)
    with pytest.raises(StorageError, match="found a link to"):
        Library.open(place, encoder=encoder)
    for command in (
        lambda: repair(place),
        lambda: Library.build(tmp_path / "pictures", place, encoder=encoder),
    ):
        with pytest.raises(StorageError, match=r"expected .*shards to be a directory .*found a link"):
            command()
    assert without_side_files(files_of(tmp_path)) == without_side_files(before)


def without_side_files(files):
    """SQLite may keep its own files next to a database of ours."""
    return {path: state for path, state in files.items() if not path.name.endswith(("-wal", "-shm"))}


def test_shards_whose_database_was_moved_aside_stay(place, tmp_path, encoder):
    (place / "library.db").rename(tmp_path / "aside.db")
    before = files_of(place)
    with pytest.raises(InputError, match="choose another place"):
        Library.build(tmp_path / "pictures", place, encoder=encoder)
    assert files_of(place) == before
    (tmp_path / "aside.db").rename(place / "library.db")
    assert len(Library.open(place)) == 3


@pytest.mark.parametrize("mode", ["DELETE", "WAL", "other id", "open"])
def test_a_foreign_database_stays_to_the_byte(tmp_path, encoder, mode):
    place = tmp_path / "l"
    place.mkdir()
    with closing(sqlite3.connect(place / "library.db")) as connection:
        connection.execute(f"PRAGMA journal_mode = {'WAL' if mode in ('WAL', 'open') else 'DELETE'}")
        connection.execute("CREATE TABLE settings (name TEXT, value TEXT)")
        connection.execute(f"PRAGMA application_id = {77 if mode == 'other id' else 0}")
        connection.commit()
        if mode == "WAL":  # a log that is not yet in the database stays when its process dies
            shutil.copytree(place, tmp_path / "copy")
        elif mode == "open":
            check_refused(place, tmp_path, encoder)
    if mode == "WAL":
        shutil.rmtree(place)
        (tmp_path / "copy").rename(place)
    check_refused(place, tmp_path, encoder)


def check_refused(place, tmp_path, encoder):
    before = files_of(place)
    commands = [
        lambda: Library.open(place),
        lambda: verify(place),
        lambda: repair(place),
        lambda: Library.build(images(tmp_path / "pictures"), place, encoder=encoder),
    ]
    for command in commands:
        with pytest.raises(FormatError, match=r"not a library .* was left as it is"):
            command()
    assert files_of(place) == before


def test_a_library_of_before_there_were_ids_gets_one(place, tmp_path, encoder):
    with closing(sqlite3.connect(place / "library.db")) as connection:
        connection.execute("PRAGMA application_id = 0")
        connection.execute("DROP TABLE own_stems")
        connection.execute("DROP TABLE own_files")
        connection.execute("DROP TABLE shard_files")
        connection.commit()
    assert len(Library.open(place)) == 3
    assert verify(place) == []
    Library.open(place, encoder=encoder).remove(1)
    assert (place / "library.db").read_bytes()[68:72] == b"SNAP"
    assert len(Library.open(place)) == 2


@pytest.mark.parametrize("name", ["library.db", "previews.db", "writer.lock", "library.db-shm"])
@pytest.mark.parametrize("how", ["hard link", "link"])
def test_no_file_with_a_second_name_is_written(place, tmp_path, encoder, name, how):
    user = tmp_path / "user"
    path = place / name
    if path.exists():
        path.rename(user)
    else:
        user.write_bytes(b"mine")
    (path.hardlink_to if how == "hard link" else path.symlink_to)(user)
    before = user.read_bytes()
    with suppress(SnapseekError):
        Library.open(place, encoder=encoder).previews()
    with suppress(SnapseekError):
        Library.open(place, encoder=encoder).remove(1)
    assert user.read_bytes() == before
    assert path.samefile(user)


@pytest.mark.parametrize("name", ["library.db-wal", "previews.db-wal"])
@pytest.mark.parametrize("content", ["text", "log of another database"])
def test_a_foreign_file_with_the_name_of_a_log_stays(place, tmp_path, encoder, name, content):
    # SQLite would replay the one into our database, and overwrite the other.
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE notes (text)")
        log = foreign.with_name("foreign.db-wal").read_bytes()
    for suffix in ("-wal", "-shm"):
        (place / f"library.db{suffix}").unlink(missing_ok=True)
    (place / name).write_bytes(log if content != "text" else b"my own notes\n" * 99)
    before = files_of(place)
    pictures = images(tmp_path / "pictures")
    writer = (
        PreviewQueue if name == "previews.db-wal" else lambda at: Library.build(pictures, at, encoder=encoder)
    )
    with pytest.raises(StorageError, match=rf"expected no {name} but that of SQLite"):
        writer(place)
    assert files_of(place) == before


def test_a_broken_shard_that_others_wrote_over_is_left(place, encoder):
    path = next((place / "shards").glob("*.arrow"))
    path.unlink()
    path.write_bytes(b"ARROW1\0\0 and something of the user")
    assert repair(place).shards_dropped == 1
    assert path.read_bytes().startswith(b"ARROW1")
    assert not path.with_suffix(".snap").exists()
    Library.open(place, encoder=encoder).sync()
    assert path.exists()


@pytest.mark.parametrize("is_given", [True, False])
def test_a_writer_that_commits_nothing_leaves_a_given_folder(tmp_path, is_given):
    place = tmp_path / "l"
    if is_given:
        place.mkdir()
    with pytest.raises(KeyboardInterrupt), Database.writing(place):
        raise KeyboardInterrupt
    assert (list(place.iterdir()) if is_given else place.exists()) in ([], False)


def test_drafts_of_ctrl_c_are_gone_and_those_of_others_stay(place, tmp_path, encoder):
    foreign = [place / "shards" / f"{STEM}.arrow.tmp", place / f"library.db.{STEM[:8]}.tmp"]
    for path in foreign:
        path.write_bytes(b"mine")
    paint(tmp_path / "pictures/more.png", 9)
    before = files_of(place / "shards")

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Library.open(place, encoder=encoder).sync(progress=stop)
    assert files_of(place / "shards") == before
    assert all(path.read_bytes() == b"mine" for path in foreign)


def test_work_goes_on_in_the_same_library_after_chdir(tmp_path, encoder, monkeypatch):
    for name in ("one", "two"):
        images(tmp_path / name / "pictures")
        Library.build(tmp_path / name / "pictures", tmp_path / name / "l", encoder=encoder)
    monkeypatch.chdir(tmp_path / "one")
    library = Library.open("l", encoder=encoder)
    monkeypatch.chdir(tmp_path / "two")
    library.remove(1)
    paint(tmp_path / "one/pictures/more.png", 9)
    assert library.sync().added == 1
    assert library.info().path == tmp_path / "one/l"
    assert len(library) == len(Library.open(tmp_path / "one/l")) == 3
    assert len(Library.open(tmp_path / "two/l")) == 3


def test_a_model_named_by_a_relative_path_works_after_chdir(tmp_path, tiny_model, monkeypatch):
    shutil.copytree(tiny_model, tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    encoder = Encoder.load("model")
    monkeypatch.chdir("/")
    assert len(Library.build(images(tmp_path / "pictures"), tmp_path / "l", encoder=encoder)) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="only there are names any bytes")
def test_a_path_without_text_is_refused_in_a_sentence(tmp_path, encoder):
    place = tmp_path / os.fsdecode(b"\xff\xfe")
    images(place)
    for command in (
        lambda: Library.build(place, place / "l", encoder=encoder),
        lambda: Database.open(place / "l"),
    ):
        with pytest.raises((InputError, LibraryNotFoundError), match="expected"):
            command()
    assert not (place / "l").exists()
    assert len(Library.build(place, tmp_path / "l", encoder=encoder)) == 3


def test_a_full_disk_after_the_commit_is_no_failure(place, encoder, monkeypatch):
    library = Library.open(place, encoder=encoder)

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Database, "forget_stems", full)
    assert library.remove(1) == 1
    assert library.compact().after == 1
    monkeypatch.undo()
    assert len(Library.open(place)) == 2
    assert verify(place) == []


def test_caches_and_column_indexes_replace_only_their_own(tmp_path, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path))
    file = tmp_path / "graph.onnx"
    file.write_bytes(b"graph")
    os.utime(file, ns=(10**18, 10**18))
    probe_cache.store_probe("topic", [file], {"a": 1})
    (kept,) = (tmp_path / "facts").iterdir()
    kept.write_bytes(b"mine")
    probe_cache.store_probe("topic", [file], {"a": 2})
    assert kept.read_bytes() == b"mine"
    path = tmp_path / f"{STEM}.3.facet"
    path.write_bytes(b"mine")
    assert not write_arrays(path, {}, {"a": np.arange(3)})
    assert path.read_bytes() == b"mine"
    path.write_bytes(b"SNAPFACE but damaged")
    assert write_arrays(path, {}, {"a": np.arange(3)})
    assert {entry.name for entry in tmp_path.iterdir()} == {"facts", "graph.onnx", path.name}


@pytest.mark.parametrize("name", ["student.json", "grades.csv"])
def test_a_student_replaces_a_student_and_nothing_else(tmp_path, encoder, name):
    out = tmp_path / "student"
    if name == "grades.csv":
        write_student(out, static_weights(), encoder, {})
    else:
        out.mkdir()
    (out / name).write_text('{"name": "Ada"}')
    (tmp_path / "student.tmp").mkdir()
    (tmp_path / "student.tmp/keep").write_text("keep")
    before = files_of(tmp_path)
    with pytest.raises(InputError, match="expected an"):
        write_student(out, static_weights(), encoder, {})
    assert files_of(tmp_path) == before
    (out / name).unlink()
    write_student(tmp_path / "other", static_weights(), encoder, {})
    write_student(tmp_path / "other", static_weights(seed=1), encoder, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "student", "student.tmp"]
    assert (tmp_path / "student.tmp/keep").read_text() == "keep"


def test_a_manifest_that_was_written_by_hand_is_not_replaced(tmp_path):
    path = tmp_path / "snapseek.json"
    path.write_text('{"files": {"image_graph": "mine.onnx"}}')
    with pytest.raises(StorageError, match=r"expected no snapseek\.json, or one that a download wrote"):
        Manifest({}).write(tmp_path)
    assert "mine.onnx" in path.read_text()
    path.unlink()
    Manifest({}).write(tmp_path)
    Manifest({"image_graph": "a.onnx"}).write(tmp_path)
    assert Manifest.read(tmp_path).files == {"image_graph": "a.onnx"}


def test_an_export_that_is_stopped_leaves_nothing_of_its_own(place, tmp_path, monkeypatch):
    foreign = tmp_path / ".all.csv.ab12cd34.tmp"
    foreign.write_bytes(b"mine")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("snapseek.atomic_file.os.fsync", stop)
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        Library.open(place).export(tmp_path / "all.csv")
    assert {path.name for path in tmp_path.iterdir()} == before
    assert foreign.read_bytes() == b"mine"


def test_a_pipe_in_place_of_a_journal_holds_no_reader(place):
    os.mkfifo(place / "library.db-journal")
    with pytest.raises(StorageError, match="another kind of file"):
        Library.open(place)
