"""RAW files of cameras in tar archives: found, indexed by the picture inside, and shown."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from snapseek import file_kinds
from snapseek.library import Library
from snapseek.server import create_app
from snapseek.sources.tar import TarImages
from tests.support.asgi_client import LOCALHOST, ask
from tests.support.camera_files import RED, write_dng
from tests.support.sample_pictures import encoded, quarters

pytest.importorskip("rawpy")


@pytest.fixture
def archive(tmp_path):
    write_dng(tmp_path / "a.dng", orientation=6)
    members = {
        "IMG_1.DNG": (tmp_path / "a.dng").read_bytes(),
        "IMG_2.jpg": encoded(quarters(), "JPEG"),
        "IMG_2.dng": (tmp_path / "a.dng").read_bytes(),  # belongs to the picture before
        "IMG_3.nef": encoded(quarters(), "JPEG"),  # is what it is, whatever its name says
        "IMG_4.cr2": b"II*\0" + b"x" * 100,
    }
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return tmp_path / "a.tar"


def names(archive):
    return [picture.within for picture in TarImages(archive).find()]


def test_raw_members_are_listed_without_those_of_pictures(archive, monkeypatch):
    assert names(archive) == ["IMG_1.DNG", "IMG_2.jpg", "IMG_3.nef", "IMG_4.cr2"]
    source = TarImages(archive)
    assert [len(picture.data) > 0 for picture in source.read(source.find())] == [True] * 4
    monkeypatch.setattr(file_kinds, "can_read_raw", lambda: False)
    assert names(archive) == ["IMG_2.jpg"]


def test_they_are_indexed_and_shown_as_those_of_folders(archive, tmp_path, encoder):
    library = Library.build(archive, tmp_path / "library", encoder=encoder)
    found = {hit.meta["name"]: hit for hit in library.browse(9)}
    assert sorted(found) == ["IMG_1.DNG", "IMG_2.jpg", "IMG_3.nef"]
    raw = found["IMG_1.DNG"]
    assert (raw.width, raw.height, raw.meta["kind"], raw.meta["camera"]) == (96, 128, "raw", "Test Cam")
    (failure,) = library.failures()
    assert "IMG_4.cr2" in str(failure.path)
    assert "RAW" in failure.reason
    reply = ask(create_app(library), f"/api/image/{raw.id}", headers=[LOCALHOST])
    assert (reply.status, reply.headers["content-type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(reply.body)) as shown:
        assert shown.size == (96, 128)
        assert np.asarray(shown, float).mean((0, 1)) == pytest.approx(RED, abs=3)


def test_an_empty_member_is_reported_as_empty(tmp_path, encoder):
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        for name, data in {"a.jpg": encoded(quarters(), "JPEG"), "b.jpg": b"", "c.dng": b""}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    library = Library.build(tmp_path / "a.tar", tmp_path / "library", encoder=encoder)
    reasons = {failure.path.name: failure.reason for failure in library.failures()}
    assert sorted(reasons) == ["b.jpg", "c.dng"]
    assert all("empty" in reason for reason in reasons.values()), reasons
