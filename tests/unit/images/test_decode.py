"""Decoding pictures: upright, downscaled, within bounds; every failure is a PictureError."""

import contextlib
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from snapseek.errors import PictureError
from snapseek.images import decode, open_image
from tests.support.sample_pictures import AVIF, KIND_NAMES, corner_names, encoded, quarters, reason_for

# --- upright


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WebP", AVIF])
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    inverse = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    turn = inverse.get(orientation, decode._UPRIGHT_BY.get(orientation))
    stored = quarters() if turn is None else quarters().transpose(turn)
    found = open_image(encoded(stored, kind, exif=exif))
    assert found.image.size == (found.width, found.height) == (80, 60)
    assert corner_names(found.image) == ["red", "green", "blue", "white"]


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_invalid_orientations_are_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert corner_names(open_image(encoded(quarters(), "JPEG", exif=exif)).image)[0] == "red"


def test_damaged_exif_does_not_hide_the_picture() -> None:
    data = encoded(quarters(), "PNG", exif=b"Exif\0\0" + b"\xff" * 40)
    assert open_image(data).width == 80


def test_metadata_does_not_travel_with_the_pixels() -> None:
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    found = open_image(encoded(quarters(), "JPEG", exif=exif, comment=b"where I live"))
    assert found.image.info == {}
    assert found.image.getexif() == {}


# --- shrinking while reading


@pytest.mark.parametrize(
    ("min_side", "expected"),
    [(None, (1600, 1200)), (600, (1600, 1200)), (300, (800, 600)), (100, (400, 300))],
)
def test_a_jpeg_is_downscaled_to_twice_the_side(min_side: int | None, expected: tuple[int, int]) -> None:
    found = open_image(encoded(quarters(1600, 1200), "JPEG"), min_side=min_side)
    assert found.image.size == expected
    assert (found.width, found.height) == (1600, 1200)
    assert corner_names(found.image) == ["red", "green", "blue", "white"]


def test_a_rotated_jpeg_is_downscaled_and_rotated() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = open_image(encoded(quarters(1600, 1200), "JPEG", exif=exif), min_side=100)
    assert found.image.size == (300, 400)
    assert (found.width, found.height) == (1200, 1600)


def test_other_formats_are_decoded_in_full_size() -> None:
    assert open_image(encoded(quarters(1600, 1200)), min_side=10).image.size == (1600, 1200)


# --- bounds


def png_header(width: int, height: int) -> bytes:
    """A PNG with a header of width x height gray pixels and no data."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    end = b"IEND"
    chunks = (header, b"IDAT" + zlib.compress(b""), end)
    parts = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def jpeg_that_claims(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A small JPEG whose header was changed to a larger size."""
    data = bytearray(encoded(quarters(), "JPEG", progressive=progressive))
    start = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def test_a_huge_png_is_refused_from_its_header() -> None:
    assert reason_for(png_header(30_000, 30_000), min_side=224).startswith("the picture has 900 megapixels")


def test_a_png_just_above_the_bound_is_refused() -> None:
    assert "the limit is 200" in reason_for(png_header(20_000, 10_001))


def test_a_png_just_below_the_bound_is_not_refused_for_its_size() -> None:
    assert "megapixels" not in reason_for(png_header(20_000, 10_000))


def test_a_huge_jpeg_is_refused_unless_it_is_shrunk_while_read() -> None:
    data = jpeg_that_claims(30_000, 30_000)
    assert "900 megapixels" in reason_for(data)
    found = open_image(data, min_side=224)
    assert found.image.size == (3750, 3750)
    assert (found.width, found.height) == (30_000, 30_000)


def test_a_huge_progressive_jpeg_is_refused_because_it_would_be_held_whole() -> None:
    assert "900 megapixels" in reason_for(jpeg_that_claims(30_000, 30_000, progressive=True), min_side=224)


def test_shrinking_has_a_bound_too() -> None:
    assert "3600 megapixels" in reason_for(jpeg_that_claims(60_000, 60_000), min_side=10)


def _tiff_field(tag: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, 4, 1, value)


