"""An upgrade replaces the vectors of a library by those of another model, and nothing else."""

import os
import shutil
import sqlite3
import threading
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from snapseek import Encoder, Library
from snapseek.errors import ModelMismatchError, StorageError
from snapseek.library import verify
from snapseek.library.indexing import batch_writer
from snapseek.library.storage import disk_space
from tests.support.embedding_files import write_embeddings
from tests.support.tiny_model import write_tiny_model
from tests.support.vector_rows import unit_rows

PICTURES = 11


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(PICTURES):
        color = (number * 20, 255 - number * 20, 40)
        Image.new("RGB", (90, 60), color).save(folder / f"{number:02}.png")
    (folder / "03.txt").write_text("words next to a picture")
    return folder


@pytest.fixture
def other(tmp_path):
    return Encoder.load(write_tiny_model(tmp_path / "other model", mean=(0.3, 0.4, 0.6)))


@pytest.fixture
def library(pictures, tmp_path, encoder, monkeypatch):
    """A library of several shards with a removed picture."""
    monkeypatch.setattr(batch_writer, "BATCH_ROWS", 4)
    library = Library.build(pictures, tmp_path / "l", encoder=encoder)
    library.remove(2)
    return Library.open(tmp_path / "l")


def records(library):
    hits = library.browse(999)
    return {hit.id: (hit.uri, hit.preview, hit.caption, hit.width, str(hit.meta)) for hit in hits}


def vectors(library):
    return {hit.id: library.vector(hit.id) for hit in library.browse(999)}


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for item, vector in found.items():
        np.testing.assert_allclose(vector, expected[item], atol=0.02)


def expected_vectors(library, encoder):
    hits = library.browse(999)
    pictures = [Image.open(library.original_path(hit.id)).convert("RGB") for hit in hits]
    rows = encoder.embed_images(pictures)
    return {hit.id: row for hit, row in zip(hits, rows, strict=True)}


def stop_after(count):
    stop = threading.Event()

    def progress(stage, done):
        if stage == "embed" and done.done >= count:
            stop.set()

    return {"stop": stop, "progress": progress}


def test_only_the_vectors_change(library, other):
    before = records(library)
    report = library.upgrade(other, threads=1)
    assert (report.embedded, report.from_previews, report.lost, report.is_stopped) == (10, 0, 0, False)
    library = Library.open(library.info().path)
    assert records(library) == before
    assert (library.info().model, library.info().fingerprint) == (other.name, other.space)
    assert_close(vectors(library), expected_vectors(library, other))
    assert verify(library.info().path) == []
    synced = library.sync()
    assert (synced.added, synced.updated, synced.removed, synced.unchanged) == (0, 0, 0, PICTURES)


def test_an_upgrade_to_another_width(library, tmp_path):
    before = records(library)
    library.upgrade(Encoder.load("starter"), threads=1)
    library = Library.open(library.info().path)
    assert records(library) == before
    assert library.search("green", limit=3)


def test_the_present_model_discards_an_unfinished_upgrade(library, encoder, other):
    library.upgrade(other, threads=1, **stop_after(5))
    assert library.upgrade(encoder).was_current
    stems = {path.name.split(".")[0] for path in (library.info().path / "shards").iterdir()}
    assert len(stems) == len(library.snapshot()._shards.parts)
    assert not library.upgrade(other, threads=1).resumed


def test_a_stopped_upgrade_goes_on(library, other):
    path, before = library.info().path, vectors(library)
    stopped = library.upgrade(other, threads=1, **stop_after(5))
    assert stopped.is_stopped
    assert vectors(Library.open(path)).keys() == before.keys()
    assert_close(vectors(Library.open(path)), before)
    assert verify(path) == []
    done = Library.open(path).upgrade(other, threads=1)
    assert (done.resumed, done.embedded) == (stopped.embedded, 10 - stopped.embedded)
    assert done.resumed >= 4
    library = Library.open(path)
    assert_close(vectors(library), expected_vectors(library, other))


def test_a_sync_in_between_is_taken_into_account(library, pictures, other):
    path = library.info().path
    library.upgrade(other, threads=1, **stop_after(8))
    Image.new("RGB", (50, 50), (250, 250, 0)).save(pictures / "00.png")  # embedded before
    Image.new("RGB", (50, 50), (0, 250, 250)).save(pictures / "new.png")
    (pictures / "03.png").unlink()
    (pictures / "04.png").rename(pictures / "moved.png")
    (pictures / "05.txt").write_text("later words")
    library.sync()
    library.compact()
    before = records(library)
    report = library.upgrade(other, threads=1)
    assert not report.is_stopped
    library = Library.open(path)
    assert records(library) == before
    assert_close(vectors(library), expected_vectors(library, other))
    assert library.search("yellow", limit=1)[0].uri.endswith("00.png")
    assert library.sync().updated == 0


def test_a_damaged_file_of_an_unfinished_upgrade_is_made_again(library, other):
    path = library.info().path
    present = {file.name for file in (path / "shards").iterdir()}
    library.upgrade(other, threads=1, **stop_after(9))
    made = [file for file in (path / "shards").iterdir() if file.name not in present]
    assert len(made) >= 2
    made[0].write_bytes(made[0].read_bytes()[:-40])
    made[1].unlink()
    library = Library.open(path)
    assert library.upgrade(other, threads=1).embedded >= 5
    assert_close(vectors(Library.open(path)), expected_vectors(Library.open(path), other))


