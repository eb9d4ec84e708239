import json
import os
from datetime import UTC, datetime

import pytest
from PIL import Image

from snapseek.library import Library
from snapseek.metadata import ImageMetadata
from snapseek.sources import find_pictures, read_sidecars
from snapseek.sources.fields.sidecar import MAX_SIDECAR_BYTES
from tests.unit.metadata.test_xmp import EXPECTED, block


def write_sidecar(tmp_path, picture="cat.jpg", **files):
    for name, content in files.items():
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        (tmp_path / name).write_bytes(data)
    return read_sidecars(tmp_path / picture)


@pytest.mark.parametrize("name", ["cat.txt", "cat.jpg.txt"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_caption_as_text(tmp_path, name, encoding):
    found = write_sidecar(tmp_path, **{name: "Ein Kätzchen\n auf Gras\n".encode(encoding)})
    assert found.metadata == ImageMetadata(caption="Ein Kätzchen auf Gras")
    assert found.notes == ()


def test_what_img2dataset_writes(tmp_path):
    sidecar = {
        "caption": "a cat",
        "url": "https://example.org/cat.jpg",
        "key": "000000001",
        "status": "success",
        "error_message": None,
        "width": 256,
        "height": 256,
        "exif": "{}",
        "md5": "x",
    }
    assert write_sidecar(tmp_path, **{"cat.json": sidecar}).metadata == ImageMetadata(caption="a cat")


TAKEOUT = {
    "title": "cat.jpg",
    "description": "Our cat",
    "photoTakenTime": {"timestamp": "1588318200", "formatted": "May 1, 2020, 7:30:00 AM UTC"},
    "geoData": {"latitude": 48.5, "longitude": 2.25, "altitude": 0.0},
    "people": [{"name": "Ada"}, {}],
}


@pytest.mark.parametrize(
    ("picture", "sidecar"),
    [
        ("cat.jpg", "cat.jpg.json"),
        ("cat.jpg", "cat.jpg.supplemental-metadata.json"),
        ("cat(1).jpg", "cat.jpg(1).json"),
        ("cat(1).jpg", "cat.jpg.supplemental-metadata(1).json"),
        ("a-name-that-is-somewhat-long.jpg", "a-name-that-is-somewhat-long.jpg.supplemental-.json"),
        (
            "a-name-that-is-much-longer-than-fifty-letters-or-so.jpg",
            "a-name-that-is-much-longer-than-fifty-letters-.json",
        ),
    ],
)
def test_what_google_takeout_writes(tmp_path, picture, sidecar):
    found = write_sidecar(tmp_path, picture, **{sidecar: TAKEOUT | {"title": picture}})
    assert found.metadata == ImageMetadata(
        taken=datetime(2020, 5, 1, 7, 30, tzinfo=UTC),
        taken_offset_minutes=0,
        taken_from="json",
        latitude=48.5,
        longitude=2.25,
        caption="Our cat",
        tags=("Ada",),
    )


def test_an_unknown_location_of_takeout(tmp_path):
    nowhere = {"latitude": 0.0, "longitude": 0.0}
    sidecar = TAKEOUT | {"geoData": nowhere, "geoDataExif": {"latitude": 1, "longitude": "2"}}
    found = write_sidecar(tmp_path, **{"cat.json": sidecar}).metadata
    assert (found.latitude, found.longitude) == (1, 2)


def test_json_with_common_field_names(tmp_path):
    sidecar = {
        "title": "Tom",
        "alt": "a cat",
        "tags": "grass, cat",
        "keywords": ["Cat", 5],
        "date": "2020-05-01",
        "lat": 1,
        "lng": 2,
    }
    assert write_sidecar(tmp_path, **{"cat.json": sidecar}).metadata == ImageMetadata(
        taken=datetime(2020, 5, 1, tzinfo=UTC),
        taken_from="json",
        latitude=1,
        longitude=2,
        title="Tom",
        caption="a cat",
        tags=("grass", "cat"),
    )


@pytest.mark.parametrize("name", ["cat.xmp", "cat.jpg.xmp"])
def test_xmp(tmp_path, name):
    assert write_sidecar(tmp_path, **{name: block()}).metadata == EXPECTED


def test_a_text_counts_before_json_and_json_before_xmp(tmp_path):
    files = {"cat.txt": b"text", "cat.json": {"caption": "json", "title": "json"}, "cat.xmp": block()}
    found = write_sidecar(tmp_path, **files).metadata
    assert (found.caption, found.title, found.camera) == ("text", "json", "Canon EOS R")


BROKEN = {
    "cat.txt": (b"\0\1\2", "expected text"),
    "cat.jpg.txt": (b"x" * (MAX_SIDECAR_BYTES + 1), "KiB"),
    "cat.json": (b"{", "Expecting"),
    "cat.jpg.json": (b"[" * 500_000, "nested too deeply"),
    "cat.jpg.supplemental-metadata.json": (b"[]", "expected a JSON object"),
    "cat.xmp": (b"<!DOCTYPE x><x/>", "document type"),
}


def test_a_damaged_sidecar_becomes_a_note(tmp_path):
    found = write_sidecar(tmp_path, **{name: data for name, (data, _) in BROKEN.items()})
    assert found.metadata == ImageMetadata()
    assert len(found.notes) == len(BROKEN)
    for note, (name, (_, reason)) in zip(found.notes, BROKEN.items(), strict=True):
        assert note.startswith(f"{name} was skipped: ")
        assert reason in note


@pytest.mark.parametrize("value", [None, True, -1, 1e400, "x", [], {}, [[]], {"latitude": []}, "9" * 5000])
def test_values_of_any_kind(tmp_path, value):
    names = [
        "caption",
        "title",
        "tags",
        "people",
        "photoTakenTime",
        "geoData",
        "latitude",
        "longitude",
        "date",
    ]
    sidecar = dict.fromkeys(names, value)
    (tmp_path / "cat.json").write_text(json.dumps(sidecar))
    assert read_sidecars(tmp_path / "cat.jpg").notes == ()


def test_other_than_regular_files_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "cat.txt")
    (tmp_path / "cat.json").mkdir()
    (tmp_path / "cat.xmp").symlink_to(tmp_path / "cat.xmp")
    found = read_sidecars(tmp_path / "cat.jpg")
    assert found.metadata == ImageMetadata()
    assert [note.partition(":")[0] for note in found.notes] == ["cat.xmp was skipped"]


def test_the_record_has_it_all(tmp_path, encoder):
    folder = tmp_path / "pictures"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x010F], exif[0x0132] = "FUJIFILM", "2001:02:03 04:05:06"
    Image.new("RGB", (9, 9), "red").save(folder / "cat.jpg", exif=exif)
    (folder / "cat.txt").write_text("a red cat")
    (folder / "cat.json").write_text(json.dumps({"tags": ["x", "y"], "date": "2020-05-01"}))
    library = Library.build(folder, tmp_path / "library", encoder=encoder)
    (hit,) = library.browse(1)
    assert hit.caption == "a red cat"
    assert hit.meta["kind"] == "jpeg"
    assert hit.meta["camera"] == "FUJIFILM"
    assert hit.meta["taken"] == "2020-05-01T00:00:00.000000Z"
    assert hit.meta["tags"] == ["x", "y"]
    assert hit.meta["title"] is hit.meta["latitude"] is None
    assert [picture.name for picture in find_pictures(folder)] == ["cat.jpg"]


def test_a_link_out_of_the_folder_is_not_read(tmp_path):
    (tmp_path / "secret.key").write_text("a secret")
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "own.text").write_text("a dog")
    (folder / "cat.txt").symlink_to(tmp_path / "secret.key")
    (folder / "dog.txt").symlink_to(folder / "own.text")
    found = read_sidecars(folder / "cat.jpg")
    assert found.metadata.caption is None
    assert found.notes == ("cat.txt was skipped: it is a link that leads out of its folder",)
    assert read_sidecars(folder / "dog.jpg").metadata.caption == "a dog"
