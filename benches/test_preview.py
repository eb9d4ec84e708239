"""How long opening a picture and making its preview take.

    pytest benches/test_preview.py --benchmark-only

The photographs are the demo's, about 420 x 280 pixels; the large one is 4000 x 3000.
"""

import io
from itertools import cycle
from pathlib import Path

import pytest
from PIL import Image

from snapseek.images import make_preview, open_image

PICTURES = Path(__file__).resolve().parent.parent / "python" / "snapseek" / "demo" / "pictures"


@pytest.fixture(scope="module")
def files() -> list[Path]:
    return sorted(PICTURES.rglob("*.jpg"))


@pytest.fixture(scope="module")
def large_jpeg(files: list[Path]) -> bytes:
    target = io.BytesIO()
    with Image.open(files[0]) as picture:
        picture.resize((4000, 3000)).save(target, "JPEG")
    return target.getvalue()


def test_make_preview(benchmark, files) -> None:
    images = cycle([open_image(file).image for file in files])
    benchmark.pedantic(lambda: make_preview(next(images)), rounds=3 * len(files))


def test_open_small_jpeg(benchmark, files) -> None:
    endless = cycle(files)
    benchmark.pedantic(lambda: open_image(next(endless), min_side=224), rounds=3 * len(files))


@pytest.mark.parametrize("min_side", [224, None])
def test_open_large_jpeg(benchmark, large_jpeg, min_side) -> None:
    benchmark(open_image, large_jpeg, min_side=min_side)


def test_make_preview_of_a_large_picture(benchmark, large_jpeg) -> None:
    benchmark(make_preview, open_image(large_jpeg, min_side=224).image)
