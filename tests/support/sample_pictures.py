"""Small pictures with known corners, and their encodings."""

import io
from pathlib import Path

import pytest
from PIL import Image, features

from snapseek.errors import PictureError
from snapseek.images import open_image
from snapseek.images.formats import FORMATS

KIND_NAMES = [kind.name for kind in FORMATS]
AVIF = pytest.param(
    "AVIF", marks=pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
)


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    target = io.BytesIO()
    if kind == "HEIC":
        from pillow_heif import from_pillow

        from_pillow(picture).save(target, **options)
        return target.getvalue()
    picture.save(target, kind, **options)
    return target.getvalue()


def quarters(width: int = 80, height: int = 60) -> Image.Image:
    """Red top left, green top right, blue bottom left, white bottom right."""
    picture = Image.new("RGB", (width, height), "white")
    picture.paste("#ff0000", (0, 0, width // 2, height // 2))
    picture.paste("#00ff00", (width // 2, 0, width, height // 2))
    picture.paste("#0000ff", (0, height // 2, width // 2, height))
    return picture


def corner_names(picture: Image.Image) -> list[str]:
    """The colours of the four corners, from top left in reading order."""
    names = {(255, 0, 0): "red", (0, 255, 0): "green", (0, 0, 255): "blue", (255, 255, 255): "white"}
    right, bottom = picture.width - 3, picture.height - 3
    points = [(2, 2), (right, 2), (2, bottom), (right, bottom)]
    return [names[tuple(round(level / 255) * 255 for level in picture.getpixel(point))] for point in points]


def reason_for(source: Path | bytes, **options: int) -> str:
    with pytest.raises(PictureError) as caught:
        open_image(source, **options)
    reason = str(caught.value)
    assert reason
    assert "\n" not in reason
    return reason
