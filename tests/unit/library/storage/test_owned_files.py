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
from snapseek.library.storage.owned_file_table import OwnedFileTable
from snapseek.library.storage.preview_queue import PreviewQueue
from snapseek.models import Encoder
from snapseek.models.hub import probe_cache
from snapseek.models.hub.manifest import Manifest
from tests.support import foreign_files
from tests.support.databases import one_commit
from tests.support.foreign_files import STEM
from tests.support.students import static_weights, write_student


def paint(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (number * 9 % 256, number * 31 % 256, 7 * number % 256)).save(path)


def images(folder):
    for number in range(3):
        paint(folder / f"{number}.png", number)
    return folder


def files_of(library_path):
    return {path: foreign_files.state_of(path) for path in sorted(library_path.rglob("*"))}


@pytest.fixture
def library_path(tmp_path, encoder):
    """A library of three pictures."""
    Library.build(images(tmp_path / "pictures"), tmp_path / "l", encoder=encoder)
    return tmp_path / "l"


def test_a_library_is_not_created_among_foreign_files(tmp_path, encoder):
    (tmp_path / "data/shards").mkdir(parents=True)
    with tarfile.open(tmp_path / "data/shards/00000.tar", "w") as archive:
        archive.add(images(tmp_path / "pictures") / "0.png", "0.png")
    before = files_of(tmp_path / "data")
    with pytest.raises(InputError) as caught:
        Library.build(tmp_path / "data/shards/00000.tar", tmp_path / "data", encoder=encoder)
    assert caught.value.got.startswith("shards in")
    assert files_of(tmp_path / "data") == before
    Library.build(tmp_path / "data/shards", tmp_path / "data/l", encoder=encoder)
    assert {path: state for path, state in files_of(tmp_path / "data").items() if path in before} == before


def test_an_unknown_file_among_the_shards_stays_and_is_reported(library_path, tmp_path, encoder):
    foreign = library_path / "shards/model-00001.safetensors"
    foreign.write_bytes(b"weights")
    paint(tmp_path / "pictures/more.png", 9)
    library = Library.open(library_path, encoder=encoder)
    library.sync()
    library.remove(1)
    library.compact()
    assert foreign.read_bytes() == b"weights"
    assert [problem.path for problem in library.verify()] == [foreign]
    assert library.repair().problems == ()
    assert foreign.exists()


def test_nothing_is_removed_through_a_link(library_path, tmp_path, encoder):
    (tmp_path / "user").mkdir()
    for path in (library_path / "shards").iterdir():
        path.rename(tmp_path / "user" / path.name)
    (tmp_path / "user" / f"{STEM}.snap").write_bytes(b"mine")
    (library_path / "shards").rmdir()
    (library_path / "shards").symlink_to(tmp_path / "user")
    before = files_of(tmp_path)
    with pytest.raises(StorageError) as caught:
        Library.open(library_path, encoder=encoder)
    assert caught.value.got.startswith("a link to")
    for command in (
        lambda: repair(library_path),
        lambda: Library.build(tmp_path / "pictures", library_path, encoder=encoder),
    ):
        with pytest.raises(StorageError) as caught:
            command()
        assert caught.value.got == "a link"
    assert without_side_files(files_of(tmp_path)) == without_side_files(before)


def without_side_files(files):
    """SQLite may keep its own files next to a database of ours."""
    return {path: state for path, state in files.items() if not path.name.endswith(("-wal", "-shm"))}


def test_shards_whose_database_was_moved_aside_stay(library_path, tmp_path, encoder):
    (library_path / "library.db").rename(tmp_path / "aside.db")
    before = files_of(library_path)
    with pytest.raises(InputError) as caught:
        Library.build(tmp_path / "pictures", library_path, encoder=encoder)
    assert caught.value.hint.startswith("choose another path")
    assert files_of(library_path) == before
    (tmp_path / "aside.db").rename(library_path / "library.db")
    assert len(Library.open(library_path)) == 3


