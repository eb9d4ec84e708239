"""A sidecar that changes later changes the record of its picture; nothing is embedded, and the id stays."""

import json
import os
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from snapseek.library import Library
from snapseek.library.indexing import change_records, compact, sync, update_records
from snapseek.library.storage.schema import FILE_NAME
from snapseek.library.storage.shard_files import exclusive_writer
from tests.conftest import PICTURES
from tests.unit.metadata.test_xmp import block

TAGGED = block("><dc:subject><rdf:Bag><rdf:li>beach</rdf:li></rdf:Bag></dc:subject>")


@pytest.fixture
def own(folder, tmp_path, encoder):
    """A library of its own, with a sidecar."""
    (folder / "red.txt").write_text("first words")
    return Library.build(folder, tmp_path / "l", encoder=encoder)


def found(library, where):
    return sorted(hit.meta["name"] for hit in library.search("", where=where))


def state(library):
    """Id and vector of each picture, by name."""
    library.refresh()
    return {hit.meta["name"]: (hit.id, library.vector(hit.id).tobytes()) for hit in library.browse(50)}


def never(*_):
    raise AssertionError("something was embedded")


@pytest.fixture
def no_embedding(monkeypatch):
    monkeypatch.setattr(sync, "embed_pictures", never)


@pytest.mark.parametrize("rewrites", [True, False], ids=["rewritten", "moved"])
def test_added_changed_and_removed_sidecars(own, folder, monkeypatch, no_embedding, rewrites):
    if not rewrites:
        monkeypatch.setattr(change_records, "SMALL_ROWS", 0)
        monkeypatch.setattr(compact, "SMALL_ROWS", 0)
        monkeypatch.setattr(change_records, "_REWRITTEN_SHARE", 1)
    before = state(own)
    (folder / "green.png.xmp").write_bytes(TAGGED)
    (folder / "deep" / "blue.txt").write_text("a lighthouse at night")
    (folder / "white.bmp.supplemental-metadata.json").write_text(json.dumps({"description": "granny"}))
    (folder / "red.txt").write_text("second words")
    report = own.sync()
    assert (report.described, report.unchanged, report.added, report.updated) == (4, len(PICTURES) - 4, 0, 0)
    assert report.has_changed
    assert found(own, "tag:beach") == ["green.png"]
    assert found(own, "caption:lighthouse") == ["blue.webp"]
    assert found(own, "caption:granny") == ["white.bmp"]
    assert (found(own, "caption:second"), found(own, "caption:first")) == (["red.jpg"], [])
    (folder / "red.txt").unlink()
    (folder / "green.png.xmp").unlink()
    assert own.sync().described == 2
    assert found(own, "has:caption") == ["blue.webp", "white.bmp"]
    assert found(own, "has:tags") == []
    assert own.sync().has_changed is False
    assert state(own) == before
    assert own.verify() == []


def test_what_the_file_says_returns_without_its_sidecar(folder, tmp_path, encoder, no_embedding, monkeypatch):
    from PIL import Image

    monkeypatch.undo()
    Image.new("RGB", (60, 40), "navy").save(folder / "sea.jpg", xmp=block())
    (folder / "sea.txt").write_text("typed words")
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    (folder / "sea.txt").unlink()
    assert library.sync().described == 1
    assert found(library, "caption:gate") == ["sea.jpg"]


def test_add_and_index_see_changed_sidecars(own, folder, no_embedding):
    (folder / "red.txt").write_text("by add")
    assert own.add(folder / "red.jpg").described == 1
    assert found(own, "caption:add") == ["red.jpg"]
    (folder / "red.txt").write_text("by index")
    assert Library.build(folder, own.info().path, encoder=own.encoder).report.described == 1


def test_a_single_file_outside_of_folders(tmp_path, folder, encoder):
    library = Library.build(folder / "deep", tmp_path / "l", encoder=encoder)
    (folder / "red.txt").write_text("words")
    library.add(folder / "red.jpg")
    assert found(library, "caption:words") == ["red.jpg"]
    (folder / "red.txt").write_text("others")
    assert library.sync().described == 1
    assert found(library, "caption:others") == ["red.jpg"]


def test_a_moved_picture_takes_its_sidecar_along(own, folder, no_embedding):
    before = state(own)
    (folder / "red.jpg").rename(folder / "deep" / "pier.jpg")
    (folder / "red.txt").rename(folder / "deep" / "pier.txt")
    (folder / "deep" / "pier.txt").write_text("moved words")
    (folder / "green.png").rename(folder / "leaf.png")
    assert own.sync().moved == 2
    assert found(own, "caption:moved") == ["pier.jpg"]
    assert own.sync().has_changed is False
    assert {item for item, _ in state(own).values()} == {item for item, _ in before.values()}


