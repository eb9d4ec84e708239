"""Queries: typing, words, pictures and filters, and the browser history."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import io
import json
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from snapseek.library import Library
from tests.conftest import write_pictures
from tests.support.loopback import Loopback, answer
from tests.support.page_fixtures import ask, browser, expect_first, page, server, wait_until  # noqa: F401
from tests.support.page_server import serving

pytestmark = pytest.mark.browser


def picture_file(color):
    buffer = io.BytesIO()
    Image.new("RGB", (900, 700), color).save(buffer, "PNG")
    return {"name": "mine.png", "mimeType": "image/png", "buffer": buffer.getvalue()}


def change(term, action):
    """Change a chip by its menu."""
    term.get_by_role("button", name="change").click()
    term.get_by_role("button", name=action, exact=True).click()


def searches(page):
    """Return the list of every search request that the page sends from now on."""
    sent = []
    page.on("request", lambda request: sent.append(request) if "/api/search" in request.url else None)
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


def test_a_stale_response_is_aborted_and_never_shown(page, server):
    page.add_init_script(SLOW_RED)
    page.goto(server)
    with page.expect_request(lambda request: "q=red&" in request.url):
        ask(page, "red")
    ask(page, "blue")
    expect_first(page, "blue")
    page.wait_for_function("() => window.arrived.some(([address]) => address.includes('q=red&'))")
    page.wait_for_timeout(100)
    expect_first(page, "blue")
    assert page.evaluate("window.arrived.find(([address]) => address.includes('q=red&'))[1]") is True


def still(page, address):
    """Open the page, then pause its clock, so that none of its timers fires."""
    page.clock.install()
    page.goto(address)
    expect(page.get_by_test_id("tile").first).to_be_visible()
    page.clock.run_for(1000)
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)


def test_typing_searches_after_a_pause_and_enter_at_once(page, server):
    still(page, server)
    sent = searches(page)
    for typed in ("y", "ye", "yel", "yell", "yellow"):
        ask(page, typed)
        page.clock.run_for(99)
    assert sent == []
    page.clock.run_for(1)
    expect_first(page, "yellow")
    assert len(sent) == 1
    ask(page, "green")
    page.keyboard.press("Enter")
    expect_first(page, "green")
    assert len(sent) == 2


def test_back_and_forward_restore_searches(page, server):
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


def test_typing_adds_no_history_entry(page, server):
    page.goto(server)
    expect(page.get_by_test_id("tile").first).to_be_visible()
    before = page.evaluate("history.length")
    ask(page, "red")
    expect_first(page, "red")
    ask(page, "blue")
    expect_first(page, "blue")
    assert page.evaluate("history.length") == before


def test_the_latency_panel_shows_all_parts(page, server):
    page.goto(f"{server}/?q=red")
    expect_first(page, "red")
    details = page.get_by_test_id("latency-details")
    expect(details).to_be_hidden()
    page.get_by_test_id("latency").hover()
    for part in ("embed", "search", "fetch", "network", "paint"):
        expect(details).to_contain_text(part)


def test_the_fast_encoder_answers_while_typing_and_the_full_model_after_a_pause(page, server):
    def quick(route):
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "has_fast": True})

    page.route("**/api/info", quick)
    still(page, server)
    page.wait_for_load_state("networkidle")
    sent = searches(page)
    for typed in ("r", "re", "red"):
        ask(page, typed)
        page.clock.run_for(99)
    assert sent == []
    page.clock.run_for(1)
    expect_first(page, "red")
    assert ["model=fast" in request.url for request in sent] == [True]
    page.clock.run_for(349)
    assert len(sent) == 1
    page.clock.run_for(1)
    wait_until(page, lambda: len(sent) == 2)
    assert "model=fast" not in sent[1].url


@pytest.mark.parametrize("color", ["red", "blue"])
def test_an_uploaded_picture_is_resized_and_searched_with(page, server, color):
    page.goto(server)
    sent = searches(page)
    page.get_by_test_id("image-file").set_input_files(picture_file(color))
    expect(page.get_by_test_id("term")).to_contain_text("mine.png")
    expect_first(page, color)
    body = json.loads(sent[0].post_data)
    assert sent[0].method == "POST"
    assert len(body["terms"][0]["image"]) < 40_000


def test_a_dropped_and_a_pasted_picture_are_searched_with(page, server):
    page.goto(server)
    page.wait_for_load_state("networkidle")  # the drop zone is loaded after the first results
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


def test_a_file_that_is_no_picture_shows_an_error(page, server):
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
    change(term, "More")
    expect(term).to_contain_text(re.compile(r"\W 2"))
    ask(page, "blue")
    page.keyboard.press("Enter")
    change(term, "Not")
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
    page.get_by_test_id("filters").click()
    page.get_by_test_id("filter-value").filter(has_text="webp").click()
    expect(page.get_by_test_id("filter")).to_have_text("type:webp")
    expect(page.get_by_test_id("tile")).to_have_count(1)
    expect_first(page, "blue")
    assert "where=type%3Awebp" in page.url
    page.keyboard.press("Escape")
    page.get_by_test_id("filter").get_by_role("button").click()
    expect(page.get_by_test_id("filter")).to_have_count(0)


def test_typed_operators_become_chips_that_can_be_removed(page, server):
    page.goto(server)
    ask(page, "red type:webp")
    expect(page.get_by_test_id("parsed-filter")).to_have_text("type:webp")
    expect_first(page, "blue")
    page.get_by_test_id("parsed-filter").get_by_role("button").click()
    expect(page.get_by_test_id("search-input")).to_have_value("red")
    expect_first(page, "red")


def test_no_results_offers_a_way_out(page, server):
    page.goto(f"{server}/?q=red&where=type:avif")
    expect(page.get_by_test_id("empty")).to_contain_text("Nothing matches")
    page.get_by_test_id("show-all").click()
    expect(page.get_by_test_id("tile").first).to_be_visible()


def test_filters_without_results_can_be_cleared_alone(page, server):
    page.goto(f"{server}/?q=red&where=type:avif")
    page.get_by_test_id("clear-filters").click()
    expect_first(page, "red")
    expect(page.get_by_test_id("search-input")).to_have_value("red")
    expect(page.get_by_test_id("filter")).to_have_count(0)


def test_typed_filters_without_results_can_be_cleared_alone(page, server):
    page.goto(server)
    ask(page, "red year:1931")
    expect(page.get_by_test_id("empty")).to_contain_text("No pictures match these filters.")
    page.get_by_test_id("clear-filters").click()
    expect(page.get_by_test_id("search-input")).to_have_value("red")
    expect_first(page, "red")


def test_the_menu_of_a_chip_works_by_keyboard(page, server):
    page.goto(f"{server}/?term=1:words:red")
    term = page.get_by_test_id("term")
    label = term.get_by_role("button", name="change")
    label.focus()
    page.keyboard.press("Enter")
    expect(label).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(label).to_have_attribute("aria-expanded", "false")
    expect(label).to_be_focused()
    change(term, "Less")
    expect(term).to_contain_text("0.5")
    label.click()
    expect(term.get_by_role("button", name="Less", exact=True)).to_be_disabled()


def test_filters_can_be_searched(page, server):
    page.goto(server)
    page.get_by_test_id("filters").click()
    expect(page.get_by_test_id("filter-search")).to_be_focused()
    page.keyboard.type("type web")
    expect(page.get_by_test_id("filter-value")).to_have_count(1)
    page.keyboard.type("xyz")
    expect(page.get_by_test_id("filter-panel")).to_contain_text("No filter matches.")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("filter-panel")).to_have_count(0)
    expect(page.get_by_test_id("filters")).to_be_focused()


def test_a_library_without_filters_has_the_button_too(page, server):
    page.route("**/api/suggestions", lambda route: route.fulfill(json={"examples": [], "columns": []}))
    page.goto(server)
    page.get_by_test_id("filters").click()
    expect(page.get_by_test_id("filter-panel")).to_contain_text("nothing to filter by")


def test_a_dragged_picture_dims_the_whole_page(page, server):
    page.goto(server)
    zone = page.get_by_test_id("drop")

    def is_over():  # a browser repeats the event; the drop zone is loaded after the first results
        page.evaluate(
            "document.body.dispatchEvent(new DragEvent('dragover', { bubbles: true, cancelable: true }))"
        )
        return zone.is_visible()

    wait_until(page, is_over)
    expect(zone).to_contain_text("Drop a picture to search with it")
    box = zone.bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (
        0,
        0,
        1280,
        800,
    )


def test_pasted_text_is_searched_without_a_pause(page, server):
    still(page, f"{server}/?q=red")
    box = page.get_by_test_id("search-input")
    sent = searches(page)
    box.fill("green")
    page.wait_for_timeout(300)
    assert sent == []
    box.press("Control+a")
    box.press("Control+x")
    box.press("Control+v")
    expect_first(page, "green")
    assert ["q=green&" in request.url for request in sent] == [True]


def test_speed_mode_searches_without_a_pause(page, server):
    still(page, server)
    page.get_by_test_id("latency").click()
    page.get_by_test_id("preview-only").click()
    ask(page, "blue")
    expect_first(page, "blue")


@pytest.fixture(scope="module")
def linking(tmp_path_factory, encoder):
    """A server that fetches pictures from this machine, and the address of a red one."""
    directory = tmp_path_factory.mktemp("linking")
    Library.build(write_pictures(directory / "pictures"), directory / "l", encoder=encoder)
    red = io.BytesIO()
    Image.new("RGB", (90, 60), "#dc1414").save(red, "PNG")
    with (
        Loopback({"red.png": answer(body=red.getvalue())}) as web,
        serving(directory / "l", "tests.support.linking_server") as address,
    ):
        yield address, web.url("red.png")


HAND_OVER = """([kind, address]) => {
    const data = new DataTransfer();
    data.setData(kind === 'drop' ? 'text/uri-list' : 'text/plain', address);
    document.body.dispatchEvent(kind === 'drop' ? new DragEvent('drop', { dataTransfer: data, bubbles: true })
        : new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
}"""


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_linked_picture_is_fetched_by_the_server_and_searched_with(page, linking, kind):
    server, picture = linking
    page.goto(server)
    expect(page.get_by_test_id("latency")).to_contain_text("pictures")
    page.wait_for_load_state("networkidle")  # what the server says that it can do has come, too
    page.evaluate(HAND_OVER, [kind, picture])
    expect(page.get_by_test_id("term")).to_contain_text(picture)
    expect_first(page, "red")
    page.reload()
    expect(page.get_by_test_id("term")).to_contain_text(picture)
    expect_first(page, "red")


def test_a_link_to_a_loopback_address_shows_an_error(page, server):
    page.goto(server)
    page.wait_for_load_state("networkidle")  # the drop zone is loaded after the first results
    expect(page.get_by_test_id("latency")).to_contain_text("pictures")
    expect(page.get_by_test_id("tile").first).to_be_visible()  # the first answer has arrived
    page.evaluate(HAND_OVER, ["paste", "http://127.0.0.1:9/red.png"])
    expect(page.get_by_test_id("error")).to_contain_text("That link points to this computer's own network")
    expect(page.get_by_test_id("error")).not_to_contain_text("--")
    expect(page.get_by_test_id("term")).to_have_count(0)


def test_words_and_pictures_are_searched_together(page, server):
    page.goto(f"{server}/?q=red+yellow")
    expect(page.get_by_test_id("tile").first).to_be_visible()
    page.get_by_test_id("image-file").set_input_files(picture_file("#00ff00"))
    expect(page.get_by_test_id("term")).to_contain_text("mine.png")
    expect_first(page, "yellow")  # it has green in it, red has not
    sent = searches(page)
    change(page.get_by_test_id("term"), "Not")
    expect_first(page, "red")
    body = json.loads(sent[-1].post_data)
    assert (body["q"], body["terms"][0]["weight"]) == ("red yellow", -1)
    page.reload()  # the address cannot hold a picture, the history can
    expect_first(page, "red")
    expect(page.get_by_test_id("term")).to_contain_text("mine.png")


def test_going_back_restores_chips_and_filters(page, server):
    page.goto(f"{server}/?q=red")
    expect_first(page, "red")
    page.keyboard.press("Shift+Enter")
    term = page.get_by_test_id("term")
    expect(term).to_contain_text("red")
    change(term, "More")
    expect(term).to_contain_text("2")
    page.get_by_test_id("filters").click()
    page.get_by_test_id("filter-value").filter(has_text="webp").click()
    expect_first(page, "blue")
    page.go_back()
    expect(page.get_by_test_id("filter")).to_have_count(0)
    expect(term).to_contain_text("2")
    expect_first(page, "red")
    page.go_back()
    expect(term).not_to_contain_text("2")
    page.go_back()
    expect(term).to_have_count(0)
    expect(page.get_by_test_id("search-input")).to_have_value("red")
    for _ in range(3):
        page.go_forward()
    expect(page.get_by_test_id("filter")).to_have_text("type:webp")
    expect(term).to_contain_text("2")
    expect_first(page, "blue")


def test_a_link_with_chips_and_filters_shows_their_results(page, server):
    page.goto(f"{server}/?term=1:words:red+yellow&term=-1:words:green")
    expect(page.get_by_test_id("term")).to_have_count(2)
    expect_first(page, "red")
    expect(page.get_by_test_id("term").nth(1).get_by_role("button").first).to_have_accessible_name(
        "Not green, weight 1: change"
    )


ASKED_MS, STOOD_MS = 100, 80  # after a key, and after an answer: then the address is written
NEVER = "const real = setTimeout; setTimeout = (run, ms, ...of) => ms === %d ? 0 : real(run, ms, ...of);"


@pytest.mark.parametrize("never", [ASKED_MS, STOOD_MS])
def test_a_reload_right_after_the_last_key_loses_nothing(page, server, never):
    page.add_init_script(NEVER % never)
    page.goto(f"{server}/?q=green")
    expect_first(page, "green")
    ask(page, "red")
    if never == STOOD_MS:
        expect_first(page, "red")
    page.wait_for_timeout(300)
    assert page.url.endswith("?q=green")
    page.reload()
    expect(page.get_by_test_id("search-input")).to_have_value("red")
    expect_first(page, "red")
    assert page.url.endswith("?q=red")


def test_leaving_right_after_the_last_key_loses_nothing(page, server):
    still(page, f"{server}/?q=green")
    ask(page, "red")
    page.goto(f"{server}/api/docs")
    page.go_back()
    page.clock.resume()
    expect(page.get_by_test_id("search-input")).to_have_value("red")
    expect_first(page, "red")
    page.goto(f"{server}/?q=blue")  # another visit is another question
    expect_first(page, "blue")


def test_what_is_unfinished_is_said_after_enter(page, server):
    page.goto(server)
    with page.expect_response("**/api/search?q=red%20-*"):
        ask(page, "red -")
    expect_first(page, "red")
    expect(page.get_by_test_id("notes")).to_have_count(0)
    page.get_by_test_id("search-input").press("Enter")
    expect(page.get_by_test_id("notes")).to_have_text("Add a word after the minus.")
    expect(page.get_by_test_id("error")).to_have_count(0)


def test_typed_words_count_in_names_unless_the_user_chooses_sight(page, server):
    page.goto(server)
    with page.expect_response("**/api/search?q=red&*mode=auto*"):
        ask(page, "red")
    with page.expect_response("**/api/search?q=red*") as answer:
        page.get_by_test_id("sort").select_option("Best by sight")
    assert "mode=" not in answer.value.url
    with page.expect_response("**/api/search?q=red&*mode=words*"):
        page.get_by_test_id("sort").select_option("Best by words")
