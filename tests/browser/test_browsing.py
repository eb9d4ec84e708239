"""Browsing without a query: the strip of months, the tree of folders, all values, ranges, places."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.support.browsing_library import COUNT, build_browsing_library
from tests.support.once import once
from tests.support.page_fixtures import browser, page, wait_until  # noqa: F401
from tests.support.page_server import serving

pytestmark = pytest.mark.browser

WATCH_SHIFT = """
    window.shift = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
"""


@pytest.fixture(scope="module")
def dated(tmp_path_factory, encoder):
    """The address of a server of 420 pictures of 42 months."""
    made = once(tmp_path_factory, "browsing", lambda directory: build_browsing_library(directory, encoder))
    with serving(made / "l") as address:
        yield address


@pytest.fixture
def offsets(page):
    """The offset of each list that the page requests."""
    found = []
    page.on(
        "request",
        lambda sent: (
            found.append(int(parse_qs(urlsplit(sent.url).query)["offset"][0]))
            if "/api/items?limit" in sent.url
            else None
        ),
    )
    return found


def first_month(page):
    return page.get_by_test_id("month").first


def scrubber(page):
    strip = page.get_by_role("slider", name="Jump to a month")
    expect(strip).to_be_visible()
    return strip


def count_of(page, count):
    expect(page.get_by_test_id("status")).to_have_text(re.compile(rf"^{count} pictures? "))


def test_the_strip_of_months_works_by_keyboard_without_loading_what_is_between(page, dated, offsets):
    page.add_init_script(WATCH_SHIFT)
    page.goto(dated)
    expect(first_month(page)).to_have_text("June 2024")
    strip = scrubber(page)
    expect(strip).to_have_attribute("aria-valuetext", "June 2024, 10 pictures")
    expect(strip).to_have_attribute("aria-valuemax", "41")
    strip.focus()
    for key, month in [
        ("ArrowDown", "May 2024"),
        ("PageDown", "December 2023"),
        ("End", "January 2021"),
        ("PageUp", "December 2021"),
        ("Home", "June 2024"),
    ]:
        page.keyboard.press(key)
        expect(strip).to_have_attribute("aria-valuetext", f"{month}, 10 pictures")
        expect(first_month(page)).to_have_text(month)
        expect(strip).to_be_focused()
        if key == "PageUp":
            expect(page.get_by_test_id("page-before")).to_be_visible()
    assert {0, 10, 60, 410} <= set(offsets)
    assert len(offsets) < 16
    assert page.evaluate("window.shift") == 0


LATE = """
    const real = window.fetch;
    window.fetch = async (...given) => {
        const answer = await real(...given);
        await new Promise((done) => setTimeout(done, 700));  // a shift soon after a key would not count
        return answer;
    };
