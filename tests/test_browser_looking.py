"""Looking: results, speed mode, the opened picture, and the chosen ones."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import json
import re

import pytest
from playwright.sync_api import expect

from page_fixtures import ask, browser, expect_first, page, server  # noqa: F401

pytestmark = pytest.mark.page


def test_speed_mode_asks_for_no_original_and_counts(page, server):
    page.goto(server)
    expect(page.get_by_test_id("tile").first).to_be_visible()
    page.get_by_test_id("tile").first.focus()
    page.keyboard.press("S")
    expect(page.get_by_test_id("speed")).to_have_attribute("aria-pressed", "true")
    page.wait_for_load_state("networkidle")
    originals = []
    page.on("request", lambda asked: originals.append(asked.url) if "/api/image/" in asked.url else None)
    for word in ("red", "green", "blue"):
        ask(page, word)
        expect_first(page, word)
    page.mouse.wheel(0, 4000)
    page.wait_for_timeout(300)
    assert originals == []
    expect(page.get_by_test_id("original")).to_have_count(0)
    assert float(page.get_by_test_id("rate").inner_text().split()[0]) > 0


def test_near_duplicates_are_folded(page, server):
    page.goto(f"{server}/?q=red")
    expect(page.get_by_test_id("similar").first).to_have_text(re.compile(r"\+\d+ similar"))


def test_near_duplicates_are_unfolded_in_place_and_folded_again(page, server):
    page.goto(f"{server}/?q=red")
    head = page.locator("li", has=page.get_by_test_id("similar")).first
    fold = head.get_by_test_id("similar")
    expect(fold).to_have_attribute("aria-expanded", "false")
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
    expect(page.get_by_test_id("status")).to_contain_text(f"{count} near-duplicates shown beside.")
    expect(page.get_by_test_id("search-input")).to_have_value("red")
    fold.click()
    expect(page.get_by_test_id("tile")).to_have_count(before)


def test_near_duplicates_are_unfolded_by_the_keyboard_and_the_focus_stays(page, server):
    page.goto(f"{server}/?q=red")
    group = page.locator("li", has=page.get_by_test_id("similar")).first
    fold, head = group.get_by_test_id("similar"), group.get_by_test_id("tile")
    expect(head).to_be_visible()
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


def test_weak_matches_are_divided_off(page, server):
    def weak(route):
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "weak_from": 2})

    page.route("**/api/search?*", weak)
    page.goto(f"{server}/?q=red")
    expect(page.get_by_test_id("weak")).to_be_visible()
    tops = page.get_by_test_id("tile").evaluate_all("tiles => tiles.map(t => t.getBoundingClientRect().top)")
    divider = page.get_by_test_id("weak").bounding_box()["y"]
    assert tops[1] < divider < tops[2]


def test_captions_and_scores_come_on_demand(page, server):
    page.goto(f"{server}/?q=red")
    expect(page.get_by_test_id("score")).to_have_count(0)
    page.get_by_test_id("tell").click()
    expect(page.get_by_test_id("score").first).to_have_text(re.compile(r"^-?\d\.\d{3}$"))


def test_originals_send_no_referrer_and_are_let_go_of_far_away(page, server):
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


def opened(page, server):
    page.goto(f"{server}/?q=blue")
    expect_first(page, "blue")
    page.get_by_test_id("tile").first.click()
    box = page.get_by_role("dialog")
    expect(box).to_be_visible()
    return box


def test_the_lightbox_shows_record_and_neighbours(page, server):
    box = opened(page, server)
    expect(box.get_by_test_id("record")).to_contain_text("webp")
    neighbour = box.get_by_test_id("neighbours").get_by_role("button").first
    name = neighbour.get_attribute("aria-label")
    neighbour.click()
    expect(box).to_have_attribute("aria-label", name)


def test_s_asks_for_the_like_of_the_opened_picture(page, server):
    box = opened(page, server)
    page.keyboard.press("s")
    expect(box).to_be_hidden()
    expect(page.get_by_test_id("term")).to_contain_text("like this")


def test_d_downloads_f_fills_the_screen_and_slash_asks(page, server):
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


def test_a_swipe_turns_the_page(page, server):
    box = opened(page, server)
    box.evaluate(
        """(box) => {
            const touch = (x) => new Touch({ identifier: 1, target: box, clientX: x, clientY: 300 });
            const fire = (kind, x, touches) => box.dispatchEvent(
                new TouchEvent(kind, { touches, changedTouches: [touch(x)], bubbles: true }));
            fire('touchstart', 300, [touch(300)]);
            fire('touchend', 100, []);
        }"""
    )
    expect(box).not_to_have_attribute("aria-label", re.compile("blue"))


@pytest.mark.parametrize("kind", ["paths", "csv", "json"])
def test_the_chosen_are_exported(page, server, kind, tmp_path):
    page.goto(f"{server}/?q=red")
    expect_first(page, "red")
    page.get_by_test_id("tile").first.focus()
    page.keyboard.press("x")
    ask(page, "blue")
    expect_first(page, "blue")
    page.get_by_test_id("pick").first.click()
    expect(page.get_by_test_id("basket")).to_contain_text("2 pictures chosen")
    with page.expect_download() as download:
        page.get_by_test_id(f"export-{kind}").click()
    text = download.value.path().read_text()
    if kind == "paths":
        assert text == "red.jpg\ndeep/blue.webp\n"
    elif kind == "csv":
        assert [line.split(",")[1] for line in text.splitlines()] == ["path", "red.jpg", "deep/blue.webp"]
    else:
        assert [entry["path"] for entry in json.loads(text)] == ["red.jpg", "deep/blue.webp"]


def test_right_to_left_words_and_reduced_motion(page, server):
    page.emulate_media(reduced_motion="reduce")
    page.goto(server)
    box = page.get_by_test_id("search-input")
    box.fill("אדום")
    assert box.evaluate("box => getComputedStyle(box).direction") == "rtl"
    duration = box.evaluate("box => getComputedStyle(box.form).transitionDuration")
    assert all(float(part.rstrip("s")) < 0.001 for part in duration.split(", "))
