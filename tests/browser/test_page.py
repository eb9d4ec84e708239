"""The page in a real Chromium against the real server."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import re
from contextlib import suppress

import pytest
from playwright.sync_api import Error, expect

from tests.support.page_fixtures import ask, browser, expect_first, page, server, wait_until  # noqa: F401

pytestmark = pytest.mark.browser

PAINTED = "image => image.complete && image.naturalWidth > 0"


def tile_names(page):
    return page.get_by_test_id("preview").evaluate_all("images => images.map(image => image.alt)")


def expect_a_page_of_tiles(page):
    """The first 60 pictures, but for those that do not fill a row yet."""
    page.wait_for_function("() => document.querySelectorAll('[data-testid=preview]').length > 50")
    assert page.get_by_test_id("tile").count() <= 60


def test_the_box_has_the_focus_and_the_library_is_shown(page, server):
    page.goto(server)
    expect(page.get_by_test_id("search-input")).to_be_focused()
    expect_a_page_of_tiles(page)
    expect(page.get_by_test_id("latency")).to_contain_text("86 pictures")


def test_typing_changes_the_pictures_without_enter(page, server):
    page.goto(server)
    page.get_by_test_id("search-input").press_sequentially("red", delay=20)
    expect_first(page, "red")
    page.wait_for_url("**/?q=red")  # a moment after the pictures
    ask(page, "blue")
    expect_first(page, "blue")


def test_a_link_with_words_shows_their_results(page, server):
    page.goto(f"{server}/?q=yellow")
    expect(page.get_by_test_id("search-input")).to_have_value("yellow")
    expect_first(page, "yellow")


def test_previews_are_painted_before_any_original_arrives(page, server):
    held, is_held = [], True
    page.route("**/api/image/**", lambda route: held.append(route) if is_held else route.continue_())
    # The greys are all alike: folded, they would not fill the page.
    page.route(
        "**/api/search?*", lambda route: route.continue_(url=route.request.url.replace("&dedup=1", ""))
    )
    page.goto(f"{server}/?q=red", wait_until="domcontentloaded")  # the load waits for what is held
    expect_first(page, "red")
    first = page.get_by_test_id("tile").first
    assert page.get_by_test_id("preview").first.evaluate(PAINTED)
    expect_a_page_of_tiles(page)
    expect(page.get_by_test_id("original").first).to_be_attached()  # a moment after the previews
    wait_until(page, lambda: held)
    assert first.get_attribute("data-original") == "waiting"
    is_held = False
    for route in held:
        route.continue_()
    expect(first).to_have_attribute("data-original", re.compile("shown|faded-in"))
    assert page.get_by_test_id("original").first.evaluate(PAINTED)


def test_an_older_response_never_replaces_a_newer_one(page, server):
    held = []
    page.route("**/api/search?*q=red*", lambda route: held.append(route))
    page.goto(server)
    ask(page, "red")
    wait_until(page, lambda: held)
    assert len(held) == 1
    ask(page, "blue")
    expect_first(page, "blue")
    with suppress(Error):  # a request that the page has given up cannot be answered any more
        held[0].continue_()
    page.wait_for_timeout(500)
    expect_first(page, "blue")
    expect(page.get_by_test_id("search-input")).to_have_value("blue")


def test_old_pictures_stay_until_the_new_ones_arrive(page, server):
    page.goto(f"{server}/?q=green")
    expect_first(page, "green")
    held = []
    page.route("**/api/search?*q=red*", lambda route: held.append(route))
    ask(page, "red")
    wait_until(page, lambda: held)
    expect_first(page, "green")
    held[0].continue_()
    expect_first(page, "red")


def test_nothing_moves_while_originals_load(page, server):
    page.goto(f"{server}/?q=yellow")
    expect_first(page, "yellow")
    page.evaluate(
        """() => { window.shift = 0; new PerformanceObserver(list => {
            for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
        }).observe({ type: 'layout-shift', buffered: true }); }"""
    )
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.shift") == 0


def test_rows_fill_the_page_and_do_not_overlap(page, server):
    page.goto(server)
    expect_a_page_of_tiles(page)
    boxes = page.get_by_test_id("tile").evaluate_all(
        "tiles => tiles.map(t => t.getBoundingClientRect()).map(r => [r.left, r.top, r.right, r.bottom])"
    )
    for index, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0
        assert right <= 1280.5
        for other in boxes[:index]:
            assert (
                right <= other[0] + 0.5
                or other[2] <= left + 0.5
                or bottom <= other[1] + 0.5
                or other[3] <= top + 0.5
            )


def test_scrolling_loads_all_pictures(page, server):
    page.goto(server)
    expect_a_page_of_tiles(page)
    page.mouse.wheel(0, 20_000)
    expect(page.get_by_test_id("tile")).to_have_count(86)
    assert len(set(tile_names(page))) == 86


def test_unknown_words_show_an_explanation(page, server):
    page.goto(server)
    ask(page, "qwertyuiop")
    expect(page.get_by_text("knows no word")).to_be_visible()


def test_a_missing_original_keeps_its_preview(page, server):
    page.route("**/api/image/**", lambda route: route.fulfill(status=404, body="gone"))
    page.goto(f"{server}/?q=red")
    expect(page.get_by_test_id("tile").first).to_have_attribute("data-original", "missing")
    expect(page.get_by_test_id("missing").first).to_be_visible()
    assert page.get_by_test_id("preview").first.evaluate(PAINTED)


def test_the_lightbox_opens_moves_and_closes(page, server):
    page.goto(f"{server}/?q=blue")
    expect_first(page, "blue")
    page.get_by_test_id("tile").first.click()
    box = page.get_by_role("dialog")
    expect(box).to_be_visible()
    expect(box).to_contain_text("blue.webp")
    page.keyboard.press("ArrowRight")
    expect(box).not_to_contain_text("blue.webp")
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()


def test_slash_focuses_the_box(page, server):
    page.goto(server)
    expect(page.get_by_test_id("tile").first).to_be_visible()
    page.get_by_test_id("tile").first.focus()
    page.keyboard.press("/")
    expect(page.get_by_test_id("search-input")).to_be_focused()


@pytest.mark.parametrize("width", [390, 1440, 3840])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_width_scrolls_sideways(page, server, width, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(server)
    expect(page.get_by_test_id("tile").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