@pytest.mark.parametrize("mode", ["DELETE", "WAL", "other id", "open"])
def test_a_foreign_database_stays_to_the_byte(tmp_path, encoder, mode):
    library_path = tmp_path / "l"
    library_path.mkdir()
    with closing(sqlite3.connect(library_path / "library.db")) as connection:
        connection.execute(f"PRAGMA journal_mode = {'WAL' if mode in ('WAL', 'open') else 'DELETE'}")
        connection.execute("CREATE TABLE settings (name TEXT, value TEXT)")
        connection.execute(f"PRAGMA application_id = {77 if mode == 'other id' else 0}")
        connection.commit()
        if mode == "WAL":  # a log that is not yet in the database stays when its process dies
            shutil.copytree(library_path, tmp_path / "copy")
        elif mode == "open":
            check_refused(library_path, tmp_path, encoder)
    if mode == "WAL":
        shutil.rmtree(library_path)
        (tmp_path / "copy").rename(library_path)
    check_refused(library_path, tmp_path, encoder)


def check_refused(library_path, tmp_path, encoder):
    before = files_of(library_path)
    commands = [
        lambda: Library.open(library_path),
        lambda: verify(library_path),
        lambda: repair(library_path),
        lambda: Library.build(images(tmp_path / "pictures"), library_path, encoder=encoder),
    ]
    for command in commands:
        with pytest.raises(FormatError, match=r"not a library .* was left as it is"):
            command()
    assert files_of(library_path) == before


def test_a_library_without_application_id_gets_one(library_path, tmp_path, encoder):
    with closing(sqlite3.connect(library_path / "library.db")) as connection:
        connection.execute("PRAGMA application_id = 0")
        connection.execute("DROP TABLE own_stems")
        connection.execute("DROP TABLE own_files")
        connection.execute("DROP TABLE shard_files")
        connection.commit()
    assert len(Library.open(library_path)) == 3
    assert verify(library_path) == []
    Library.open(library_path, encoder=encoder).remove(1)
    assert (library_path / "library.db").read_bytes()[68:72] == b"SNAP"
    assert len(Library.open(library_path)) == 2


@pytest.mark.parametrize("name", ["library.db", "previews.db", "writer.lock", "library.db-shm"])
@pytest.mark.parametrize("how", ["hard link", "link"])
def test_hard_linked_files_are_never_written(library_path, tmp_path, encoder, name, how):
    user = tmp_path / "user"
    path = library_path / name
    if path.exists():
        path.rename(user)
    else:
        user.write_bytes(b"mine")
    (path.hardlink_to if how == "hard link" else path.symlink_to)(user)
    before = user.read_bytes()
    with suppress(SnapseekError):
        Library.open(library_path, encoder=encoder).previews()
    with suppress(SnapseekError):
        Library.open(library_path, encoder=encoder).remove(1)
    assert user.read_bytes() == before
    assert path.samefile(user)


def test_a_library_opens_while_sqlite_sets_up_its_shared_memory(library_path):
    # The first connection to a database cuts a stale file to three bytes, and others may look just then.
    shared = library_path / "library.db-shm"
    with Database.open(library_path):
        beginning = shared.read_bytes()[:3]
    assert any(beginning)
    for size in range(4):
        shared.write_bytes(beginning[:size])
        Database.open(library_path).close()
    shared.write_bytes(b"my ")
    with pytest.raises(StorageError, match=r"expected no library.db-shm but that of SQLite"):
        Database.open(library_path)


@pytest.mark.parametrize("name", ["library.db-wal", "previews.db-wal"])
@pytest.mark.parametrize("content", ["text", "log of another database"])
def test_a_foreign_file_with_the_name_of_a_log_stays(library_path, tmp_path, encoder, name, content):
    # SQLite would replay the one into our database, and overwrite the other.
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE notes (text)")
        log = foreign.with_name("foreign.db-wal").read_bytes()
    for suffix in ("-wal", "-shm"):
        (library_path / f"library.db{suffix}").unlink(missing_ok=True)
    (library_path / name).write_bytes(log if content != "text" else b"my own notes\n" * 99)
    before = files_of(library_path)
    pictures = images(tmp_path / "pictures")
    writer = (
        PreviewQueue
        if name == "previews.db-wal"
        else lambda path: Library.build(pictures, path, encoder=encoder)
    )
    with pytest.raises(StorageError, match=rf"expected no {name} but that of SQLite"):
        writer(library_path)
    assert files_of(library_path) == before


