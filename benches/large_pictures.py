"""Distinct large JPEG pictures at the price of a few: encoded bodies whose quantization tables are changed.

The first entry of a table scales the brightness (or colour) of every 8 x 8 block. So each changed byte is a
picture of its own, in its pixels and in its hash, without encoding anything again.
"""

import io
from functools import cache

import numpy as np
from PIL import Image

BODIES = 24
MIN_MEGAPIXELS, MAX_MEGAPIXELS = 5.0, 24.0
_ASPECT = 1.5
_STEPS = 60  # of the brightness, from a quarter of the encoded contrast to four times that
_TABLE = b"\xff\xdb"
_TABLE_HEAD = 5  # marker, length, and number of a table


def large_picture(number: int, scale: float = 1.0) -> bytes:
    """Return the JPEG of that number: 5 to 24 megapixels, `scale` times that for a short run."""
    body = bytearray(_body(number % BODIES, scale))
    step = number // BODIES
    body[_tables(body)[0]] = 4 + step % _STEPS
    body[_tables(body)[1]] = 4 + step // _STEPS % _STEPS
    return bytes(body)


@cache
def _body(index: int, scale: float) -> bytes:
    share = index / (BODIES - 1)
    pixels = (MIN_MEGAPIXELS + share * (MAX_MEGAPIXELS - MIN_MEGAPIXELS)) * 1e6 * scale
    height = int((pixels / _ASPECT) ** 0.5)
    noise = np.random.default_rng(index).integers(0, 256, (36, 54, 3), np.uint8)
    picture = Image.fromarray(noise).resize((int(height * _ASPECT), height), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=60)
    return stream.getvalue()


def _tables(body: bytes | bytearray) -> list[int]:
    """Return the offsets of the first entries of both quantization tables."""
    first = body.find(_TABLE)
    return [first + _TABLE_HEAD, body.find(_TABLE, first + 1) + _TABLE_HEAD]
