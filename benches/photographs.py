"""Pictures for measurements, made from the demo pictures: many of camera size, and some of every kind."""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

DEMO = sorted((Path(__file__).parents[1] / "demo" / "pictures").rglob("*.jpg"))
_MAX_SIDE = 4800
_GRAIN = (
    4.5  # as sensors have: without it an enlarged picture is a third of a camera's file and decodes faster
)
_ORIENTATION = 0x0112


def write_photographs(folder: Path, count: int, threads: int) -> None:
    """`count` JPEG files of 3 to 12 megapixels at quality 90, about 0.18 bytes a pixel as cameras write."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(1).normal(128, _GRAIN, (_MAX_SIDE, _MAX_SIDE, 3))
    grain = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda n: _write_photograph(folder / f"{n:05}.jpg", n, grain), range(count)))


def _write_photograph(path: Path, number: int, grain: Image.Image) -> None:
    large = enlarged(number, 3e6 + number * 0.618034 % 1 * 9e6)
    grained = ImageChops.add(large, grain.crop((0, 0, *large.size)), 1, -128)
    grained.save(path, "JPEG", quality=90)


def enlarged(number: int, pixels: float) -> Image.Image:
    """Return a demo picture resized to `pixels` pixels."""
    small = Image.open(DEMO[number % len(DEMO)]).convert("RGB")
    scale = (pixels / (small.width * small.height)) ** 0.5
    width, height = (min(_MAX_SIDE, round(side * scale)) for side in small.size)
    return small.resize((width, height), Image.Resampling.BICUBIC)


def every_kind(count: int) -> Iterator[tuple[str, bytes]]:
    """(what it is, its bytes): `count` files, each from a picture of its own, 0.1 to 12 megapixels."""
    for number in range(count):
        name, encode = _KINDS[number % len(_KINDS)]
        yield name, encode(enlarged(number * 7, 1e5 * 1.13 ** (number % 40)))


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()


def _faded(picture: Image.Image) -> Image.Image:
    """Transparent on the left, opaque on the right."""
    alpha = Image.linear_gradient("L").rotate(90).resize(picture.size)
    return Image.merge("RGBA", (*picture.split(), alpha))


def _rotated(picture: Image.Image, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    return _saved(picture, "JPEG", quality=90, exif=exif)


_KINDS: list[tuple[str, Callable[[Image.Image], bytes]]] = [
    ("JPEG", lambda picture: _saved(picture, "JPEG", quality=90)),
    ("JPEG, progressive, 4:4:4", lambda p: _saved(p, "JPEG", quality=95, progressive=True, subsampling=0)),
    ("JPEG, gray", lambda picture: _saved(picture.convert("L"), "JPEG", quality=90)),
    ("JPEG, CMYK", lambda picture: _saved(picture.convert("CMYK"), "JPEG", quality=90)),
    ("JPEG, rotated by EXIF", lambda picture: _rotated(picture, 6)),
    ("JPEG, mirrored by EXIF", lambda picture: _rotated(picture, 5)),
    ("PNG", lambda picture: _saved(picture, "PNG", compress_level=1)),
    ("PNG, palette", lambda picture: _saved(picture.quantize(64), "PNG", compress_level=1)),
    ("PNG, transparent", lambda picture: _saved(_faded(picture), "PNG", compress_level=1)),
    ("PNG, gray", lambda picture: _saved(picture.convert("L"), "PNG", compress_level=1)),
    ("WebP", lambda picture: _saved(picture, "WEBP", quality=80, method=0)),
    ("WebP, transparent", lambda picture: _saved(_faded(picture), "WEBP", quality=80, method=0)),
    ("TIFF", lambda picture: _saved(picture, "TIFF")),
]
