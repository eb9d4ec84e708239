"""Pictures of the page in every state, to be looked at: `make screenshots`.

    python -m benches.screenshots LIBRARY OUT

Phone, laptop and wide screen, light and dark. A phone has a finger instead of a mouse.
"""

import argparse
from collections.abc import Callable
from itertools import product
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.support.page_server import CHROMIUM, FLAGS, serving

SIZES = {
    "390": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
    "1280": {"viewport": {"width": 1280, "height": 800}},
    "2560": {"viewport": {"width": 2560, "height": 1440}},
}
WORDS = "a sailing boat"
QUERY = f"?q={WORDS}"


def click(test_id: str) -> Callable[[Page], None]:
    """Return what clicks on the first element with this test id."""
    return lambda page: page.get_by_test_id(test_id).first.click()


def press(*keys: str) -> Callable[[Page], None]:
    """Return what opens the first picture and presses the keys."""

    def act(page: Page) -> None:
        page.get_by_test_id("tile").first.click()
        page.get_by_test_id("lightbox").wait_for()
        for key in keys:
            page.keyboard.press(key)

    return act


def select(page: Page) -> None:
    """Select two pictures."""
    page.get_by_test_id("start-selection").click()
    for index in (0, 2):
        page.get_by_test_id("tile").nth(index).click()


def fail(page: Page) -> None:
    """Type what the server refuses."""
    page.get_by_test_id("search-input").fill("boat year:abc")
    page.get_by_test_id("error").wait_for()


def open_library(page: Page) -> None:
    """Open the library panel."""
    page.get_by_test_id("latency").click()
    page.get_by_test_id("open-library").click()
    page.get_by_test_id("folders").wait_for()


def upgrade(**job: object) -> Callable[[Page], None]:
    """Return what shows an upgrade in a state that the server is made to report."""
    fields = {"id": 9, "kind": "upgrade", "done": 0, "total": 0, "failed": 0, "message": "", "summary": ""}
    status = {"jobs": [fields | job], "version": "1", "count": 1404, "model": "starter"}

    def act(page: Page) -> None:
        page.get_by_test_id("upgrade-start").wait_for()
        page.route("**/api/jobs", lambda route: route.fulfill(json=status))
        page.get_by_test_id("upgrade-start").click()
        page.locator(f"[data-phase={job['state']}]").wait_for()

    return act


def unfinished(page: Page) -> None:
    """Type an unfinished query and press Enter."""
    page.get_by_test_id("search-input").fill("a boat -")
    page.get_by_test_id("search-input").press("Enter")
    page.get_by_test_id("notes").wait_for()


def drag(page: Page) -> None:
    """Drag something over the page."""
    page.evaluate(
        "document.body.dispatchEvent(new DragEvent('dragover', { bubbles: true, cancelable: true }))"
    )


SCENES: dict[str, tuple[str, Callable[[Page], None] | None]] = {
    "library": ("", None),
    "results": (QUERY, None),
    "captions": (QUERY, click("captions")),
    "filters": (QUERY, click("filters")),
    "chips": (
        "?term=1:words:red&term=-2:words:boat&term=1:id:5&where=type:jpeg",
        lambda page: page.get_by_test_id("term").first.get_by_role("button").first.click(),
    ),
    "readout": (QUERY, click("latency")),
    "selection": (QUERY, select),
    "picture": (QUERY, press()),
    "details": (QUERY, press("i")),
    "enlarged": (QUERY, press("r", "+", "+")),
    "help": ("", click("help")),
    "empty": (f"{QUERY}&where=year:1900", None),
    "error": (QUERY, fail),
    "drop": (QUERY, drag),
    "library-panel": (QUERY, open_library),
    "upgrade-running": (
        "",
        upgrade(
            state="running", done=312, total=1404, summary="Embedding 312 of 1,404 · 48/s · about 20 s left"
        ),
    ),
    "upgrade-failed": ("", upgrade(state="failed", message="the hub cannot be reached (606 MB)")),
    "upgrade-done": ("", upgrade(state="done")),
    "unfinished": ("", unfinished),
    "nothing-alike": ("?q=submarine", None),
    "words": ("?q=bird", None),
}


WAITED_FOR = {"empty": "empty", "nothing-alike": "end-of-results"}
"""What appears; in all other scenes it is a picture."""


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scenes", nargs="*", default=list(SCENES), choices=list(SCENES))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with serving(given.library) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for size, scheme, scene in product(SIZES, ("light", "dark"), given.scenes):
            page = browser.new_page(**SIZES[size], color_scheme=scheme)
            show(page, address, scene)
            page.screenshot(path=given.out / f"{scene}-{size}-{scheme}.png")
            page.close()
        browser.close()


def show(page: Page, address: str, scene: str) -> None:
    """Bring the page to the scene and let it come to a stop."""
    query, act = SCENES[scene]
    page.goto(f"{address}/{query}")
    page.get_by_test_id(WAITED_FOR.get(scene, "preview")).first.wait_for()
    if act:
        act(page)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(400)


if __name__ == "__main__":
    main()
