import io

import pytest
from PIL import Image

from snapseek.images import open_image
from snapseek.metadata import ImageMetadata
from snapseek.metadata.iptc import read_iptc


def field(record, number, value):
    return bytes([0x1C, record, number]) + len(value).to_bytes(2, "big") + value


WORDS = [(5, b"Gate"), (25, b"red"), (25, "Tür".encode()), (120, b"A red gate")]
BLOCK = field(1, 90, b"\x1b%G") + b"".join(field(2, number, value) for number, value in WORDS)
EXPECTED = ImageMetadata(title="Gate", caption="A red gate", tags=("red", "Tür"))


def test_title_caption_and_keywords():
    assert read_iptc(BLOCK) == EXPECTED


def test_an_encoding_that_is_not_named():
    assert read_iptc(field(2, 25, "Tür".encode("latin-1"))).tags == ("Tür",)


@pytest.mark.parametrize("length", range(len(BLOCK)))
def test_a_block_cut_anywhere(length):
    read_iptc(BLOCK[:length])


def test_a_length_beyond_the_block():
    assert read_iptc(field(2, 5, b"a") + b"\x1c\x02\x19\xff\xff" + b"x" * 10) == ImageMetadata(title="a")


def test_inside_a_jpeg():
    plain = io.BytesIO()
    Image.new("RGB", (9, 9)).save(plain, "JPEG")
    resource = b"8BIM\x04\x04\0\0" + len(BLOCK).to_bytes(4, "big") + BLOCK + b"\0" * (len(BLOCK) % 2)
    segment = b"Photoshop 3.0\0" + resource
    head = b"\xff\xed" + (len(segment) + 2).to_bytes(2, "big") + segment
    data = plain.getvalue()
    assert open_image(data[:2] + head + data[2:]).metadata == EXPECTED
