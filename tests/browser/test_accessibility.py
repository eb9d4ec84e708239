"""Accessibility of the page: names, focus, themes, error messages."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from snapseek.library import Library
from tests.conftest import write_pictures
from tests.support.page_fixtures import ask, browser, expect_first, judging_page, large, page, server  # noqa: F401
from tests.support.page_server import serving

pytestmark = pytest.mark.browser

NAMELESS = re.compile(
    r"^\s*- (button|link|searchbox|textbox|dialog|toolbar|list|img)(?=:|$| \[)", re.MULTILINE
)


def test_everything_that_can_be_used_has_a_name_for_screen_readers(page, server):
    page.goto(f"{server}/?q=red&term=1:id:1&where=type:jpeg&where=type:tiff")
    expect(page.get_by_test_id("tile").first).to_be_visible()
    page.get_by_test_id("tile").first.focus()
    page.keyboard.press("x")
    page.get_by_test_id("filters").click()
    shown = page.locator("body").aria_snapshot()
    assert '"Search pictures by words"' in shown
    assert NAMELESS.findall(shown) == []
    page.keyboard.press("Escape")
    page.get_by_test_id("tile").first.focus()
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    assert "Close" in dialog.aria_snapshot()
    assert NAMELESS.findall(dialog.aria_snapshot()) in ([], ["dialog"])
    expect(dialog).to_have_accessible_name(re.compile(r"\w"))


def test_the_filters_fit_a_narrow_window(page, large):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(large)
    page.get_by_test_id("filters").click()
    panel = page.get_by_test_id("filter-panel").bounding_box()
    assert panel["x"] >= 0
    assert panel["x"] + panel["width"] <= 390


def test_results_are_announced(page, server):
    page.goto(server)
    status = page.get_by_role("status").and_(page.get_by_test_id("status"))
    expect(status).to_have_text("86 pictures in the library.")
    ask(page, "red")
    expect(status).to_have_text("Pictures for red, best first.")


def test_the_focus_is_visible_everywhere(page, server):
    page.goto(f"{server}/?q=red")
    expect_first(page, "red")
    expect(page.get_by_test_id("latency")).to_be_visible()
    seen = """() => {
        const at = document.activeElement;
        const marked = [[at], [at, '::after'], [at.form ?? at]].map((one) => getComputedStyle(...one));
        return [at.dataset.testid ?? at.tagName,
            marked.some((look) => (look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 1))];
    }"""
    names = set()
    for _ in range(14):
        page.keyboard.press("Tab")
        name, is_seen = page.evaluate(seen)
        names.add(name)
        assert is_seen, name
    assert {"choose-image", "latency", "captions", "tile"} <= names


def test_light_and_dark_follow_the_system(page, server):
    def brightness():
        return Image.open(io.BytesIO(page.screenshot())).convert("L").getpixel((2, 600))

    page.emulate_media(color_scheme="light")
    page.goto(server)
    expect(page.get_by_test_id("tile").first).to_be_visible()
    assert brightness() > 200
    page.emulate_media(color_scheme="dark")
    assert brightness() < 60


def test_an_unreachable_server_is_reported_and_retried(page, server):
    page.goto(f"{server}/?q=green")
    expect_first(page, "green")
    page.route("**/api/search?*", lambda route: route.abort())
    ask(page, "red")
    expect(page.get_by_test_id("error")).to_contain_text("Is snapseek still running?")
    expect_first(page, "green")
    page.unroute("**/api/search?*")
    page.get_by_test_id("retry").click()
    expect_first(page, "red")
    expect(page.get_by_test_id("error")).to_have_count(0)


def test_a_first_visit_offers_examples(page, server):
    def suggest(route):
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "examples": ["blue", "green"]})

    page.route("**/api/suggestions", suggest)
    page.goto(server)
    before = page.evaluate("history.length")
    chip = page.get_by_test_id("example").filter(has_text="blue")
    chip.click()
    expect_first(page, "blue")
    expect(chip).to_have_attribute("aria-pressed", "true")
    assert page.url.endswith("?q=blue")
    assert page.evaluate("history.length") == before + 1
    chip.click()
    expect(page.get_by_test_id("search-input")).to_have_value("")


def test_an_example_without_a_good_match_is_not_offered(judging_page, server):
    page = judging_page

    def suggest(route):
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "examples": ["blue", "green"]})

    def weaken(route):
        answer = route.fetch()
        count = 0 if "q=blue" in route.request.url else 3
        route.fulfill(response=answer, json={**answer.json(), "relevant_count": count})

    page.route("**/api/suggestions", suggest)
    page.route("**/api/search?*", weaken)
    page.goto(server)
    expect(page.get_by_test_id("example")).to_have_text(["green"])


def test_the_results_have_a_heading_and_the_box_has_help(page, server):
    page.goto(server)
    expect(page.get_by_role("heading", name="Results")).to_be_attached()
    page.get_by_role("button", name="Help").click()
    help = page.get_by_role("dialog", name="Help")
    expect(help).to_contain_text("Only pictures of this year")
    expect(help).to_contain_text("Shift+S")


def test_captions_are_not_covered(page, server):
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(f"{server}/?q=red")
    page.get_by_test_id("captions").click()
    tile = page.locator("li", has=page.get_by_test_id("duplicates")).first
    pill = tile.get_by_test_id("duplicates").bounding_box()
    score = tile.get_by_test_id("score").bounding_box()
    assert pill["y"] + pill["height"] <= score["y"] + 4  # the padding of the button


def test_search_open_select_and_export_by_keyboard_alone(page, server):
    page.goto(server)
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("blue")
    expect_first(page, "blue")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("list", name="Pictures").get_by_role("link").first).to_be_focused()
    page.keyboard.press("Enter")
    picture = page.get_by_role("dialog")
    expect(picture).to_have_accessible_name("blue.webp")
    slideshow = picture.get_by_role("button", name="Slideshow")
    for is_pressed in ("true", "false"):
        page.keyboard.press("l")
        expect(slideshow).to_have_attribute("aria-pressed", is_pressed)
    page.keyboard.press("Tab")
    expect(picture.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Enter")
    expect(picture).to_have_count(0)
    expect(page.get_by_test_id("tile").first).to_be_focused()
    page.keyboard.press("x")
    bar = page.get_by_role("toolbar", name="Selected pictures")
    expect(bar.get_by_role("status")).to_have_text("1 selected")
    page.keyboard.press("e")
    expect(bar.get_by_role("button", name="Similar")).to_be_focused()
    more = bar.get_by_role("button", name="More")
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(more).to_be_focused()
    page.keyboard.press("Enter")
    expect(more).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Tab")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "pictures.csv"
    page.keyboard.press("Escape")
    expect(more).to_be_focused()
    page.keyboard.press("Escape")
    expect(bar).to_have_count(0)


def test_an_empty_library_shows_how_to_fill_it(page, tmp_path, encoder):
    library = Library.build(write_pictures(tmp_path / "pictures"), tmp_path / "l", encoder=encoder)
    library.remove([hit.id for hit in library.browse(100)])
    with serving(tmp_path / "l") as address:
        page.goto(address)
        expect(page.get_by_test_id("empty")).to_contain_text("No pictures here yet")
        expect(page.get_by_test_id("empty")).to_contain_text("snapseek index FOLDER")


def test_reduced_motion_disables_animation(page, server):
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{server}/?q=red")
    expect(page.get_by_test_id("original").first).to_be_attached()
    glides = """() => [...document.querySelectorAll('*')].filter((one) => {
        const look = getComputedStyle(one);
        return [look.transitionDuration, look.animationDuration].some((times) =>
            times.split(', ').some((time) => parseFloat(time) > 0.001));
    }).map((one) => one.outerHTML.slice(0, 80))"""
    assert page.evaluate(glides) == []


def test_right_to_left_words_are_aligned_right(page, server):
    page.goto(server)
    box = page.get_by_test_id("search-input")
    box.fill("אדום")
    assert box.evaluate("box => getComputedStyle(box).direction") == "rtl"
    page.keyboard.press("Shift+Enter")
    label = page.get_by_test_id("term").locator("bdi")
    expect(label).to_have_text("אדום")
    assert label.evaluate("label => getComputedStyle(label).unicodeBidi") == "isolate"
    assert box.evaluate("box => getComputedStyle(box).direction") == "ltr"


def test_the_help_lists_the_shortcuts_and_stops_them(page, server):
    page.goto(f"{server}/?q=red")
    expect_first(page, "red")
    page.get_by_test_id("tile").first.focus()
    page.keyboard.press("?")
    help = page.get_by_role("dialog", name="Help")
    expect(help).to_contain_text("Select the picture")
    page.keyboard.press("c")
    page.keyboard.press("Escape")
    expect(help).to_have_count(0)
    expect(page.get_by_test_id("captions")).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_test_id("tile").first).to_be_focused()
    page.keyboard.press("?")
    help.get_by_role("button", name="Close").click()
    expect(help).to_have_count(0)
    expect(page.get_by_test_id("tile").first).to_be_focused()


def test_the_page_requests_only_its_server(page, server):
    urls = []
    page.on("request", lambda request: urls.append(request.url))
    page.goto(f"{server}/?q=red")
    expect_first(page, "red")
    page.wait_for_load_state("networkidle")
    assert [url for url in urls if not url.startswith((server, "data:", "blob:"))] == []