def test_a_moved_picture_leaves_its_sidecar_behind(own, folder):
    (folder / "red.jpg").rename(folder / "deep" / "red.jpg")
    own.sync()
    assert found(own, "has:caption") == []


def test_a_changed_picture_and_a_new_one_keep_their_sidecars_known(own, folder):
    from PIL import Image

    Image.new("RGB", (60, 40), (200, 40, 20)).save(folder / "red.jpg")
    Image.new("RGB", (60, 40), (1, 40, 20)).save(folder / "new.jpg")
    (folder / "new.txt").write_text("new")
    report = own.sync()
    assert (report.updated, report.added, report.described) == (1, 1, 0)
    assert own.sync().has_changed is False


def test_a_removed_picture_forgets_its_sidecar(own, folder):
    (folder / "red.jpg").unlink()
    own.sync()
    with closing(sqlite3.connect(own.info().path / FILE_NAME)) as connection:
        assert connection.execute("SELECT count(*) FROM sidecars").fetchone() == (0,)


def test_a_damaged_sidecar_is_a_note_and_tried_when_it_changes(own, folder):
    (folder / "green.png.xmp").write_bytes(b"<x")
    report = own.sync()
    assert (report.described, len(report.notes)) == (1, 1)
    assert "green.png.xmp was skipped" in report.notes[0]
    assert own.sync().described == 0
    (folder / "green.png.xmp").write_bytes(TAGGED)
    assert own.sync().described == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_picture_that_cannot_be_read_now_is_described_later(own, folder):
    (folder / "red.txt").write_text("second")
    (folder / "red.jpg").chmod(0)
    assert own.sync().described == 0
    (folder / "red.jpg").chmod(0o600)
    assert own.sync().described == 1


def test_a_picture_that_cannot_be_read_now_keeps_its_record(own, folder, monkeypatch):
    (folder / "red.txt").write_text("second")
    with monkeypatch.context() as patch:
        patch.setattr("snapseek.library.indexing.describe.read_metadata", _unreadable)
        assert own.sync().described == 0
    assert found(own, "caption:first") == ["red.jpg"]
    assert own.sync().described == 1


def _unreadable(path):
    from snapseek.errors import PictureError

    raise PictureError("it is not readable")


def test_many_changes_are_committed_in_parts(own, folder, monkeypatch, no_embedding):
    monkeypatch.setattr(update_records, "_DESCRIBED_AT_ONCE", 2)
    for name in PICTURES:
        (folder / f"{name}.txt").write_text("words")
    assert own.sync().described == len(PICTURES)
    assert len(found(own, "has:caption")) == len(PICTURES)
    assert own.verify() == []


def test_a_library_of_an_earlier_version_reads_its_sidecars_once(own, folder):
    with closing(sqlite3.connect(own.info().path / FILE_NAME)) as connection:
        connection.execute("DROP TABLE sidecars")
    library = Library.open(own.info().path, encoder=own.encoder)
    assert len(library) == len(PICTURES)
    assert library.sync().described == 1
    assert library.sync().described == 0


def test_tombstones_stay_with_a_rewritten_shard(own, folder):
    removed = own.search("", where="name:green.png")[0].id
    own.remove(removed)
    (folder / "red.txt").write_text("second")
    assert own.sync().described == 1
    assert removed not in {item for item, _ in state(own).values()}
    assert own.verify() == []


