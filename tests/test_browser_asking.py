"""Asking: as one types, by words, pictures and filters, and the way back."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import io
import json
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from page_fixtures import ask, browser, expect_first, page, server  # noqa: F401

pytestmark = pytest.mark.page


def picture_file(color):
    buffer = io.BytesIO()
    Image.new("RGB", (900, 700), color).save(buffer, "PNG")
    return {"name": "mine.png", "mimeType": "image/png", "buffer": buffer.getvalue()}


def searches(page):
    """Every search that the page sends from now on, as [address, body]."""
    sent = []
    page.on("request", lambda asked: sent.append(asked) if "/api/search" in asked.url else None)
    return sent


SLOW_RED = """
    window.arrived = [];
    const real = window.fetch;
    // Deaf to the page's giving up, so that the late answer does arrive.
    window.fetch = async (address, init) => {
        const answer = await real(address, { ...init, signal: null });
        if (address.includes('q=red&')) await new Promise((done) => setTimeout(done, 600));
        window.arrived.push([address, init.signal?.aborted]);
        return answer;
    };
"""


def test_a_slow_first_answer_is_given_up_and_never_shown(page, server):
    page.add_init_script(SLOW_RED)
    page.goto(server)
    ask(page, "red")
    page.wait_for_timeout(200)
    ask(page, "blue")
    expect_first(page, "blue")
    page.wait_for_function("() => window.arrived.some(([address]) => address.includes('q=red&'))")
    page.wait_for_timeout(100)
    expect_first(page, "blue")
    assert page.evaluate("window.arrived.find(([address]) => address.includes('q=red&'))[1]") is True


def test_typing_asks_once_the_keys_rest_and_enter_at_once(page, server):
    page.goto(server)
    expect(page.get_by_test_id("tile").first).to_be_visible()
    sent = searches(page)
    page.get_by_test_id("search-input").press_sequentially("yellow", delay=15)
    expect_first(page, "yellow")
    assert len(sent) == 1
    began = page.evaluate("performance.now()")
    page.get_by_test_id("search-input").fill("green")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.title.startsWith('green')")
    started = page.evaluate(
        "performance.getEntriesByType('resource').filter(e => e.name.includes('q=green'))[0].startTime"
    )
    assert started - began < 100


def test_back_and_forward_lead_through_what_was_chosen(page, server):
    page.goto(server)
    box = page.get_by_test_id("search-input")
    for words in ("red", "blue"):
        box.press_sequentially(words) if words == "red" else box.fill(words)
        page.keyboard.press("Enter")
        expect_first(page, words)
    page.go_back()
    expect(box).to_have_value("red")
    expect_first(page, "red")
    page.go_back()
    expect(box).to_have_value("")
    page.go_forward()
    page.go_forward()
    expect_first(page, "blue")
    assert page.url.endswith("?q=blue")


def test_typing_leaves_no_trail(page, server):
    page.goto(server)
    expect(page.get_by_test_id("tile").first).to_be_visible()
    before = page.evaluate("history.length")
    ask(page, "red")
    expect_first(page, "red")
    ask(page, "blue")
    expect_first(page, "blue")
    assert page.evaluate("history.length") == before


def test_the_readout_shows_all_parts_of_the_way(page, server):
    page.goto(f"{server}/?q=red")
    expect_first(page, "red")
    details = page.get_by_test_id("readout-details")
    for part in ("embed", "search", "fetch", "network", "paint"):
        expect(details).to_contain_text(part)


def test_a_quicker_model_answers_while_typing_and_the_full_one_on_the_pause(page, server):
    def quick(route):
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "has_fast": True})

    page.route("**/api/info", quick)
    page.goto(server)
    expect(page.get_by_test_id("chip").first.or_(page.get_by_test_id("tile").first)).to_be_visible()
    page.wait_for_load_state("networkidle")
    sent = searches(page)
    page.get_by_test_id("search-input").press_sequentially("red", delay=20)
    expect_first(page, "red")
    page.wait_for_timeout(700)
    assert ["tower=fast" in asked.url for asked in sent] == [True, False]


@pytest.mark.parametrize("color", ["red", "blue"])
def test_a_chosen_picture_is_made_small_and_asked_with(page, server, color):
    page.goto(server)
    sent = searches(page)
    page.get_by_test_id("image-file").set_input_files(picture_file(color))
    expect(page.get_by_test_id("term")).to_contain_text("mine.png")
    expect_first(page, color)
    body = json.loads(sent[0].post_data)
    assert sent[0].method == "POST"
    assert len(body["terms"][0]["image"]) < 40_000


def test_a_dropped_and_a_pasted_picture_are_asked_with(page, server):
    page.goto(server)
    expect(page.get_by_test_id("tile").first).to_be_visible()
    for kind, color, target in (("drop", "#1020d0", "document.body"), ("paste", "#dc1414", "document")):
        page.evaluate(
            """async ([kind, color, target]) => {
                const canvas = Object.assign(document.createElement('canvas'), { width: 90, height: 60 });
                const pen = canvas.getContext('2d');
                pen.fillStyle = color; pen.fillRect(0, 0, 90, 60);
                const blob = await new Promise((done) => canvas.toBlob(done));
                const data = new DataTransfer();
                data.items.add(new File([blob], `${kind}.png`, { type: 'image/png' }));
                const event = kind === 'drop' ? new DragEvent(kind, { dataTransfer: data, bubbles: true })
                    : new ClipboardEvent(kind, { clipboardData: data, bubbles: true });
                (target === 'document' ? document : document.body).dispatchEvent(event);
            }""",
            [kind, color, target],
        )
        expect(page.get_by_test_id("term").last).to_contain_text(f"{kind}.png")
    expect(page.get_by_test_id("term")).to_have_count(2)
    page.get_by_test_id("term").first.get_by_role("button", name="Remove").click()
    expect_first(page, "red")


def test_what_is_no_picture_is_refused_kindly(page, server):
    page.goto(server)
    file = {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"}
    page.get_by_test_id("image-file").set_input_files(file)
    expect(page.get_by_test_id("error")).to_contain_text("not a picture")


def test_more_like_this_and_chips_that_are_weighted_negated_and_removed(page, server):
    page.goto(f"{server}/?q=red")
    expect_first(page, "red")
    tile = page.get_by_test_id("tile").first
    tile.hover()
    sent = searches(page)
    page.get_by_test_id("more-like").first.click()
    term = page.get_by_test_id("term")
    expect(term).to_be_visible()
    term.get_by_role("button", name="weight 1").click()
    expect(term).to_contain_text(re.compile(r"\W 2"))
    ask(page, "blue")
    page.keyboard.press("Enter")
    term.get_by_role("button", name="Not like this").click()
    expect_first(page, "blue")
    assert re.search(r"q=blue%20-%202%3Aid%3A\d+&", sent[-1].url)
    term.get_by_role("button", name="Remove like this").click()
    expect(term).to_have_count(0)
    expect_first(page, "blue")


def test_words_become_a_chip(page, server):
    page.goto(server)
    ask(page, "red")
    page.keyboard.press("Shift+Enter")
    expect(page.get_by_test_id("term")).to_contain_text("red")
    expect(page.get_by_test_id("search-input")).to_have_value("")
    expect_first(page, "red")


def test_filters_are_offered_by_the_library(page, server):
    page.goto(server)
    page.get_by_test_id("filters").locator("summary").click()
    page.get_by_test_id("filter-value").filter(has_text="webp").click()
    expect(page.get_by_test_id("filter")).to_have_text("type:webp")
    expect(page.get_by_test_id("tile")).to_have_count(1)
    expect_first(page, "blue")
    assert "where=type%3Awebp" in page.url
    page.get_by_test_id("filter").get_by_role("button").click()
    expect(page.get_by_test_id("filter")).to_have_count(0)


def test_typed_operators_are_understood_and_can_be_taken_back(page, server):
    page.goto(server)
    ask(page, "red type:webp")
    expect(page.get_by_test_id("understood")).to_have_text("type:webp")
    expect_first(page, "blue")
    page.get_by_test_id("understood").get_by_role("button").click()
    expect(page.get_by_test_id("search-input")).to_have_value("red")
    expect_first(page, "red")


def test_nothing_that_matches_is_said_and_led_out_of(page, server):
    page.goto(f"{server}/?q=red&where=type:avif")
    expect(page.get_by_test_id("empty")).to_contain_text("Nothing matches")
    page.get_by_test_id("start-over").click()
    expect(page.get_by_test_id("tile").first).to_be_visible()
