"""The page over a large library: infinite scroll, and filters of its columns."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.support.page_fixtures import LARGE, browser, large, page  # noqa: F401

pytestmark = pytest.mark.browser

SHOWN = re.compile("shown|faded-in")

WATCH_SHIFT = """
    window.shift = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
"""


def test_scrolling_loads_sixty_at_a_time_up_to_a_thousand_without_shifts(page, large):
    windows = []
    page.on(
        "request",
        lambda requested: (
            windows.append(parse_qs(urlsplit(requested.url).query))
            if "/api/items?" in requested.url
            else None
        ),
    )
    page.add_init_script(WATCH_SHIFT)
    page.goto(large)
    tail = page.get_by_test_id("page-after")
    for _ in range(600):
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(60)
        if tail.count():
            break
    expect(tail).to_have_text(f"Go on with the pictures after ({LARGE - 1000})")
    page.mouse.wheel(0, 9000)
    page.wait_for_timeout(300)
    ids = page.get_by_test_id("tile").evaluate_all("tiles => tiles.map((tile) => tile.dataset.id)")
    assert len(ids) == len(set(ids)) == 1000
    requested = [(int(window["offset"][0]), int(window["limit"][0])) for window in windows]
    assert requested == [(offset, min(60, 1000 - offset)) for offset in range(0, 1000, 60)]
    assert page.evaluate("window.shift") == 0
    tail.click()
    end = page.get_by_test_id("end-of-results")
    expect(page.get_by_test_id("page-before")).to_be_visible()
    for _ in range(100):
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(60)
        if "End of results" in end.inner_text():
            break
    expect(end).to_have_text(f"End of results: {LARGE:,} pictures.")
    expect(page.get_by_test_id("tile")).to_have_count(LARGE - 1000)


def test_originals_stay_when_another_page_loads(page, large):
    page.goto(large)
    tiles = page.get_by_test_id("tile")
    expect(tiles.first).to_have_attribute("data-original", SHOWN)
    count = tiles.count()
    page.mouse.wheel(0, 100)
    page.set_viewport_size({"width": 1280, "height": 3000})
    expect(tiles.nth(count)).to_be_attached()
    page.wait_for_timeout(300)
    for position in range(8):
        expect(tiles.nth(position)).to_have_attribute("data-original", SHOWN, timeout=5000)


LATE_SIGHT = """
    window.IntersectionObserver = class extends IntersectionObserver {
        constructor(call, options) {
            const seen = [];
            super((entries, watch) => {
                if (!seen.length) setTimeout(() => call(seen.splice(0), watch), 500);
                seen.push(...entries);
            }, options);
        }
    };
"""


def test_a_busy_browser_that_batches_intersection_reports_loads_more(page, large):
    page.add_init_script(LATE_SIGHT)
    page.set_viewport_size({"width": 1280, "height": 400})
    page.goto(large)
    tiles = page.get_by_test_id("tile")
    expect(tiles.first).to_be_visible()
    for count in (60, 120, 180):  # the end comes near before its first report of being far arrives
        expect(tiles.nth(count - 10)).to_be_attached()
        page.wait_for_timeout(100)
        page.mouse.wheel(0, 20_000)
    expect(tiles.nth(190)).to_be_attached()


def test_tiles_far_from_the_window_are_not_drawn(page, large):
    page.goto(large)
    tile = page.locator("li", has=page.get_by_test_id("tile"))
    expect(tile.first).to_be_visible()
    assert tile.first.evaluate("tile => getComputedStyle(tile).contentVisibility") == "auto"
    drawn = """tiles => tiles.map((tile) =>
        tile.querySelector('img').checkVisibility({ contentVisibilityAuto: true }))"""
    page.wait_for_function(
        f"() => ({drawn})([...document.querySelectorAll('ul[data-testid=grid] > li')]).at(-1) === false"
    )
    assert tile.evaluate_all(drawn)[0] is True


@pytest.mark.parametrize(
    ("column", "value", "filtered"),
    [
        ("Year", "2021", "year:2021"),
        ("Folder", "trip 07", 'in:"/trip 07"'),
        ("File type", "jpeg", "type:jpeg"),
        ("Tag", "sunny", "tag:sunny"),
    ],
)
def test_a_column_of_the_library_is_offered_with_its_values(page, large, column, value, filtered):
    page.goto(large)
    page.get_by_test_id("filters").click()
    panel = page.get_by_test_id("filter-panel")
    choice = panel.get_by_role("group", name=column, exact=True).get_by_role(
        "button", name=re.compile(rf"^{value}\b")
    )
    count = choice.locator("small").inner_text()
    choice.click()
    expect(choice).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_test_id("filter")).to_have_text(filtered)
    expect(page.get_by_test_id("status")).to_have_text(
        re.compile(rf"^{'1,000' if count == f'{LARGE:,}' else count}|{LARGE:,} pictures in the library")
    )


def test_values_of_one_column_are_alternatives_and_of_two_conditions(page, large):
    page.goto(f"{large}/?where=year:2021&where=year:2022")
    expect(page.get_by_test_id("status")).to_contain_text("440 pictures")
    page.goto(f"{large}/?where=year:2021&where=tag:sunny")
    expect(page.get_by_test_id("status")).to_contain_text("110 pictures")


def test_the_newest_pictures_come_first_below_the_names_of_their_months(page, large):
    page.add_init_script(WATCH_SHIFT)
    page.goto(large)
    months = page.get_by_test_id("month")
    expect(months.first).to_have_text("June 2023")
    assert months.first.bounding_box()["y"] < page.get_by_test_id("tile").first.bounding_box()["y"]
    for _ in range(100):
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(60)
        if months.count() == 2:
            break
    expect(months).to_have_text(["June 2023", "June 2022"])
    heading = months.nth(1).bounding_box()
    tops = page.get_by_test_id("tile").evaluate_all("tiles => tiles.map(t => t.getBoundingClientRect().top)")
    assert tops[219] < heading["y"] < tops[220]  # each year has 220 pictures
    assert page.evaluate("window.shift") == 0


def test_the_order_can_be_chosen_and_is_in_the_address(page, large):
    page.goto(large)
    order = page.get_by_label("Sort")
    expect(page.get_by_test_id("month").first).to_have_text("June 2023")
    assert order.locator("option").all_inner_texts() == ["Newest", "Oldest", "Largest"]
    order.select_option("Oldest")
    expect(page.get_by_test_id("month").first).to_have_text("June 2019")
    page.wait_for_url("**/?sort=oldest")
    page.reload()
    expect(page.get_by_test_id("month").first).to_have_text("June 2019")
    order.select_option("Largest")
    expect(page.get_by_test_id("month")).to_have_count(0)
    page.go_back()
    expect(page.get_by_test_id("month").first).to_have_text("June 2019")
    page.goto(f"{large}/?q=red")
    expect(page.get_by_test_id("tile").first).to_be_visible()
    expect(page.get_by_test_id("month")).to_have_count(0)
    assert order.locator("option").first.inner_text() == "Best match"
    order.select_option("Newest")
    expect(page.get_by_test_id("status")).to_contain_text("for red, newest first.")
