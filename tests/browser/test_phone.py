"""The page on a phone: a narrow window, a finger that cannot hover, a slow line."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import re

import pytest
from playwright.sync_api import expect

from tests.support.page_fixtures import (  # noqa: F401
    ask,
    browser,
    expect_first,
    page,
    server,
    wait_until,
    without_relevance,
)

pytestmark = pytest.mark.browser

MIN_TARGET_PX = 44
MAX_PARALLEL = 4
TARGETS = """() => [...document.querySelectorAll(
        'button, a:not(.unseen), input:not(.unseen), summary, select')]
    .filter((one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
    .map((one) => [one.getBoundingClientRect(), one.ariaLabel || one.textContent.trim() || one.outerHTML])
    .filter(([box]) => box.width < %d || box.height < %d)
    .map(([box, name]) => `${name.slice(0, 60)}: ${box.width} x ${box.height}`)"""
CUT_OFF = """() => [...document.querySelectorAll(
        'button, input:not(.unseen), h1, h2, p, dd, summary, select')]
    .filter((one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
    .filter((one) => !one.closest('.strip, .unseen'))
    .map((one) => [one.getBoundingClientRect(), one])
    .filter(([box]) => box.width && (box.left < 0 || box.right > %d))
    .map(([box, one]) => `${one.outerHTML.slice(0, 80)}: ${box.left} to ${box.right}`)"""


@pytest.fixture
def phone(browser):
    """A page in the emulation of a phone, with a finger instead of a mouse."""
    page = browser.new_page(
        viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True, is_mobile=True
    )
    without_relevance(page)
    yield page
    page.close()


class Finger:
    """Touches of the page, sent to the browser as a touch screen does."""

    def __init__(self, page):
        self._session = page.context.new_cdp_session(page)
        self._page = page

    def down(self, x, y):
        self._session.send(
            "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
        )

    def up(self):
        self._session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def press_long(self, locator):
        box = locator.bounding_box()
        self.down(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self._page.wait_for_timeout(900)
        self.up()


def opened(page, address):
    page.goto(address)
    tile = page.get_by_test_id("tile").first
    expect(tile).to_be_visible()
    return tile


def test_a_tap_on_any_spot_of_a_tile_opens_the_picture(phone, server):
    tile = opened(phone, f"{server}/?q=red")
    box = tile.bounding_box()
    for x, y in ((20, 20), (56, 20), (box["width"] / 2, box["height"] / 2)):
        phone.touchscreen.tap(box["x"] + x, box["y"] + y)
        expect(phone.get_by_test_id("lightbox")).to_be_visible()
        phone.get_by_role("button", name="Close").tap()
        expect(phone.get_by_test_id("lightbox")).to_have_count(0)
    expect(phone.get_by_test_id("selection-bar")).to_have_count(0)
    expect(phone.get_by_test_id("term")).to_have_count(0)
    expect(phone.get_by_test_id("select")).to_have_count(0)
    expect(phone.get_by_test_id("more-like")).to_have_count(0)


def test_a_finger_on_a_screen_with_a_mouse_finds_no_invisible_buttons(browser, server):
    page = browser.new_page(viewport={"width": 1280, "height": 800}, has_touch=True)
    without_relevance(page)
    tile = opened(page, f"{server}/?q=red")
    page.mouse.move(600, 20)
    box = tile.bounding_box()
    page.touchscreen.tap(box["x"] + 20, box["y"] + 20)
    expect(page.get_by_test_id("lightbox")).to_be_visible()
    expect(page.get_by_test_id("selection-bar")).to_have_count(0)
    page.close()


def test_a_long_press_selects_and_taps_select_more(phone, server):
    tile = opened(phone, server)
    finger = Finger(phone)
    finger.press_long(tile)
    bar = phone.get_by_test_id("selection-bar")
    expect(bar).to_contain_text("1 selected")
    phone.wait_for_timeout(200)
    expect(phone.get_by_test_id("lightbox")).to_have_count(0)
    phone.get_by_test_id("tile").nth(1).tap()
    expect(bar).to_contain_text("2 selected")
    finger.press_long(tile)
    expect(bar).to_contain_text("1 selected")
    phone.get_by_test_id("selection-done").tap()
    expect(bar).to_have_count(0)
    tile.tap()
    expect(phone.get_by_test_id("lightbox")).to_be_visible()


def test_a_finger_that_scrolls_selects_nothing(phone, server):
    tile = opened(phone, server)
    box = tile.bounding_box()
    session = phone.context.new_cdp_session(phone)
    x, y = box["x"] + 40, box["y"] + 60
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 8):
        session.send(
            "Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y - 8 * step}]}
        )
        phone.wait_for_timeout(100)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    phone.wait_for_timeout(200)
    expect(phone.get_by_test_id("selection-bar")).to_have_count(0)
    expect(phone.get_by_test_id("lightbox")).to_have_count(0)


def test_select_and_similar_are_visible_actions(phone, server):
    tile = opened(phone, f"{server}/?q=red")
    tile.tap()
    box = phone.get_by_test_id("lightbox")
    box.get_by_role("button", name="Select", exact=True).tap()
    expect(box.get_by_role("button", name="Selected")).to_have_attribute("aria-pressed", "true")
    expect(box.get_by_role("button", name="More like this")).to_be_visible()
    box.get_by_role("button", name="Close").tap()
    bar = phone.get_by_test_id("selection-bar")
    expect(bar).to_contain_text("1 selected")
    bar.get_by_role("button", name="Done").tap()
    phone.get_by_role("button", name="Select", exact=True).tap()
    expect(bar).to_contain_text("Select pictures")
    for index in (0, 1):
        phone.get_by_test_id("tile").nth(index).tap()
    bar.get_by_role("button", name="Similar").tap()
    expect(phone.get_by_test_id("term")).to_have_count(2)


def test_what_can_be_tapped_is_large_enough(phone, server):
    phone.route("**/api/suggestions", suggest)
    tile = opened(phone, f"{server}/?q=red&term=1:id:1&where=type:jpeg&where=type:png")
    expect(phone.get_by_test_id("duplicates").first).to_be_attached()
    too_small = TARGETS % (MIN_TARGET_PX, MIN_TARGET_PX)
    assert phone.evaluate(too_small) == []
    phone.get_by_test_id("latency").tap()
    expect(phone.get_by_test_id("preview-only")).to_be_visible()
    assert phone.evaluate(too_small) == []
    phone.get_by_test_id("filters").tap()
    expect(phone.get_by_test_id("filter-value").first).to_be_visible()
    assert phone.evaluate(too_small) == []
    phone.keyboard.press("Escape")
    Finger(phone).press_long(tile)
    expect(phone.get_by_test_id("select").first).to_be_visible()
    assert phone.evaluate(too_small) == []
    phone.get_by_test_id("selection-done").tap()
    tile.tap()
    expect(phone.get_by_test_id("similar-pictures").get_by_role("button").first).to_be_visible()
    assert phone.evaluate(too_small) == []


def suggest(route):
    answer = route.fetch()
    route.fulfill(response=answer, json={**answer.json(), "examples": ["blue", "green"]})


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_is_cut_off_on_a_narrow_screen(phone, server, width):
    phone.set_viewport_size({"width": width, "height": 640})
    cut_off = CUT_OFF % width
    tile = opened(phone, f"{server}/?q=red&term=1:id:1&where=type:jpeg&where=type:png")
    assert phone.evaluate(cut_off) == []
    phone.get_by_test_id("latency").tap()
    expect(phone.get_by_test_id("preview-only")).to_be_visible()
    assert phone.evaluate(cut_off) == []
    phone.get_by_test_id("latency").tap()
    phone.get_by_test_id("captions").tap()
    assert phone.evaluate(cut_off) == []
    phone.get_by_test_id("filters").tap()
    expect(phone.get_by_test_id("filter-value").first).to_be_visible()
    assert phone.evaluate(cut_off) == []
    phone.keyboard.press("Escape")
    Finger(phone).press_long(tile)
    expect(phone.get_by_test_id("selection-bar")).to_be_visible()
    assert phone.evaluate(cut_off) == []
    phone.get_by_test_id("selection-done").tap()
    tile.tap()
    expect(phone.get_by_test_id("similar-pictures").get_by_role("button").nth(8)).to_be_attached()
    assert phone.evaluate(cut_off) == []
    phone.get_by_role("button", name="Details").tap()
    assert phone.evaluate(cut_off) == []
    assert phone.evaluate("document.documentElement.scrollWidth") == width


def test_few_originals_load_at_a_time_and_they_yield_to_an_answer(page, server):
    held, given_up = [], []
    page.route("**/api/image/**", lambda route: held.append(route.request.url))
    page.on("requestfailed", lambda request: given_up.append(request.url))
    page.goto(server, wait_until="domcontentloaded")  # the load waits for what is held
    wait_until(page, lambda: len(held) == MAX_PARALLEL)
    page.wait_for_timeout(300)
    assert len(held) == MAX_PARALLEL
    answers = []
    page.route("**/api/search?*", lambda route: answers.append(route))
    ask(page, "red")
    wait_until(page, lambda: answers)
    wait_until(page, lambda: set(held) <= set(given_up))
    page.wait_for_timeout(300)
    assert len(held) == MAX_PARALLEL  # none starts before the answer
    answers[0].continue_()
    expect_first(page, "red")
    wait_until(page, lambda: len(held) == 2 * MAX_PARALLEL)
    page.unroute_all(behavior="ignoreErrors")


def test_only_originals_near_the_window_load_and_at_low_priority(page, server):
    requested = []
    page.on(
        "request", lambda request: requested.append(request.url) if "/api/image/" in request.url else None
    )
    page.set_viewport_size({"width": 500, "height": 300})
    page.goto(server)
    original = page.get_by_test_id("original").first
    expect(original).to_have_attribute("fetchpriority", "low")
    expect(page.get_by_test_id("tile").first).to_have_attribute("data-original", re.compile("shown|faded-in"))
    page.wait_for_load_state("networkidle")
    near = page.get_by_test_id("tile").evaluate_all(
        "tiles => tiles.filter((tile) => tile.getBoundingClientRect().top < 300 + 600).length"
    )
    assert 0 < len(set(requested)) <= near < page.get_by_test_id("tile").count()