def test_pictures_in_local_time(folder, tmp_path, encoder):
    from PIL import Image

    from tests.unit.metadata.test_exif import exif

    for number, (name, stamp, zone) in enumerate(
        [
            ("phone.jpg", "2024:01:01 00:30:00", "+01:00"),
            ("camera.jpg", "2024:01:01 00:30:00", None),
            ("evening.jpg", "2024:07:04 20:30:00", "-05:00"),
            ("before.jpg", "2023:12:31 23:50:00", "+01:00"),
        ]
    ):
        made = exif(details={0x9003: stamp} | ({0x9011: zone} if zone else {}))
        Image.new("RGB", (60, 40), (number, 9, 9)).save(tmp_path / name, exif=made)
    Image.new("RGB", (60, 40), (99, 9, 9)).save(tmp_path / "IMG-20240101-WA0001.jpg")
    library = Library.build(tmp_path, tmp_path / "l.snapseek", encoder=encoder)
    named = "IMG-20240101-WA0001.jpg"
    assert found(library, "date:2024-01-01") == [named, "camera.jpg", "phone.jpg"]
    assert found(library, "date:2024-07-04") == ["evening.jpg"]
    assert found(library, "year:2023") == ["before.jpg"]
    assert found(library, 'taken_from:"file name"') == [named]
    assert found(library, "taken_from:exif taken_offset_minutes:60") == ["before.jpg", "phone.jpg"]
    ordered = [h.meta["name"] for h in library.search("", where="has:taken_from", sort="oldest", limit=9)]
    assert ordered.index("before.jpg") < ordered.index("phone.jpg") < ordered.index("camera.jpg")
    moment = next(h for h in library.browse(20) if h.meta["name"] == "phone.jpg").meta["taken"]
    assert moment.startswith("2023-12-31T23:30")


def test_the_vectors_of_a_rewritten_shard_are_the_same_file(own, folder):
    (folder / "red.txt").write_text("second")
    (before,) = (own.info().path / "shards").glob("*.snap")
    data, inode = before.read_bytes(), before.stat().st_ino
    own.sync()
    (after,) = (own.info().path / "shards").glob("*.snap")
    assert np.array_equal(np.frombuffer(data, "u1"), np.frombuffer(after.read_bytes(), "u1"))
    assert (after.name != before.name, after.stat().st_ino) == (True, inode)


def test_all_metadata_is_read_again_on_request(own, folder, no_embedding):
    before = state(own)
    with exclusive_writer(own.info().path) as database, database.transaction():
        database.connection.execute("DELETE FROM sidecars")
    report = own.sync(metadata=True)
    assert (report.described, report.unchanged) == (len(PICTURES), 0)
    assert found(own, "caption:first") == ["red.jpg"]
    assert state(own) == before
    assert own.sync().described == 0


def test_metadata_of_archives_is_left_alone(tmp_path, folder, encoder, no_embedding, monkeypatch):
    import tarfile

    monkeypatch.undo()
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(folder / "red.jpg", "red.jpg")
    library = Library.build(tmp_path / "a.tar", tmp_path / "l", encoder=encoder)
    assert library.sync(metadata=True).described == 0


def test_what_a_sidecar_says_counts_before_the_file(tmp_path, encoder):
    from PIL import Image

    from tests.unit.metadata.test_exif import exif
    from tests.unit.metadata.test_xmp import described_block

    folder = tmp_path / "p"
    folder.mkdir()
    made = exif(
        details={0x9003: "1999:01:01 00:00:00"},
        gps={1: "N", 2: (10.0, 0.0, 0.0), 3: "E", 4: (10.0, 0.0, 0.0)},
    )
    old = described_block("<dc:description>old words</dc:description>", xmp_Rating="1")
    new = described_block(
        "<dc:description>new words</dc:description>",
        exif_DateTimeOriginal="2021-05-06T07:08:09",
        exif_GPSLatitude="48,50N",
        exif_GPSLongitude="2,20E",
        xmp_Rating="5",
    )
    Image.new("RGB", (60, 40), "red").save(folder / "a.jpg", exif=made, xmp=old)
    (folder / "a.jpg.xmp").write_bytes(new)
    Image.new("RGB", (60, 40), "green").save(folder / "b.jpg", exif=made)
    takeout = {
        "title": "b.jpg",
        "description": "",
        "photoTakenTime": {"timestamp": "1620284889"},
        "geoData": {"latitude": 48.8, "longitude": 2.3},
    }
    (folder / "b.jpg.supplemental-metadata.json").write_text(json.dumps(takeout))
    Image.new("RGB", (60, 40), "blue").save(folder / "c.jpg", xmp=old)
    (folder / "c.txt").write_text("typed words")
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    hits = {hit.meta["name"]: hit for hit in library.browse(9)}
    assert [hits[name].caption for name in sorted(hits)] == ["new words", None, "typed words"]
    assert hits["a.jpg"].meta["taken"].startswith("2021-05-06T07:08:09")
    assert hits["a.jpg"].meta["latitude"] == pytest.approx(48.8333, abs=1e-3)
    assert hits["b.jpg"].meta["taken"].startswith("2021-05-06T07:08:09")
    assert hits["b.jpg"].meta["latitude"] == 48.8
    assert found(library, "rating:>3") == ["a.jpg"]
    assert found(library, "rating:1") == ["c.jpg"]
