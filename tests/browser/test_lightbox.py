"""The opened picture: its address, zoom, details and keys."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import expect

from snapseek.library import Library
from tests.support.page_fixtures import (  # noqa: F401
    browser,
    expect_first,
    page,
    server,
    wait_for_rest,
    wait_until,
    without_relevance,
)
from tests.support.page_server import serving

pytestmark = pytest.mark.browser

TAKEN, CAMERA = 0x0132, 0x0110


@pytest.fixture(scope="module")
def photos(tmp_path_factory, encoder):
    """The address of a server of five photographs with a date, a folder and a camera."""
    directory = tmp_path_factory.mktemp("photos")
    for day in range(1, 6):
        path = directory / "pictures" / "Grandma" / f"IMG_{day}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif[TAKEN], exif[CAMERA] = f"2023:06:{day:02} 16:54:00", "Phone 3"
        Image.new("RGB", (1200, 800), f"hsl({day * 60}, 80%, 50%)").save(path, exif=exif)
    Library.build(directory / "pictures", directory / "l", encoder=encoder)
    with serving(directory / "l") as address:
        yield address


def opened(page, address, index=0):
    page.goto(address)
    expect(page.get_by_test_id("tile").nth(index)).to_be_visible()
    page.get_by_test_id("tile").nth(index).click()
    box = page.get_by_test_id("lightbox")
    expect(box).to_be_visible()
    return box


def picture_of(page):
    return parse_qs(urlsplit(page.url).query).get("picture")


def test_back_closes_the_picture_and_forward_opens_it(page, server):
    box = opened(page, f"{server}/?q=blue")
    entries = page.evaluate("history.length")
    first = picture_of(page)
    name = box.get_attribute("data-name")
    page.keyboard.press("ArrowRight")
    expect(box).not_to_have_attribute("data-name", name)
    assert picture_of(page) != first
    assert page.evaluate("history.length") == entries  # a further picture is no further entry
    page.go_back()
    expect(box).to_have_count(0)
    assert (picture_of(page), urlsplit(page.url).query) == (None, "q=blue")
    page.go_forward()
    expect(box).to_be_visible()
    assert box.get_attribute("data-name") != name


def test_closing_goes_back_instead_of_adding_an_entry(page, server):
    page.goto(f"{server}/?q=red")
    box = opened(page, f"{server}/?q=blue")
    box.get_by_role("button", name="Close").click()
    expect(box).to_have_count(0)
    page.wait_for_url("**/?q=blue")
    page.get_by_test_id("tile").first.click()
    expect(box).to_be_visible()
    page.keyboard.press("Escape")
    page.wait_for_url("**/?q=blue")
    page.go_back()
    page.wait_for_url("**/?q=red")


def test_a_link_and_a_reload_show_the_picture(page, browser, server):
    box = opened(page, f"{server}/?q=blue", index=1)
    name = box.get_attribute("data-name")
    page.reload()
    expect(box).to_have_attribute("data-name", name)
    expect(box.get_by_test_id("counter")).to_have_text(re.compile(r"^2 of \d+$"))
    other = browser.new_page()
    without_relevance(other)
    other.goto(page.url)
    shared = other.get_by_test_id("lightbox")
    expect(shared).to_have_attribute("data-name", name)
    shared.get_by_role("button", name="Close").click()
    expect(shared).to_have_count(0)
    other.wait_for_url("**/?q=blue")  # not the page before, which is another site
    expect(other.get_by_test_id("tile").first).to_be_visible()
    other.close()
    page.go_back()
    expect(box).to_have_count(0)
    expect_first(page, "blue")


def test_a_link_to_a_picture_outside_of_the_results_shows_it(page, server):
    page.goto(f"{server}/?q=red&where=type:avif&picture=1")
    box = page.get_by_test_id("lightbox")
    expect(box).to_be_visible()
    expect(box.get_by_test_id("counter")).to_have_text("")
    expect(box.get_by_role("button", name="Next picture")).to_be_disabled()


def test_a_link_to_a_picture_that_is_gone_says_so(page, server):
    page.goto(f"{server}/?q=red&picture=999999")
    expect(page.get_by_test_id("error")).to_contain_text("not in the library any more")
    expect_first(page, "red")
    assert picture_of(page) is None


def test_back_after_more_like_this_shows_the_picture_again(page, server):
    box = opened(page, f"{server}/?q=blue")
    name = box.get_attribute("data-name")
    page.keyboard.press("s")
    expect(box).to_have_count(0)
    expect(page.get_by_test_id("term")).to_contain_text("like this")
    page.go_back()
    expect(box).to_have_attribute("data-name", name)
    page.go_back()
    expect(box).to_have_count(0)
    expect(page.get_by_test_id("search-input")).to_have_value("blue")


def scale(box):
    return float(box.get_by_test_id("zoomed").get_attribute("data-scale"))


def test_a_picture_is_enlarged_moved_and_shown_whole(page, photos):
    box = opened(page, photos)
    zoomed = box.get_by_test_id("zoomed")
    box.get_by_role("button", name="Zoom in").click()
    expect(zoomed).to_have_attribute("data-scale", "1.50")
    page.keyboard.press("+")
    expect(zoomed).to_have_attribute("data-scale", "2.25")
    wait_for_rest(page)
    before = zoomed.bounding_box()
    page.mouse.move(640, 300)
    page.mouse.down()
    page.mouse.move(560, 340, steps=4)
    page.mouse.up()

    def is_moved_by(x, y):
        now = zoomed.bounding_box()
        return (now["x"] - before["x"], now["y"] - before["y"]) == pytest.approx((x, y), abs=2)

    wait_until(page, lambda: is_moved_by(-80, 40))
    page.keyboard.press("Shift+ArrowRight")
    wait_until(page, lambda: is_moved_by(-160, 40))
    page.keyboard.press("0")
    expect(zoomed).to_have_attribute("data-scale", "1.00")
    page.mouse.move(640, 300)
    page.mouse.wheel(0, -300)
    expect(zoomed).to_have_attribute("data-scale", "2.72")
    page.mouse.dblclick(640, 300)
    expect(zoomed).to_have_attribute("data-scale", "1.00")
    page.mouse.dblclick(640, 300)
    expect(zoomed).to_have_attribute("data-scale", "2.50")
    expect(box).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(zoomed).to_have_attribute("data-scale", "1.00")


def test_zoom_loads_a_larger_original(page, photos):
    page.set_viewport_size({"width": 500, "height": 700})
    box = opened(page, photos)
    original = box.get_by_test_id("lightbox-original")
    expect(original).to_have_attribute("src", re.compile("w=640$"))
    page.keyboard.press("+")
    page.keyboard.press("+")
    expect(original).to_have_attribute("src", re.compile("w=1280$"))


def test_two_fingers_enlarge_and_a_swipe_does_not_turn_the_page_then(browser, photos):
    page = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    without_relevance(page)
    box = opened(page, photos)
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        session.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": 300, "id": i} for i, x in enumerate(points)]},
        )

    touch("touchStart", 170, 220)
    for step in range(1, 6):
        touch("touchMove", 170 - 10 * step, 220 + 10 * step)
    touch("touchEnd")
    wait_until(page, lambda: scale(box) == pytest.approx(3, abs=0.1))
    name = box.get_attribute("data-name")
    touch("touchStart", 300)
    for step in range(1, 6):
        touch("touchMove", 300 - 40 * step)
    touch("touchEnd")
    page.wait_for_timeout(200)
    assert box.get_attribute("data-name") == name
    page.close()


def test_a_rotated_picture_fits_the_window(page, photos):
    box = opened(page, photos)
    zoomed = box.get_by_test_id("zoomed")
    wait_for_rest(page)
    upright = zoomed.bounding_box()
    assert upright["width"] > upright["height"]
    page.keyboard.press("r")
    wait_for_rest(page)
    side = zoomed.bounding_box()
    assert side["width"] < side["height"] <= 800
    assert side["y"] >= 0
    page.keyboard.press("ArrowRight")
    wait_for_rest(page)
    assert zoomed.bounding_box()["width"] == pytest.approx(upright["width"], abs=1)


def test_date_and_place_come_first_and_details_on_demand(page, photos):
    box = opened(page, photos)
    expect(box.get_by_test_id("facts")).to_have_text(
        re.compile("^. June 2023, 16:54\\s*Grandma\\s*Phone 3\\s*$")
    )
    expect(box.get_by_test_id("counter")).to_have_text("1 of 5")
    details = box.get_by_role("button", name="Details")
    expect(details).to_have_attribute("aria-expanded", "false")
    expect(box.get_by_test_id("metadata")).to_be_hidden()
    page.keyboard.press("i")
    expect(details).to_have_attribute("aria-expanded", "true")
    expect(box.get_by_test_id("metadata")).to_contain_text("1,200 \u00d7 800")
    expect(box.get_by_test_id("metadata")).not_to_contain_text("Score")
    expect(box.get_by_role("heading", name="Similar pictures")).to_be_visible()


def test_tab_comes_to_close_first(page, photos):
    box = opened(page, photos)
    names = []
    for _ in range(6):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.ariaLabel"))
    # The last is Select.
    assert names == ["Close", "Rotate", "Zoom in", "Teach a word", "Next picture", None]
    expect(box.get_by_role("button", name="Select")).to_be_focused()


def test_the_help_opens_above_a_picture_and_closes_alone(page, photos):
    box = opened(page, photos)
    page.keyboard.press("?")
    help = page.get_by_role("dialog", name="Help")
    expect(help).to_contain_text("Zoom in")
    page.keyboard.press("Escape")
    expect(help).to_have_count(0)
    expect(box).to_be_visible()
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)
