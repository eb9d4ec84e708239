"""Measure the size, time and similarity of previews over a folder of pictures, and write a sheet of samples.

    python -m benches.preview_figures [--pictures demo/pictures] [--sheet target/previews.png]

One thread. Reading is with the JPEG decoder's fractions, as an index does it; its time is printed separately.
"""

import argparse
import io
import time
from pathlib import Path

import numpy as np
from PIL import Image

from snapseek.images import MAX_PREVIEW_BYTES, make_preview, open_image
from snapseek.images.preview import Preview
from snapseek.sources import find_pictures
from tests.support.structural_similarity import likeness, open_preview

MIN_SIDE_PX = 224
SHOWN_SIDE_PX = 256
COLUMNS, ROWS, GAP_PX = 6, 8, 8


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, default=Path("demo/pictures"))
    parser.add_argument(
        "--sheet", type=Path, help="write a sheet of samples there: picture, preview, and so on"
    )
    options = parser.parse_args()
    paths = [picture.path for picture in find_pictures(options.pictures)]
    read_ms, made_ms, previews, alike = [], [], [], []
    for path in paths:
        start = time.perf_counter()
        image = open_image(path, min_side=MIN_SIDE_PX).image
        opened = time.perf_counter()
        preview = make_preview(image)
        made_ms.append(1000 * (time.perf_counter() - opened))
        read_ms.append(1000 * (opened - start))
        previews.append(preview)
        alike.append(likeness(image, preview.data))
    sizes = np.array([len(preview.data) for preview in previews])
    sides = np.array([max(open_preview(preview.data).size) for preview in previews])
    print(f"{len(paths)} pictures of {options.pictures}, one thread")
    print(f"reading      {describe(read_ms)} ms")
    print(f"preview      {describe(made_ms)} ms")
    print(f"bytes        mean {sizes.mean():.0f}, max {sizes.max()} (bound {MAX_PREVIEW_BYTES})")
    print(f"long side    mean {sides.mean():.0f} px, {sides.min()} to {sides.max()}")
    print(f"likeness     mean SSIM {np.mean(alike):.3f}, 10 % below {np.quantile(alike, 0.1):.3f}")
    if options.sheet:
        write_sheet(options.sheet, paths, previews, np.argsort(alike))


def describe(times_ms: list[float]) -> str:
    p99 = np.quantile(times_ms, 0.99)
    return f"mean {np.mean(times_ms):.2f}, median {np.median(times_ms):.2f}, 99 % {p99:.2f}"


def write_sheet(target: Path, paths: list[Path], previews: list[Preview], order: np.ndarray) -> None:
    """Pairs of picture and preview at the same size, from the least alike to the most alike."""
    sampled = order[np.linspace(0, len(order) - 1, min(len(order), ROWS * COLUMNS // 2)).round().astype(int)]
    cell = SHOWN_SIDE_PX + GAP_PX
    sheet = Image.new("RGB", (COLUMNS * cell + GAP_PX, ROWS * cell + GAP_PX), "white")
    for position, number in enumerate(sampled):
        row, column = divmod(position, COLUMNS // 2)
        original = open_image(paths[number], min_side=SHOWN_SIDE_PX).image
        scale = SHOWN_SIDE_PX / max(original.size)
        size = (max(1, round(original.width * scale)), max(1, round(original.height * scale)))
        with Image.open(io.BytesIO(previews[number].data)) as small:
            shown = small.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        for side, image in enumerate((original.resize(size, Image.Resampling.LANCZOS), shown)):
            sheet.paste(image, (GAP_PX + (2 * column + side) * cell, GAP_PX + row * cell))
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target)
    print(f"sheet        {target}")


if __name__ == "__main__":
    main()
