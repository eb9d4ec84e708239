"""The slideshow of an opened picture: its button and key, what stops it, hidden tabs, reduced motion."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import pytest
from playwright.sync_api import expect

from tests.support.page_fixtures import (  # noqa: F401
    browser,
    page,
    server,
    without_relevance,
)

pytestmark = pytest.mark.browser

SLIDE_MS = 4000
_HIDE = """isHidden => {
    Object.defineProperty(document, 'hidden', { value: isHidden, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
}"""


def opened(page, server):
    """Open one of 86 pictures on a page whose clock the test moves."""
    page.clock.install()
    page.goto(f"{server}/")
    page.get_by_test_id("tile").first.click()
    expect(page.get_by_test_id("lightbox")).to_be_visible()
    return page.get_by_test_id("slideshow")


def expect_counter(page, number):
    expect(page.get_by_test_id("counter")).to_have_text(f"{number} of 86")


def test_the_button_shows_one_picture_after_the_other(page, server):
    button = opened(page, server)
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    for number in (2, 3):
        page.clock.fast_forward(SLIDE_MS)
        expect_counter(page, number)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    page.clock.fast_forward(9 * SLIDE_MS)
    expect_counter(page, 3)
    page.go_back()
    expect(page.get_by_test_id("lightbox")).to_have_count(0)


@pytest.mark.parametrize("key", ["l", "x", "Shift", "ArrowRight", "Tab"])
def test_any_key_stops_it(page, server, key):
    button = opened(page, server)
    button.click()  # the focus stays on the button
    page.clock.fast_forward(SLIDE_MS)
    expect_counter(page, 2)
    page.keyboard.press(key)
    expect(button).to_have_attribute("aria-pressed", "false")
    now = 3 if key == "ArrowRight" else 2
    expect_counter(page, now)
    page.clock.fast_forward(9 * SLIDE_MS)
    expect_counter(page, now)


def test_the_keyboard_starts_and_stops_it(page, server):
    button = opened(page, server)
    page.keyboard.press("l")
    expect(button).to_have_attribute("aria-pressed", "true")
    button.focus()
    for is_pressed in ("false", "true"):
        page.keyboard.press("Enter")
        expect(button).to_have_attribute("aria-pressed", is_pressed)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("lightbox")).to_have_count(0)
    page.clock.fast_forward(9 * SLIDE_MS)
    expect(page.get_by_test_id("lightbox")).to_have_count(0)


def test_a_click_next_to_the_picture_only_stops_it(page, server):
    button = opened(page, server)
    box = page.get_by_test_id("lightbox")
    for stop in (lambda: page.mouse.click(200, 300), lambda: page.mouse.wheel(0, -100)):
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        page.mouse.move(200, 300)
        stop()
        expect(button).to_have_attribute("aria-pressed", "false")
        expect(box).to_be_visible()
    page.keyboard.press("0")
    page.mouse.click(1100, 500)  # not where the last click was: that would be a double click
    expect(box).to_have_count(0)


def test_a_tap_stops_it(browser, server):
    phone = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    without_relevance(phone)
    button = opened(phone, server)
    button.tap()
    phone.clock.fast_forward(SLIDE_MS)
    expect_counter(phone, 2)
    phone.touchscreen.tap(20, 200)
    expect(button).to_have_attribute("aria-pressed", "false")
    phone.clock.fast_forward(9 * SLIDE_MS)
    expect_counter(phone, 2)
    phone.close()


def test_it_waits_while_the_tab_is_hidden(page, server):
    button = opened(page, server)
    button.click()
    page.evaluate(_HIDE, True)
    page.clock.fast_forward(9 * SLIDE_MS)
    expect_counter(page, 1)
    page.evaluate(_HIDE, False)
    page.clock.fast_forward(SLIDE_MS)
    expect_counter(page, 2)


def test_it_loads_further_results_and_begins_again_at_the_end(page, server):
    button = opened(page, server)
    for _ in range(59):
        page.keyboard.press("ArrowRight")
    expect_counter(page, 60)
    expect(page.get_by_role("button", name="Next picture")).to_be_enabled()
    button.click()
    for number in range(61, 87):
        page.clock.fast_forward(SLIDE_MS)
        expect_counter(page, number)
    page.clock.fast_forward(SLIDE_MS)
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect_counter(page, 1)
    expect(button).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize(("motion", "fade_s"), [("no-preference", 0.5), ("reduce", 1e-05)])
def test_pictures_fade_in_unless_motion_is_reduced(page, server, motion, fade_s):
    page.emulate_media(reduced_motion=motion)
    button = opened(page, server)
    animation = "one => [getComputedStyle(one).animationName, getComputedStyle(one).animationDuration]"
    assert page.get_by_test_id("zoomed").evaluate(animation)[0] == "none"
    button.click()
    page.clock.fast_forward(SLIDE_MS)
    expect_counter(page, 2)
    name, duration = page.get_by_test_id("zoomed").evaluate(animation)
    assert name != "none"
    assert float(duration.removesuffix("s")) == fade_s


def test_a_button_that_became_useless_keeps_the_keys_alive(page, server):
    page.goto(f"{server}/")
    page.get_by_test_id("tile").nth(1).click()
    previous = page.get_by_role("button", name="Previous picture")
    previous.click()
    expect_counter(page, 1)
    expect(previous).to_be_disabled()
    page.keyboard.press("ArrowRight")
    expect_counter(page, 2)
