"""Twelve pictures of the page, to be looked at: `make screenshots`.

    python -m benches.screenshots LIBRARY OUT

Phone, desktop and 4K, by turns light and dark, of results, an opened picture, an empty answer and an error.
"""

import argparse
from itertools import product
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.support.page_server import CHROMIUM, FLAGS, serving

SIZES = {
    "phone": ({"width": 390, "height": 844}, 2),
    "desktop": ({"width": 1440, "height": 900}, 1),
    "4k": ({"width": 3840, "height": 2160}, 1),
}
WORDS = "a sailing boat"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with serving(given.library) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        scenes = product(SIZES, ("results", "lightbox", "empty", "error"))
        for turn, (size, scene) in enumerate(scenes):
            scheme = ("light", "dark")[(turn + turn // 4) % 2]
            viewport, scale = SIZES[size]
            page = browser.new_page(viewport=viewport, device_scale_factor=scale, color_scheme=scheme)
            show(page, address, scene)
            page.screenshot(path=given.out / f"{size}-{scheme}-{scene}.png")
            page.close()
        browser.close()


def show(page: Page, address: str, scene: str) -> None:
    """Bring the page to the scene and let it come to rest."""
    page.goto(f"{address}/?q={WORDS}")
    page.get_by_test_id("preview").first.wait_for()
    box = page.get_by_test_id("search-input")
    if scene == "lightbox":
        page.get_by_test_id("tile").first.click()
    elif scene == "empty":
        page.goto(f"{address}/?q={WORDS}&where=year:1900")
        page.get_by_test_id("empty").wait_for()
    elif scene == "error":
        box.fill("horse + -")
        page.get_by_test_id("error").wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(400)


if __name__ == "__main__":
    main()
