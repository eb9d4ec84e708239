"""Formats are detected by first bytes, not by name."""

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from snapseek.images import formats, open_image
from snapseek.images.formats import format_names
from tests.support.sample_pictures import KIND_NAMES, corner_names, encoded, quarters, reason_for


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_every_kind_is_opened(kind: str, tmp_path: Path) -> None:
    data = encoded(quarters(), kind)
    path = tmp_path / "no-extension"
    path.write_bytes(data)
    for source in (data, path):
        found = open_image(source)
        assert (found.width, found.height, found.image.mode) == (80, 60, "RGB")
        assert found.media_type == f"image/{kind.lower()}"
        assert found.size_bytes == len(data)
        assert corner_names(found.image) == ["red", "green", "blue", "white"]


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_one_pixel_is_a_picture(kind: str) -> None:
    found = open_image(encoded(Image.new("RGB", (1, 1), "white"), kind), min_side=224)
    assert found.image.size == (found.width, found.height) == (1, 1)


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(encoded(quarters(), "PNG"))
    assert open_image(path).media_type == "image/png"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system with names of any bytes")
def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/gr\xfc\xdfe.png"))
    path.write_bytes(encoded(quarters()))
    assert open_image(path).width == 80


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"hello, I am a letter\n", "text"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"%PDF-1.7\n\xe2\xe3", "PDF"),
        (b"PK\x03\x04\x14\0\0\0", "ZIP"),
        (b"8BPS\0\x01" + bytes(20), "Photoshop"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video"),
        (b"\xff\x0a" + bytes(30), "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\0\x01\x02\x03" * 9, "unknown"),
        (b"\0", "unknown"),
    ],
)
def test_other_files_are_named(data: bytes, found: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(data)
    for source in (data, path):
        reason = reason_for(source)
        assert f"expected {format_names()}" in reason
        assert found in reason


def test_heic_with_its_plugin() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Apple", 6
    plain, lying = (
        open_image(encoded(quarters(), "HEIC")),
        open_image(encoded(quarters(), "HEIC", exif=exif.tobytes())),
    )
    assert (plain.width, plain.height, plain.kind, plain.media_type) == (80, 60, "heic", "image/heic")
    assert corner_names(plain.image) == ["red", "green", "blue", "white"]
    assert lying.metadata.camera == "Apple"
    assert (lying.width, lying.height) == lying.image.size


@pytest.mark.parametrize("length", [40, 200, 400])
def test_heic_that_is_cut(length: int) -> None:
    assert "HEIC" in reason_for(encoded(quarters(), "HEIC")[:length])


def test_heic_without_its_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", tuple(kind for kind in formats.FORMATS if kind.name != "HEIC"))
    reason = reason_for(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert f"expected {format_names()}" in reason
    assert "pip install pillow-heif" in reason


def test_kinds_outside_the_list_are_not_opened() -> None:
    for kind in ("ICO", "PPM", "TGA", "PCX"):
        assert "expected JPEG" in reason_for(encoded(quarters(), kind))