_SIZE_FIELDS = {
    "GIF": [(struct.pack("<HH", 16, 16), struct.pack("<HH", 65_000, 65_000))],
    "BMP": [(struct.pack("<ii", 16, 16), struct.pack("<ii", 65_000, 65_000))],
    "TIFF": [(_tiff_field(tag, 16), _tiff_field(tag, 65_000)) for tag in (256, 257)],
}


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_decompression_bombs_of_other_kinds(kind: str) -> None:
    data = encoded(Image.new("L", (16, 16)), kind)
    for before, after in _SIZE_FIELDS[kind]:
        assert before in data
        data = data.replace(before, after, 1)
    assert "4225 megapixels" in reason_for(data)


def test_pillows_own_bomb_check_becomes_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert "more pixels than Pillow decodes" in reason_for(encoded(quarters(), "TIFF"))


def test_a_file_above_the_bound_is_refused_unread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(decode, "MAX_FILE_BYTES", 2**20)
    path = tmp_path / "big.png"
    with path.open("wb") as file:
        file.truncate(3 * 2**20)
    assert reason_for(path) == "the file has 3 MiB, and the limit is 1 MiB"


def test_pillows_settings_stay_as_the_host_left_them() -> None:
    before = Image.MAX_IMAGE_PIXELS
    filters = list(warnings.filters)
    open_image(encoded(quarters()))
    assert before == Image.MAX_IMAGE_PIXELS
    assert warnings.filters == filters


# --- damage


@pytest.mark.parametrize("kind", [kind for kind in KIND_NAMES if kind != "JPEG"])
def test_a_file_that_ends_early_is_refused(kind: str) -> None:
    rough = Image.fromarray(np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    data = encoded(rough, kind)
    for length in (len(data) // 2, len(data) * 9 // 10):
        assert kind in reason_for(data[:length])


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_lone_signature_is_refused(kind: str) -> None:
    assert kind in reason_for(encoded(quarters(), kind)[:16].ljust(16, b"\0"))


def test_a_jpeg_that_ends_in_its_header_is_called_truncated() -> None:
    data = encoded(quarters(800, 600), "JPEG")
    assert "is truncated" in reason_for(data[: data.index(b"\xff\xda") + 16])


SAMPLES = {kind: encoded(quarters(24, 18), kind) for kind in KIND_NAMES}


@settings(max_examples=250, deadline=None)
@given(
    kind=st.sampled_from(KIND_NAMES),
    edits=st.lists(
        st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=4)), min_size=1, max_size=6
    ),
    cut=st.none() | st.integers(0, 10_000),
)
def test_damage_gives_a_picture_or_a_reason(
    kind: str, edits: list[tuple[int, bytes]], cut: int | None
) -> None:
    data = bytearray(SAMPLES[kind])
    for position, change in edits:
        start = position % len(data)
        data[start : start + len(change)] = change
    end = len(data) if cut is None else cut % len(data)
    with contextlib.suppress(PictureError):
        assert open_image(bytes(data[:end]), min_side=8).image.mode == "RGB"


def test_no_memory_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(picture: Image.Image) -> Image.Image:
        raise MemoryError

    monkeypatch.setattr(decode, "to_rgb", refuse)
    assert "not enough memory" in reason_for(encoded(quarters()))


# --- files


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    assert reason_for(path) == reason_for(b"") == "the file is empty"


def test_a_missing_file(tmp_path: Path) -> None:
    assert "does not exist any more" in reason_for(tmp_path / "gone.jpg")


def test_a_folder(tmp_path: Path) -> None:
    assert reason_for(tmp_path) == "expected a file, got a folder"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "a pipe" in reason_for(tmp_path / "pipe.jpg")


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(quarters()))
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    assert reason_for(path) == "the file cannot be read: permission denied"


def test_a_disk_error_while_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    path = tmp_path / "picture.png"
    path.write_bytes(encoded(quarters()))
    monkeypatch.setattr(Path, "open", fail)
    assert reason_for(path) == "the file cannot be read: Input/output error"


def test_a_name_with_a_nul() -> None:
    assert "name" in reason_for(Path("a\0b.jpg"))
