"""snapseek.images.decode.read_metadata: what a file says, without decoding it."""

import io
import struct

import pytest
from PIL import Image, TiffImagePlugin
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngInfo

from snapseek.errors import PictureError
from snapseek.images import open_image, read_metadata
from tests.unit.metadata.test_xmp import EXPECTED, block

IPTC = b"".join(
    bytes([0x1C, 2, number]) + len(text).to_bytes(2, "big") + text
    for number, text in ((5, b"Pier"), (25, b"sea"), (25, b"gran"), (120, "Tür".encode("latin-1")))
)


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.avif", "a.png", "a.tif"])
def test_the_same_as_of_a_decoded_picture(tmp_path, name):
    picture = Image.new("RGB", (19, 9))
    if name == "a.png":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", block().decode())
        picture.save(tmp_path / name, pnginfo=info)
    elif name == "a.tif":
        picture.save(tmp_path / name, tiffinfo={700: block()})
    else:
        picture.save(tmp_path / name, xmp=block())
    assert read_metadata(tmp_path / name) == open_image(tmp_path / name).metadata == EXPECTED


def test_texts_after_the_pixels_of_a_png(tmp_path):
    data = io.BytesIO()
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", block().decode(), zip=False)
    Image.new("RGB", (9, 9)).save(data, "PNG", pnginfo=info)
    whole = data.getvalue()
    start, pixels, end = whole.index(b"iTXt") - 4, whole.index(b"IDAT") - 4, whole.index(b"IEND") - 4
    (tmp_path / "a.png").write_bytes(whole[:start] + whole[pixels:end] + whole[start:pixels] + whole[end:])
    assert read_metadata(tmp_path / "a.png") == EXPECTED


def test_no_pixels_of_a_jpeg_are_decoded(tmp_path, monkeypatch):
    Image.new("RGB", (19, 9)).save(tmp_path / "a.jpg", xmp=block())
    monkeypatch.setattr(JpegImageFile, "load", None)
    assert read_metadata(tmp_path / "a.jpg") == EXPECTED


@pytest.mark.parametrize("kind", [7, 4], ids=["bytes", "numbers"])
def test_iptc_in_a_tiff(tmp_path, kind):
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info.tagtype[33723] = 7
    info[33723] = IPTC + bytes(-len(IPTC) % 4)
    Image.new("RGB", (9, 9)).save(tmp_path / "a.tif", tiffinfo=info)
    data = (tmp_path / "a.tif").read_bytes()
    entry, count = (
        struct.pack("<HHL", 33723, 7, len(info[33723])),
        len(info[33723]) // (1 if kind == 7 else 4),
    )
    assert entry in data
    (tmp_path / "a.tif").write_bytes(data.replace(entry, struct.pack("<HHL", 33723, kind, count)))
    found = open_image(tmp_path / "a.tif").metadata
    assert (found.title, found.caption, found.tags) == ("Pier", "Tür", ("sea", "gran"))


@pytest.mark.parametrize("content", [b"", b"x", b"\xff\xd8\xff\xe1"])
def test_a_file_that_is_no_picture(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(PictureError):
        read_metadata(tmp_path / "a.jpg")


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(PictureError):
        read_metadata(tmp_path / "a.jpg")
