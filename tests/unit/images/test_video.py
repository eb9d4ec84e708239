"""snapseek.images.video: one frame of a video."""

import sys
from datetime import UTC, datetime

import numpy as np
import pytest

from snapseek.images import open_image
from tests.support.camera_files import RED, write_video
from tests.support.sample_pictures import encoded, quarters, reason_for

pytest.importorskip("av")


@pytest.mark.parametrize("suffix", [".mp4", ".MOV", ".avi", ".mkv"])
def test_a_frame_after_the_black_ones_and_the_duration(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_video(path)
    found = open_image(path)
    assert (found.width, found.height, found.kind) == (64, 48, "video")
    assert found.duration_s == pytest.approx(3, abs=0.2)
    assert np.asarray(found.image, float).mean((0, 1)) == pytest.approx(RED, abs=8)


def test_time_of_the_recording(tmp_path):
    write_video(tmp_path / "a.mov", seconds=1, creation_time="2021-02-03T04:05:06Z")
    assert open_image(tmp_path / "a.mov").metadata.taken == datetime(2021, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_a_picture_has_no_duration():
    assert open_image(encoded(quarters(), "JPEG")).duration_s is None


def test_damage_is_named(tmp_path):
    write_video(tmp_path / "whole.mp4")
    data = (tmp_path / "whole.mp4").read_bytes()
    for content in (b"no video" * 20, data[:200], data[: len(data) // 2]):
        (tmp_path / "bad.mp4").write_bytes(content)
        reason = reason_for(tmp_path / "bad.mp4")
        assert "video" in reason
        assert "bad.mp4" not in reason
    (tmp_path / "bad.mp4").write_bytes(b"")
    assert "empty" in reason_for(tmp_path / "bad.mp4")


def test_the_hint_names_the_package(tmp_path, monkeypatch):
    write_video(tmp_path / "a.mp4", seconds=1)
    monkeypatch.setitem(sys.modules, "av", None)
    assert 'pip install "snapseek[video]"' in reason_for(tmp_path / "a.mp4")
