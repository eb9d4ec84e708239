"""Fixtures of the browser tests: a real Chromium and a real server."""

import os
import re
import time

import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from snapseek.library import Library
from tests.conftest import write_pictures
from tests.support.once import once
from tests.support.page_server import CHROMIUM, FLAGS, serving

LARGE = 1100
PATIENCE_S = 60
expect.set_options(timeout=1000 * PATIENCE_S)
_WITHOUT_RELEVANCE = """{
    const json = Response.prototype.json;
    Response.prototype.json = async function () {
        const found = await json.call(this);
        if (found && found.results) found.relevant_count = null;
        return found;
    };
}"""
_DATE, _KEYWORDS = 0x0132, 0x9C9E


@pytest.fixture(scope="module")
def server(tmp_path_factory, encoder):
    """The address of a server in a process of its own, with 86 pictures: six colours and eighty greys."""
    directory = tmp_path_factory.mktemp("served")
    folder = write_pictures(directory / "pictures")
    for level in range(80):
        Image.new("RGB", (40 + level, 60), (level + 60,) * 3).save(folder / f"grey-{level:02}.png")
    Library.build(folder, directory / "l", encoder=encoder)
    with serving(directory / "l") as address:
        yield address


@pytest.fixture(scope="module")
def large(tmp_path_factory, encoder):
    """The address of a server of 1,100 pictures in 11 folders, of five years, every second one tagged."""
    with serving(
        once(tmp_path_factory, "large", lambda directory: build_large(directory, encoder)) / "l"
    ) as address:
        yield address


def build_large(directory, encoder):
    for number in range(LARGE):
        path = directory / "pictures" / f"trip {number // 100:02}" / f"{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif[_DATE] = f"{2019 + number % 5}:06:01 12:00:00"
        if number % 2:
            exif[_KEYWORDS] = "sunny".encode("utf-16le")
        hue = number * 360 // LARGE
        Image.new("RGB", (24 + number % 17, 24), f"hsl({hue}, 80%, 50%)").save(path, exif=exif)
    Library.build(directory / "pictures", directory / "l", encoder=encoder)


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("expected chromium, chromium-browser or google-chrome on the PATH")
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page to which every result is a good match: the tiny model separates nothing from its background."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    without_relevance(page)
    yield from _without_problems(page)


@pytest.fixture
def judging_page(browser):
    """A page that hides weak matches."""
    yield from _without_problems(browser.new_page(viewport={"width": 1280, "height": 800}))


def without_relevance(page):
    """Let a page take all results for good matches."""
    page.add_init_script(_WITHOUT_RELEVANCE)


def _without_problems(page):
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if is_problem(message) else None)
    yield page
    page.unroute_all(behavior="ignoreErrors")
    page.close()
    # A part that is still loading when the test leaves the page ends with one of these.
    left = ("Failed to load resource", "Unable to preload CSS")
    problems = [problem for problem in problems if not any(text in problem for text in left)]
    assert not problems, problems


def is_problem(message):
    """Return whether a message of the console is an error, or a warning of the framework."""
    return message.type == "error" or (message.type == "warning" and "svelte.dev" in message.text)


def wait_until(page, happens):
    """Run the page until a condition of the test holds."""
    end_s = time.monotonic() + PATIENCE_S
    while not happens():
        assert time.monotonic() < end_s
        page.wait_for_timeout(20)


def wait_for_rest(page):
    """Wait until all transitions have ended: what is measured does not move any more."""
    page.wait_for_timeout(50)  # a key press was handled, and its transition began
    wait_until(
        page,
        lambda: page.evaluate("() => document.getAnimations().every((one) => one.playState !== 'running')"),
    )


def ask(page, words):
    page.get_by_test_id("search-input").fill(words)


def expect_first(page, name):
    expect(page.get_by_test_id("preview").first).to_have_attribute("alt", re.compile(name))