"""


def test_a_late_answer_to_a_jump_moves_nothing(page, dated):
    page.add_init_script(WATCH_SHIFT + LATE)
    page.goto(dated)
    strip = scrubber(page)
    strip.focus()
    for key, month in [("End", "January 2021"), ("PageUp", "December 2021"), ("Home", "June 2024")]:
        page.keyboard.press(key)
        expect(first_month(page)).to_have_text(month)
        expect(page.get_by_test_id("page-before")).to_have_count(0 if key == "Home" else 1)
    assert page.evaluate("window.shift") == 0


def test_the_strip_of_months_works_by_mouse_and_follows_the_list(page, dated):
    page.goto(dated)
    strip = scrubber(page)
    box = strip.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    expect(strip).not_to_have_attribute("aria-valuetext", "June 2024, 10 pictures")
    page.mouse.up()
    month = strip.get_attribute("aria-valuetext").partition(",")[0]
    expect(first_month(page)).to_have_text(month)
    assert 2021 < int(month.split()[1]) < 2024
    page.mouse.move(640, 500)
    for _ in range(40):
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(50)
        if not strip.get_attribute("aria-valuetext").startswith(month):
            break
    expect(strip).not_to_have_attribute("aria-valuetext", re.compile(month))


def test_a_drag_that_rests_shows_its_month_until_the_pictures_come(page, dated, offsets):
    page.add_init_script(WATCH_SHIFT + LATE)
    page.goto(dated)
    strip = scrubber(page)
    strip.evaluate("""one => {
        window.texts = [];
        new MutationObserver(() => window.texts.push(one.getAttribute('aria-valuetext')))
            .observe(one, { attributeFilter: ['aria-valuetext'] });
    }""")
    box = strip.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2, steps=4)
    wait_until(page, lambda: max(offsets) > 60)  # the pause loads the month, and the end of the drag again
    month = strip.get_attribute("aria-valuetext").partition(",")[0]
    page.mouse.up()
    expect(first_month(page)).to_have_text(month)
    texts = page.evaluate("window.texts")
    assert texts.index(f"{month}, 10 pictures") == len(texts) - 1
    assert page.evaluate("window.shift") == 0


def test_the_handle_of_months_works_by_touch(browser, dated):
    phone = browser.new_page(
        viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True, is_mobile=True
    )
    phone.goto(dated)
    expect(first_month(phone)).to_have_text("June 2024")
    expect(phone.get_by_role("slider", name="Jump to a month")).to_be_attached()
    handle = phone.get_by_test_id("scrubber-handle")
    expect(handle).to_be_hidden()  # no invisible target lies on the tiles
    session = phone.context.new_cdp_session(phone)

    def touch(kind, *points):
        touches = [{"x": x, "y": y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    for attempt in range(10):  # the handle is there for some seconds, which may pass on a busy machine
        phone.evaluate("n => scrollTo(0, 300 + n)", attempt)
        expect(handle).to_be_visible()
        box = handle.bounding_box()
        if box is None:
            continue
        x, y = box["x"] + 20, box["y"] + 22
        touch("touchStart", (x, y))
        if phone.locator("[role=slider].moving").count():
            break
        touch("touchCancel")
    assert min(box["width"], box["height"]) >= 44
    for step in range(1, 6):
        touch("touchMove", (x, y + step * 60))
    expect(handle).to_contain_text(re.compile("20(21|22|23)"))
    touch("touchEnd")
    expect(first_month(phone)).to_have_text(re.compile("20(21|22|23)"))
    expect(phone.get_by_test_id("lightbox")).to_have_count(0)
    phone.close()


def test_pictures_before_a_month_come_in_front_and_nothing_on_the_screen_moves(page, dated):
    page.goto(dated)
    strip = scrubber(page)
    strip.focus()
    page.keyboard.press("End")
    expect(first_month(page)).to_have_text("January 2021")
    tile = page.get_by_test_id("tile").first
    shown, top = tile.get_attribute("data-id"), tile.bounding_box()["y"]
    page.get_by_test_id("page-before").click()
    expect(first_month(page)).to_have_text("July 2021")
    same = page.locator(f"[data-testid=tile][data-id='{shown}']")
    # The rows of its month may break at another place.
    wait_until(page, lambda: abs(same.bounding_box()["y"] - top) <= 60)
    tile.click()
    expect(page.get_by_test_id("counter")).to_have_text(f"351 of {COUNT}")


def test_a_search_has_no_strip_of_months(page, dated):
    page.goto(dated)
    scrubber(page)
    page.get_by_test_id("search-input").fill("red")
    expect(page.get_by_role("slider")).to_have_count(0)


def test_filters_narrow_the_months(page, dated):
    page.goto(f"{dated}/?where=year:2022,2023")
    expect(scrubber(page)).to_have_attribute("aria-valuemax", "23")
    expect(first_month(page)).to_have_text("December 2023")


def test_folders_are_a_tree_that_loads_when_it_is_opened(page, dated):
    requested = []
    page.on("request", lambda sent: requested.append(sent.url) if "/api/facets" in sent.url else None)
    page.goto(dated)
    page.get_by_test_id("filters").click()
    tree = page.get_by_role("group", name="Folder", exact=True)
    expect(tree.get_by_test_id("folder")).to_have_text(["Scans 60", "Trips 360"])
    opener = tree.get_by_role("button", name="Folders in Trips")
    expect(opener).to_have_attribute("aria-expanded", "false")
    opener.press("Enter")
    expect(opener).to_have_attribute("aria-expanded", "true")
    years = tree.get_by_role("list", name="Folders in Trips")
    expect(years.get_by_test_id("folder")).to_have_count(4)
    expect(years.get_by_test_id("folder").first).to_have_text("2021 90")
    years.get_by_test_id("folder").first.click()
    expect(page.get_by_test_id("filter")).to_have_text("in:/Trips/2021")
    count_of(page, 90)  # those in the folders below it, too
    years.get_by_role("button", name="Folders in 2022").click()
    day = tree.get_by_role("list", name="Folders in 2022").get_by_test_id("folder")
    expect(day).to_have_count(1)
    day.click()
    count_of(page, 180)
    assert [parse_qs(urlsplit(url).query, keep_blank_values=True)["within"] for url in requested] == [
        [""],
        ["Trips"],
        ["Trips/2022"],
    ]
    page.reload()
    count_of(page, 180)


def test_any_value_is_found_and_shown(page, dated):
    page.goto(dated)
    page.get_by_test_id("filters").click()
    panel = page.get_by_test_id("filter-panel")
    months = panel.get_by_role("group", name="Month")
    expect(months.get_by_test_id("filter-value").first).to_have_text("June 2024 10")
    expect(months.get_by_test_id("filter-value")).to_have_count(12)
    months.get_by_test_id("more-values").click()
    expect(months.get_by_test_id("filter-value")).to_have_count(42)
    page.get_by_test_id("filter-search").fill("series 39")
    series = panel.get_by_role("group", name="series")
    expect(series.get_by_test_id("filter-value")).to_have_text(["series 39 10"])
    expect(panel.get_by_role("group")).to_have_count(1)
    series.get_by_test_id("filter-value").click()
    count_of(page, 10)
    page.get_by_test_id("filter-search").fill("day, two")
    folders = panel.get_by_role("group", name="Folder")
    expect(folders.get_by_test_id("filter-value").first).to_contain_text("Trips/202")
    page.get_by_test_id("filter-search").fill("no such value at all")
    expect(panel.get_by_role("status")).to_contain_text("No filter matches.")


def test_places_are_filters_and_facts_of_a_picture(page, dated):
    page.goto(dated)
    page.get_by_test_id("filters").click()
    panel = page.get_by_test_id("filter-panel")
    panel.get_by_role("group", name="Place").get_by_role("button", name="Paris").click()
    count_of(page, 70)
    page.keyboard.press("Escape")
    page.get_by_test_id("tile").first.click()
    expect(page.get_by_test_id("facts")).to_contain_text("Paris, France")
    page.get_by_test_id("details").click()
    expect(page.get_by_test_id("metadata")).to_contain_text("48.8583° N")
    page.goto(f"{dated}/?q=place:cologne")
    count_of(page, 70)


def test_ranges_are_in_the_address_and_can_be_taken_back(page, dated):
    page.goto(dated)
    page.get_by_test_id("filters").click()
    stars = page.get_by_role("group", name="stars")
    low, high = stars.get_by_test_id("range-low"), stars.get_by_test_id("range-high")
    assert [low.get_attribute("placeholder"), high.get_attribute("placeholder")] == ["0", "5"]
    low.fill("4")
    low.press("Enter")
    count_of(page, 140)
    page.wait_for_url(re.compile(r"where=stars%3A%3E%3D4"))
    high.fill("4")
    high.press("Tab")
    count_of(page, 70)
    expect(page.get_by_test_id("filter")).to_have_text("stars:4..4")
    page.reload()
    count_of(page, 70)
    page.get_by_test_id("filters").click()
    expect(low).to_have_value("4")
    low.fill("")
    low.press("Tab")
    expect(page.get_by_test_id("filter")).to_have_text("stars:<=4")
    high.fill("")
    high.press("Tab")
    expect(page.get_by_test_id("filter")).to_have_count(0)
    count_of(page, COUNT)


def test_typed_and_chosen_ranges_without_results_can_be_cleared(page, dated):
    page.goto(f"{dated}/?q=red+stars:>90&where=stars:>=2")
    expect(page.get_by_test_id("empty")).to_contain_text("No pictures match these filters.")
    page.get_by_test_id("clear-filters").click()
    expect(page.get_by_test_id("search-input")).to_have_value("red")
    expect(page.get_by_test_id("filter")).to_have_count(0)
    expect(page.get_by_test_id("tile").first).to_be_visible()


def test_the_safe_mode_hides_pictures_everywhere_and_is_off_by_default(page, dated):
    page.goto(dated)
    count_of(page, COUNT)
    page.get_by_test_id("filters").click()
    switch = page.get_by_role("switch", name="Show only pictures that count as safe")
    expect(switch).not_to_be_checked()
    switch.check()
    count_of(page, 210)
    page.wait_for_url(re.compile(r"safe=punsafe%3A%3C0.5"))
    page.get_by_test_id("safe-threshold").fill("0.1")
    page.get_by_test_id("safe-threshold").press("Enter")
    count_of(page, 42)
    page.keyboard.press("Escape")
    similar = []
    page.on("request", lambda sent: similar.append(sent.url) if "/similar?" in sent.url else None)
    page.get_by_test_id("tile").first.click()
    wait_until(page, lambda: similar)
    assert "where=punsafe%3A%3C0.1" in similar[0]
    page.get_by_role("button", name="Close").click()
    with page.expect_request(re.compile("/api/search.*where=punsafe%3A%3C0.1")):
        page.get_by_test_id("search-input").fill("red")
    expect(page.get_by_test_id("status")).to_contain_text("for red")
    with page.expect_request(re.compile("/api/search.*where=punsafe%3A%3C0.1")):
        page.reload()
    page.get_by_test_id("filters").click()
    switch.uncheck()
    page.wait_for_url(re.compile("^[^?]*[?]q=red$"))
    page.get_by_test_id("search-input").fill("")
    count_of(page, COUNT)


def test_a_library_without_scores_has_no_safe_mode(page, dated):
    page.route("**/api/suggestions", lambda route: route.fulfill(json={"examples": [], "columns": []}))
    page.goto(dated)
    page.get_by_test_id("filters").click()
    expect(page.get_by_test_id("filter-panel")).to_contain_text("nothing to filter by")
    expect(page.get_by_role("switch")).to_have_count(0)


def test_sources_are_safe_links_on_tiles_and_on_the_opened_picture(page, dated):
    page.goto(f'{dated}/?where=series:"series 01","series 02"')
    tiles = page.get_by_test_id("tile")
    expect(tiles.first).to_be_visible()
    seen = set()
    for number in range(6):
        tiles.nth(number).hover()
        expect(page.get_by_test_id("more-like")).to_be_visible()
        link = page.get_by_test_id("source")
        seen.add(link.get_attribute("href") if link.count() else None)
        if link.count():
            assert link.get_attribute("rel") == "noopener noreferrer"
    assert None in seen
    assert len(seen) > 1
    assert all(href is None or href.startswith("https://pictures.example/about/") for href in seen)
    page.goto(f'{dated}/?where=series:"series 01"')
    tiles.first.click()
    link = page.get_by_test_id("lightbox").get_by_test_id("source")
    expect(link).to_have_attribute("href", re.compile("^https://pictures.example/about/"))
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    page.goto(f'{dated}/?where=series:"series 02"')
    tiles.first.click()
    page.get_by_test_id("details").click()
    expect(page.get_by_test_id("metadata")).to_contain_text("javascript:alert(1)")
    expect(page.get_by_test_id("metadata").get_by_role("link")).to_have_count(0)
    expect(link).to_have_count(0)
