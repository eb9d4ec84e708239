"""Pictures that are nothing but markers or chunks are refused before they hold the interpreter."""

import struct
import zlib

import pytest

from snapseek.errors import PictureError
from snapseek.images import open_image, pixels_to_decode
from snapseek.images.counted_reads import MIN_READS
from tests.support.sample_pictures import encoded, quarters

MANY = MIN_READS


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _jpeg(between: bytes) -> bytes:
    data = encoded(quarters(), "JPEG")
    return data[:2] + between + data[2:]


def _png(between: bytes) -> bytes:
    data = encoded(quarters(), "PNG")
    return data[:33] + between + data[33:]


@pytest.mark.parametrize(
    "data",
    [
        _jpeg(b"\xff\xe1\0\2" * MANY),
        _jpeg(b"\xff" * 2 * MANY),
        _jpeg(b"\xff\xe1\0\2" + b"x" * 2 * MANY),
        _png(_chunk(b"tEXt", b"k\0v") * MANY),
    ],
    ids=["segments", "fill bytes", "junk", "chunks"],
)
def test_too_many_pieces_are_refused(data: bytes) -> None:
    for read in (open_image, pixels_to_decode):
        with pytest.raises(PictureError, match="more pieces than a picture needs"):
            read(data)


def test_hundreds_of_pieces_are_fine() -> None:
    assert open_image(_jpeg(b"\xff\xe1\0\2" * 900)).width == 80
    assert open_image(_png(_chunk(b"tEXt", b"k\0v") * 900)).width == 80