def test_missing_originals_are_embedded_from_previews(library, pictures, other):
    path, before = library.info().path, records(library)
    hidden = pictures.with_name("unmounted")
    pictures.rename(hidden)
    report = library.upgrade(other, threads=1)
    assert report.from_previews == 10
    assert records(Library.open(path)) == before
    hidden.rename(pictures)
    synced = Library.open(path).sync()
    assert (synced.updated, synced.added) == (10, 0)
    library = Library.open(path)
    assert records(library).keys() == before.keys()
    assert_close(vectors(library), expected_vectors(library, other))


def test_an_original_that_came_back_is_embedded_by_the_next_run(library, pictures, other):
    hidden = pictures.with_name("unmounted")
    pictures.rename(hidden)
    assert library.upgrade(other, threads=1, **stop_after(6)).is_stopped
    hidden.rename(pictures)
    report = library.upgrade(other, threads=1)
    assert (report.embedded, report.from_previews) == (10, 0)


def test_a_broken_original_is_embedded_from_its_preview(library, pictures, other):
    path = pictures / "05.png"
    stamp = path.stat()
    path.write_bytes(b"broken".ljust(stamp.st_size, b"\0"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    report = library.upgrade(other, threads=1)
    assert (report.embedded, report.from_previews, report.lost) == (10, 1, 0)
    assert len(Library.open(library.info().path)) == 10


def test_imported_vectors_refuse_an_upgrade(library, encoder, other, tmp_path):
    folder = write_embeddings(tmp_path / "vectors", unit_rows(5, dim=3).astype("f2"))
    Library.import_vectors(folder or tmp_path / "vectors", library.info().path, encoder=encoder)
    path = library.info().path
    with pytest.raises(ModelMismatchError, match="5 imported vectors") as caught:
        Library.open(path).upgrade(other)
    assert "--drop-imports" in (caught.value.hint or "")
    assert Library.open(path).info().fingerprint == encoder.space
    report = Library.open(path).upgrade(other, threads=1, drop_imports=True)
    assert (report.dropped, report.embedded) == (5, 10)
    library = Library.open(path)
    assert len(library) == 10
    assert verify(path) == []


def test_a_full_disk_is_reported_before_the_start(library, other, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=10)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StorageError, match="free for"):
        library.upgrade(other)


def test_an_upgrade_does_not_copy_removed_pictures(library, other):
    library.upgrade(other, threads=1)
    with closing(sqlite3.connect(library.info().path / "library.db")) as connection, connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("tombstones", "upgrade_model", "upgrade_shards", "upgrade_items", "own_stems")
        ]
    connection.close()
    assert counts == [0, 0, 0, 0, 0]
    assert [part.shard.stem for part in Library.open(library.info().path).snapshot()._shards.parts]


def test_searches_during_an_upgrade_use_one_generation(library, encoder, other):
    path = library.info().path
    served = Library.open(path)
    queries = {model.space: model.embed_texts(["green"])[0] for model in (encoder, other)}
    served.search("green", limit=3)  # the model is loaded
    expected = {model.space: expected_vectors(served, model) for model in (encoder, other)}
    problems, seen, done = [], set(), threading.Event()

    def search():
        while not done.is_set():
            snapshot = served.snapshot()
            space = snapshot.settings["fingerprint"]
            try:
                hits = served.search("green", limit=3)
                scores = [
                    max(abs(float(expected[s][hit.id] @ queries[s]) - hit.score) for hit in hits)
                    for s in expected
                ]
            except Exception as error:
                problems.append(repr(error))
                return
            if min(scores) > 0.03:
                problems.append(scores)
            seen.add(space)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    Library.open(path).upgrade(other, threads=1)
    for _ in range(100):
        if other.space in seen or problems:
            break
        done.wait(0.05)
    done.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert seen == {encoder.space, other.space}


def test_a_sync_with_the_former_model_is_refused(library, pictures, encoder, other):
    stale = Library.open(library.info().path, encoder=encoder)
    Image.new("RGB", (50, 50), (0, 250, 250)).save(pictures / "new.png")
    library.upgrade(other, threads=1)
    stale._snapshots._checked_s = float("inf")  # it has not seen the commit yet
    with pytest.raises(ModelMismatchError):
        stale.sync()
    assert len({other.space, Library.open(library.info().path).info().fingerprint}) == 1


def test_index_with_another_model_upgrades_all_folders(library, pictures, tmp_path, other):
    more = tmp_path / "more"
    more.mkdir()
    Image.new("RGB", (50, 50), (0, 250, 250)).save(more / "new.png")
    library.sync(more)
    Image.new("RGB", (50, 50), (250, 0, 250)).save(pictures / "later.png")
    built = Library.build(pictures, library.info().path, encoder=other, threads=1)
    assert built.report is not None
    assert (built.report.added, built.report.updated) == (1, 11)
    assert len(built) == 12
    assert_close(vectors(built), expected_vectors(built, other))
