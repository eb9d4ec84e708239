"""Results, speed mode, the lightbox and the selection."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import json
import re
from urllib.parse import urlsplit
from zipfile import ZipFile

import pytest
from playwright.sync_api import expect

from snapseek.collection import create_collection
from snapseek.library import Library
from tests.conftest import write_pictures
from tests.support.page_fixtures import (  # noqa: F401
    ask,
    browser,
    expect_first,
    judging_page,
    page,
    server,
    wait_until,
    without_relevance,
)
from tests.support.page_server import serving

_COUNT_SHIFTS = """window.shift = 0;
new PerformanceObserver((list) => list.getEntries().forEach((entry) => window.shift += entry.value))
    .observe({ type: 'layout-shift', buffered: true });"""

pytestmark = pytest.mark.browser


def test_speed_mode_requests_no_originals_and_counts_searches(page, server):
    page.goto(server)
    expect(page.get_by_test_id("tile").first).to_be_visible()
    page.get_by_test_id("tile").first.focus()
    page.keyboard.press("S")
    expect(page.get_by_test_id("rate")).to_be_visible()
    page.wait_for_load_state("networkidle")
    originals = []
    page.on(
        "request", lambda request: originals.append(request.url) if "/api/image/" in request.url else None
    )
    for word in ("red", "green", "blue"):
        ask(page, word)
        expect_first(page, word)
    page.mouse.wheel(0, 4000)
    page.wait_for_timeout(300)
    assert originals == []
    expect(page.get_by_test_id("original")).to_have_count(0)
    assert float(page.get_by_test_id("rate").inner_text().split("/")[0]) > 0


def test_near_duplicates_are_grouped(page, server):
    page.goto(f"{server}/?q=red")
    expect(page.get_by_test_id("duplicates").first).to_have_text(re.compile(r"\+\d+ similar"))


def test_near_duplicates_expand_in_place_and_collapse(page, server):
    page.goto(f"{server}/?q=red")
    head = page.locator("li", has=page.get_by_test_id("duplicates")).first
    fold = head.get_by_test_id("duplicates")
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(page.get_by_test_id("original").first).to_be_attached()  # by then all tiles are there
    name = head.get_by_test_id("preview").get_attribute("alt")
    count = int(re.search(r"\d+", fold.inner_text()).group())
    before = page.get_by_test_id("tile").count()
    expect(fold).to_have_accessible_name(f"{count} similar to {name}")
    fold.click()
    expect(fold).to_have_attribute("aria-expanded", "true")
    expect(fold).to_have_text(f"\u2212{count} similar")
    expect(page.get_by_test_id("tile")).to_have_count(before + count)
    groups = page.get_by_test_id("grid").locator("li").evaluate_all("all => all.map(li => li.dataset.group)")
    start = groups.index("head")
    assert groups[start + 1 : start + 1 + count] == ["member"] * count
    expect(page.get_by_test_id("status")).to_contain_text(f"{count} near-duplicates shown.")
    expect(page.get_by_test_id("search-input")).to_have_value("red")
    fold.click()
    expect(page.get_by_test_id("tile")).to_have_count(before)


def test_near_duplicates_expand_by_keyboard_and_keep_the_focus(page, server):
    page.goto(f"{server}/?q=red")
    group = page.locator("li", has=page.get_by_test_id("duplicates")).first
    fold, head = group.get_by_test_id("duplicates"), group.get_by_test_id("tile")
    expect(page.get_by_test_id("original").first).to_be_attached()  # by then all tiles are there
    before = page.get_by_test_id("tile").count()
    head.focus()
    page.keyboard.press("u")
    expect(fold).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowRight")
    member = page.locator("li[data-group=member]").first.get_by_test_id("tile")
    expect(member).to_be_focused()
    page.keyboard.press("u")
    expect(page.get_by_test_id("tile")).to_have_count(before)
    expect(head).to_be_focused()
    fold.focus()
    page.keyboard.press("Enter")
    expect(fold).to_have_attribute("aria-expanded", "true")
    expect(fold).to_be_focused()


def judge(page, count):
    """Let the server find `count` good matches."""

    def answer_with(route):
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "relevant_count": count})

    page.route("**/api/search?*", answer_with)


def test_weak_matches_are_shown_on_request(judging_page, server):
    page = judging_page
    judge(page, 2)
    page.goto(f"{server}/?q=red")
    expect(page.get_by_test_id("tile")).to_have_count(2)
    expect(page.get_by_test_id("end-of-results")).to_contain_text("2 good matches.")
    expect(page.get_by_test_id("status")).to_contain_text("2 good matches for red, best first")
    page.get_by_test_id("show-weak").click()
    expect(page.get_by_test_id("weak")).to_be_visible()
    expect(page.get_by_test_id("show-weak")).to_have_count(0)
    tops = page.get_by_test_id("tile").evaluate_all("tiles => tiles.map(t => t.getBoundingClientRect().top)")
    divider = page.get_by_test_id("weak").bounding_box()["y"]
    assert len(tops) > 3
    assert tops[1] < divider < tops[2]


def test_that_nothing_looks_like_the_words_is_said(judging_page, server):
    page = judging_page
    judge(page, 0)
    page.goto(server)
    expect(page.get_by_test_id("tile").first).to_be_visible()
    ask(page, "red")
    expect(page.get_by_test_id("end-of-results")).to_contain_text("Nothing here looks like that.")
    expect(page.get_by_test_id("tile")).to_have_count(0)
    page.get_by_test_id("show-weak").click()
    expect(page.get_by_test_id("tile").first).to_be_visible()


def test_a_tile_and_the_opened_picture_say_why_they_were_found(page, server):
    page.goto(f"{server}/?q=red")
    expect(page.get_by_test_id("why").first).to_have_text("in the file name")
    page.get_by_test_id("tile").first.click()
    expect(page.get_by_test_id("facts")).to_contain_text("found in the file name")


def test_the_label_of_why_is_a_new_one_for_another_picture(page, server):
    page.goto(f"{server}/?q=red+name:red")
    page.get_by_test_id("why").first.evaluate("label => { label.dataset.earlier = ''; }")
    page.get_by_test_id("search-input").fill("green name:green")
    expect_first(page, "green")
    expect(page.get_by_test_id("why").first).to_have_text("in the file name")
    expect(page.locator("[data-earlier]")).to_have_count(0)  # one that moves would count as a layout shift


def test_captions_and_scores_come_on_demand(page, server):
    page.goto(f"{server}/?q=red")
    expect(page.get_by_test_id("score")).to_have_count(0)
    page.get_by_test_id("captions").click()
    expect(page.get_by_test_id("score").first).to_have_text(re.compile(r"^-?\d\.\d{2}$"))


def test_originals_send_no_referrer_and_are_unloaded_far_away(page, server):
    page.set_viewport_size({"width": 500, "height": 400})
    page.goto(server)
    first = page.get_by_test_id("tile").first
    expect(first.get_by_test_id("original")).to_have_attribute("referrerpolicy", "no-referrer")
    expect(first).to_have_attribute("data-original", re.compile("shown|faded-in"))
    for _ in range(6):
        page.mouse.wheel(0, 4000)
        page.wait_for_timeout(100)
    expect(first.get_by_test_id("original")).to_have_count(0)
    page.evaluate("scrollTo(0, 0)")
    expect(first.get_by_test_id("original")).to_have_count(1)


def test_an_original_stays_if_its_tile_was_far_away_for_a_moment(page, server):
    page.goto(server)
    first = page.get_by_test_id("tile").first
    expect(first).to_have_attribute("data-original", re.compile("shown|faded-in"))
    first.evaluate(
        """(tile) => [true, false].forEach((skipped) => tile.closest('li').dispatchEvent(
            new ContentVisibilityAutoStateChangeEvent('contentvisibilityautostatechange', { skipped })))"""
    )
    page.wait_for_timeout(300)
    expect(first).to_have_attribute("data-original", re.compile("shown|faded-in"), timeout=1000)


def opened(page, server):
    page.goto(f"{server}/?q=blue")
    expect_first(page, "blue")
    page.get_by_test_id("tile").first.click()
    box = page.get_by_role("dialog")
    expect(box).to_be_visible()
    return box


def test_the_lightbox_shows_metadata_and_similar_pictures(page, server):
    box = opened(page, server)
    expect(box.get_by_test_id("metadata")).to_be_hidden()
    box.get_by_role("button", name="Details").click()
    expect(box.get_by_test_id("metadata")).to_contain_text("webp")
    neighbour = box.get_by_test_id("similar-pictures").get_by_role("button").first
    name = neighbour.get_attribute("aria-label")
    neighbour.click()
    expect(box).to_have_attribute("aria-label", name)


def test_s_finds_pictures_similar_to_the_opened_one(page, server):
    box = opened(page, server)
    page.keyboard.press("s")
    expect(box).to_be_hidden()
    expect(page.get_by_test_id("term")).to_contain_text("like this")


def test_d_downloads_f_is_full_screen_and_slash_focuses_the_box(page, server):
    box = opened(page, server)
    with page.expect_download() as download:
        page.keyboard.press("d")
    assert download.value.suggested_filename.startswith("blue")
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement !== null")
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement === null")
    page.keyboard.press("/")
    expect(box).to_be_hidden()
    expect(page.get_by_test_id("search-input")).to_be_focused()


SWIPE = """(box, [from, to]) => {
    const touch = (x) => new Touch({ identifier: 1, target: box, clientX: x, clientY: 300 });
    const fire = (kind, x, touches) => box.dispatchEvent(
        new TouchEvent(kind, { touches, changedTouches: [touch(x)], bubbles: true }));
    fire('touchstart', from, [touch(from)]);
    fire('touchend', to, []);
}"""


def test_a_swipe_shows_the_next_picture(page, server):
    box = opened(page, server)
    box.evaluate(SWIPE, [300, 100])
    expect(box).not_to_have_attribute("aria-label", re.compile("blue"))
    box.evaluate(SWIPE, [100, 300])
    expect(box).to_have_attribute("aria-label", re.compile("blue"))


@pytest.mark.parametrize("kind", ["paths", "csv", "json"])
def test_the_selection_is_exported(page, server, kind, tmp_path):
    page.goto(f"{server}/?q=red")
    expect_first(page, "red")
    page.get_by_test_id("tile").first.focus()
    page.keyboard.press("x")
    ask(page, "blue")
    expect_first(page, "blue")
    page.get_by_test_id("select").first.click()
    expect(page.get_by_test_id("selection-bar")).to_contain_text("2 selected")
    with page.expect_download() as download:
        page.get_by_test_id("selection-more").click()
        page.get_by_test_id(f"export-{kind}").click()
    text = download.value.path().read_text()
    if kind == "paths":
        assert text == "red.jpg\ndeep/blue.webp\n"
    elif kind == "csv":
        assert [line.split(",")[1] for line in text.splitlines()] == ["path", "red.jpg", "deep/blue.webp"]
    else:
        assert [entry["path"] for entry in json.loads(text)] == ["red.jpg", "deep/blue.webp"]


def selected(page, address):
    page.goto(address)
    expect(page.get_by_test_id("tile").first).to_be_visible()
    page.get_by_test_id("tile").first.focus()
    page.keyboard.press("x")
    bar = page.get_by_test_id("selection-bar")
    expect(bar).to_contain_text("1 selected")
    return bar


def test_paths_and_a_picture_are_copied(browser, server):
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    without_relevance(page)
    bar = selected(page, f"{server}/?q=blue")
    bar.get_by_role("button", name="Copy paths").click()
    expect(bar).to_contain_text("1 path copied")
    assert page.evaluate("navigator.clipboard.readText()").endswith("/deep/blue.webp\n")
    bar.get_by_role("button", name="Done").click()
    page.get_by_test_id("tile").first.click()
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    size = page.evaluate(
        """async () => {
            const [item] = await navigator.clipboard.read();
            const image = await createImageBitmap(await item.getType('image/png'));
            return [image.width, image.height];
        }"""
    )
    assert size == [60, 40]
    context.close()


def test_the_selection_is_downloaded_as_one_archive(page, server):
    bar = selected(page, f"{server}/?q=red")
    ask(page, "blue")
    expect_first(page, "blue")
    page.get_by_test_id("select").first.click()
    with page.expect_download() as download:
        bar.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "pictures.zip"
    with ZipFile(download.value.path()) as archive:
        assert archive.namelist() == ["red.jpg", "blue.webp"]
        assert archive.testzip() is None


def test_a_refused_archive_shows_the_reason(page, server):
    problem = {"status": 400, "detail": "expected originals of at most 2 GB together, got 3.0 GB"}
    page.route("**/api/zip?*", lambda route: route.fulfill(status=400, json=problem))
    bar = selected(page, f"{server}/?q=red")
    bar.get_by_role("button", name="Download").click()
    expect(page.get_by_test_id("error")).to_contain_text("at most 2 GB together")


def test_right_to_left_words_and_reduced_motion(page, server):
    page.emulate_media(reduced_motion="reduce")
    page.goto(server)
    box = page.get_by_test_id("search-input")
    box.fill("אדום")
    assert box.evaluate("box => getComputedStyle(box).direction") == "rtl"
    duration = box.evaluate("box => getComputedStyle(box.form).transitionDuration")
    assert all(float(part.rstrip("s")) < 0.001 for part in duration.split(", "))


def test_an_original_fades_in_only_if_it_is_late(page, server):
    held = {}
    page.clock.install()
    page.goto(f"{server}/?q=qwertyuiop")  # no word that is known: no picture is there before
    expect(page.get_by_test_id("error")).to_be_visible()
    page.route("**/api/image/**", lambda route: held.update({urlsplit(route.request.url).path: route}))
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)  # from now on the test says when time passes
    page.get_by_test_id("search-input").fill("red yellow")
    page.keyboard.press("Enter")
    expect_first(page, "red|yellow")
    originals = page.get_by_test_id("original")
    for _ in range(50):
        if originals.evaluate_all("images => images.filter((image) => image.src).length") > 1:
            break
        page.clock.run_for(10)

    def release(tile):
        for _ in range(250):
            path = urlsplit(tile.get_by_test_id("original").evaluate("image => image.src")).path
            if path in held:
                return held.pop(path).continue_()
            page.wait_for_timeout(20)
        raise AssertionError(f"{path} was not requested")

    in_time, late = page.get_by_test_id("tile").nth(0), page.get_by_test_id("tile").nth(1)
    release(in_time)
    expect(in_time).to_have_attribute("data-original", "shown")
    assert in_time.get_by_test_id("original").evaluate("i => getComputedStyle(i).transitionDuration") == "0s"
    page.clock.run_for(150)
    release(late)
    expect(late).to_have_attribute("data-original", "faded-in")
    assert late.get_by_test_id("original").evaluate("i => getComputedStyle(i).transitionDuration") == "0.16s"
    page.unroute_all(behavior="ignoreErrors")


def test_speed_mode_shows_more_and_crisp_previews(page, server):
    page.route("**/api/image/**", lambda route: None)  # never answered
    page.goto(server, wait_until="domcontentloaded")
    expect(page.get_by_test_id("original").first).to_be_attached()
    height = page.get_by_test_id("tile").first.bounding_box()["height"]
    assert "blur" in page.get_by_test_id("preview").nth(1).evaluate("one => one.style.filter")
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+S")
    expect(page.get_by_test_id("original")).to_have_count(0)
    assert page.get_by_test_id("tile").first.bounding_box()["height"] < height
    filters = page.get_by_test_id("preview").evaluate_all(
        "all => all.map((one) => getComputedStyle(one).filter)"
    )
    assert set(filters) == {"none"}
    page.unroute_all(behavior="ignoreErrors")


def test_the_lightbox_shows_the_original_and_goes_both_ways(page, server):
    box = opened(page, server)
    original = box.get_by_test_id("lightbox-original")
    expect(original).to_have_class(re.compile("shown"))
    assert original.evaluate("image => image.naturalWidth") > 0
    name = box.get_attribute("aria-label")
    expect(box.get_by_role("button", name="Previous picture")).to_be_disabled()
    page.keyboard.press("ArrowRight")
    expect(box).not_to_have_attribute("aria-label", name)
    page.keyboard.press("ArrowLeft")
    expect(box).to_have_attribute("aria-label", name)
    box.get_by_role("button", name="Close").click()
    expect(box).to_be_hidden()
    expect(page.get_by_test_id("tile").first).to_be_focused()


def test_the_mark_of_a_missing_original_moves_nothing(page, server):
    held = []
    page.route("**/api/image/**", lambda route: held.append(route))
    page.add_init_script(_COUNT_SHIFTS)
    page.goto(f"{server}/?q=red", wait_until="domcontentloaded")  # the load waits for what is held
    why = page.get_by_test_id("why").first
    expect(why).to_have_text("in the file name")
    where = why.bounding_box()
    wait_until(page, lambda: held)
    page.route("**/api/image/**", lambda route: route.fulfill(status=404))
    for route in held:
        route.fulfill(status=404)
    mark = page.get_by_test_id("missing").first
    expect(mark).to_be_visible()
    assert why.bounding_box() == where
    assert mark.bounding_box()["y"] >= where["y"] + where["height"]
    assert page.evaluate("window.shift") == 0


def test_a_missing_original_is_reported_in_the_lightbox(page, server):
    page.route("**/api/image/**", lambda route: route.fulfill(status=404, body="gone"))
    box = opened(page, server)
    expect(box).to_contain_text("The original cannot be shown. This is its preview.")
    assert box.locator("img.preview").evaluate("image => image.naturalWidth") > 0


def test_escape_clears_the_selection(page, server):
    page.goto(f"{server}/?q=red")
    expect_first(page, "red")
    page.get_by_test_id("tile").first.click(modifiers=["Shift"])
    expect(page.get_by_test_id("selection-bar")).to_contain_text("1 selected")
    page.get_by_test_id("tile").nth(1).click()  # while some are chosen, a click chooses
    expect(page.get_by_test_id("selection-bar")).to_contain_text("2 selected")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("selection-bar")).to_have_count(0)


def test_c_shows_captions_and_s_finds_pictures_similar_to_a_tile(page, server):
    page.goto(f"{server}/?q=red")
    expect_first(page, "red")
    page.get_by_test_id("tile").first.focus()
    page.keyboard.press("c")
    expect(page.get_by_test_id("score").first).to_be_visible()
    page.keyboard.press("s")
    expect(page.get_by_test_id("term")).to_contain_text("like this")


def test_arrow_keys_move_from_the_box_through_the_tiles_and_back(page, server):
    page.goto(server)
    expect(page.get_by_test_id("tile").nth(1)).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("tile").first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("tile").nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_test_id("search-input")).to_be_focused()


def test_the_page_says_that_partitions_are_missing(page, tmp_path, encoder):
    for part in ("here", "gone"):
        folder = write_pictures(tmp_path / part)
        Library.build(folder, tmp_path / f"{part}.snapseek", encoder=encoder)
    path = tmp_path / "collection.json"
    create_collection(path, [[str(tmp_path / "here.snapseek")], [str(tmp_path / "gone.snapseek")]])
    (tmp_path / "gone.snapseek").rename(tmp_path / "elsewhere")
    with serving(path) as address:
        page.add_init_script(_COUNT_SHIFTS)
        page.goto(f"{address}/?q=red")
        expect_first(page, "red")
        missing = page.get_by_test_id("partitions")
        expect(missing).to_contain_text("1 of 2 partitions have answered")
        expect(missing).to_contain_text("gone: expected a library at")
        assert page.get_by_test_id("tile").first.bounding_box()["x"] == missing.bounding_box()["x"]
        assert page.evaluate("window.shift") == 0
        for width in (320, 390, 2560):
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
            box = missing.bounding_box()
            assert box["x"] + box["width"] <= width
