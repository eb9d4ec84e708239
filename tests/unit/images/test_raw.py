"""snapseek.images.raw: RAW files by the picture inside."""

import sys
from contextlib import suppress
from datetime import UTC, datetime

import numpy as np
import pytest

from snapseek.errors import PictureError
from snapseek.images import open_image
from tests.support.camera_files import RED, write_dng
from tests.support.sample_pictures import encoded, quarters, reason_for

pytest.importorskip("rawpy")


def mean(decoded):
    return np.asarray(decoded.image, float).mean((0, 1))


@pytest.mark.parametrize(
    ("orientation", "expected"), [(1, (128, 96)), (3, (128, 96)), (6, (96, 128)), (8, (96, 128))]
)
def test_the_jpeg_inside_is_shown_upright(tmp_path, orientation, expected):
    write_dng(tmp_path / "a.dng", orientation=orientation)
    found = open_image(tmp_path / "a.dng")
    assert (found.width, found.height) == found.image.size == expected
    assert found.kind == "raw"
    assert mean(found) == pytest.approx(RED, abs=3)


def test_a_file_without_a_jpeg_is_developed(tmp_path):
    write_dng(tmp_path / "a.DNG", preview=False, orientation=6)
    found = open_image(tmp_path / "a.DNG")
    assert (found.width, found.height) == (96, 128)
    assert found.image.size == (48, 64)


def test_time_and_camera_are_read(tmp_path):
    write_dng(tmp_path / "a.dng")
    metadata = open_image(tmp_path / "a.dng").metadata
    assert (metadata.taken, metadata.camera) == (datetime(2020, 5, 6, 7, 8, 9, tzinfo=UTC), "Test Cam")


def test_a_picture_with_the_name_of_a_raw_file_is_read_as_what_it_is(tmp_path):
    (tmp_path / "a.cr2").write_bytes(encoded(quarters(), "JPEG"))
    assert open_image(tmp_path / "a.cr2").kind == "jpeg"


@pytest.mark.parametrize("data", [b"II*\0" + b"x" * 100, b"no picture", b"", b"II*\0"])
def test_damage_is_named(tmp_path, data):
    (tmp_path / "a.nef").write_bytes(data)
    reason = reason_for(tmp_path / "a.nef")
    assert "RAW" in reason or "empty" in reason
    assert "a.nef" not in reason


def test_a_cut_file_is_read_or_refused_in_words(tmp_path):
    write_dng(tmp_path / "whole.dng")
    data = (tmp_path / "whole.dng").read_bytes()
    for length in range(0, len(data), 997):
        (tmp_path / "cut.dng").write_bytes(data[:length])
        with suppress(PictureError):
            open_image(tmp_path / "cut.dng")


def test_the_hint_names_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    write_dng(tmp_path / "a.dng")
    assert 'pip install "snapseek[raw]"' in reason_for(tmp_path / "a.dng")