def test_a_foreign_file_in_place_of_a_shard_stays(library_path, encoder):
    path = next((library_path / "shards").glob("*.arrow"))
    path.unlink()
    path.write_bytes(b"ARROW1\0\0 and something of the user")
    assert repair(library_path).shards_dropped == 1
    assert path.read_bytes().startswith(b"ARROW1")
    assert not path.with_suffix(".snap").exists()
    Library.open(library_path, encoder=encoder).sync()
    assert path.exists()


@pytest.mark.parametrize("is_given", [True, False])
def test_a_writer_that_commits_nothing_leaves_a_given_folder(tmp_path, is_given):
    library_path = tmp_path / "l"
    if is_given:
        library_path.mkdir()
    with pytest.raises(KeyboardInterrupt), one_commit(library_path):
        raise KeyboardInterrupt
    assert (list(library_path.iterdir()) if is_given else library_path.exists()) in ([], False)


def test_drafts_of_ctrl_c_are_gone_and_those_of_others_stay(library_path, tmp_path, encoder):
    foreign = [library_path / "shards" / f"{STEM}.arrow.tmp", library_path / f"library.db.{STEM[:8]}.tmp"]
    for path in foreign:
        path.write_bytes(b"mine")
    paint(tmp_path / "pictures/more.png", 9)
    before = files_of(library_path / "shards")

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Library.open(library_path, encoder=encoder).sync(progress=stop)
    assert files_of(library_path / "shards") == before
    assert all(path.read_bytes() == b"mine" for path in foreign)


def test_a_relative_library_path_survives_chdir(tmp_path, encoder, monkeypatch):
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


def test_a_relative_model_path_survives_chdir(tmp_path, tiny_model, monkeypatch):
    shutil.copytree(tiny_model, tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    encoder = Encoder.load("model")
    monkeypatch.chdir("/")
    assert len(Library.build(images(tmp_path / "pictures"), tmp_path / "l", encoder=encoder)) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="only there are names any bytes")
def test_a_path_that_is_not_utf_8_is_refused(tmp_path, encoder):
    library_path = tmp_path / os.fsdecode(b"\xff\xfe")
    images(library_path)
    for command in (
        lambda: Library.build(library_path, library_path / "l", encoder=encoder),
        lambda: Database.open(library_path / "l"),
    ):
        with pytest.raises((InputError, LibraryNotFoundError), match="expected"):
            command()
    assert not (library_path / "l").exists()
    assert len(Library.build(library_path, tmp_path / "l", encoder=encoder)) == 3


def test_a_full_disk_after_the_commit_is_no_failure(library_path, encoder, monkeypatch):
    library = Library.open(library_path, encoder=encoder)

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(OwnedFileTable, "remove_stems", full)
    assert library.remove(1) == 1
    assert library.compact().after == 1
    monkeypatch.undo()
    assert len(Library.open(library_path)) == 2
    assert verify(library_path) == []


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
    with pytest.raises(InputError, match="expected a"):
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


def test_an_interrupted_export_leaves_no_draft(library_path, tmp_path, monkeypatch):
    foreign = tmp_path / ".all.csv.ab12cd34.tmp"
    foreign.write_bytes(b"mine")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("snapseek.atomic_file.os.fsync", stop)
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        Library.open(library_path).export(tmp_path / "all.csv")
    assert {path.name for path in tmp_path.iterdir()} == before
    assert foreign.read_bytes() == b"mine"


def test_a_pipe_in_place_of_a_journal_holds_no_reader(library_path):
    os.mkfifo(library_path / "library.db-journal")
    with pytest.raises(StorageError, match="another kind of file"):
        Library.open(library_path)
