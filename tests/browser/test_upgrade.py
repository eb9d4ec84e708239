"""The upgrade of a library from the page: offer, progress, failure, end; nothing without a yes."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import re
from types import SimpleNamespace

import pytest
from PIL import Image
from playwright.sync_api import expect

from snapseek import Encoder, Library
from tests.support.fake_hub import FakeHub
from tests.support.model_specimens import write_split
from tests.support.page_fixtures import ask, browser, page, wait_until  # noqa: F401
from tests.support.page_server import running

pytestmark = pytest.mark.browser

REPO = "maker/clip"
IMAGE = "onnx/vision_model.onnx"
COUNT = 40


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """The address of a server whose library has the built-in model, and a hub with a better one."""
    write_split(tmp_path / "repo")
    hub = FakeHub()
    hub.add(REPO, tmp_path / "repo")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("SNAPSEEK_MODEL", REPO)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(COUNT):
        hue = number * 360 // COUNT
        Image.new("RGB", (60, 40), f"hsl({hue}, 80%, 50%)").save(folder / f"{number:02}.png")
    library = tmp_path / "library"
    Library.build(folder, library, encoder=Encoder.load("starter"))
    with hub.served():
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        with running(["snapseek", "serve", str(library), "--no-watch"]) as address:
            yield SimpleNamespace(address=address, hub=hub, library=library, folder=folder)


def card(page):
    return page.get_by_test_id("upgrade")


def in_phase(phase):
    return re.compile(f"^{phase}$")


def model_of(page):
    return page.evaluate("fetch('api/search?q=red&limit=1').then(r => r.json()).then(a => a.index.model)")


def test_an_upgrade_fails_is_tried_again_and_ends_while_the_page_searches(page, scene):
    answers = []

    def note(route):
        answer = route.fetch()
        if answer.ok:
            answers.append(answer.json()["index"]["model"])
        route.fulfill(response=answer)

    scene.hub.faults[IMAGE] = [50, (500,)]
    page.goto(scene.address)
    expect(card(page)).to_contain_text(f"for your {COUNT} pictures; searching goes on meanwhile")
    assert scene.hub.requests == []
    page.route(re.compile(r"/api/(search|items)\?.*limit=60"), note)
    page.get_by_test_id("upgrade-start").click()
    expect(card(page)).to_have_attribute("data-phase", in_phase("failed"), timeout=120_000)
    expect(card(page)).to_contain_text("vision_model.onnx cannot be downloaded")
    scene.hub.gate.clear()  # the second download waits
    sent = len(scene.hub.requests)
    page.get_by_role("button", name="Try again").click()
    expect(card(page)).to_have_attribute("data-phase", in_phase("running"))
    expect(card(page)).to_contain_text("Searching goes on")
    wait_until(page, lambda: len(scene.hub.requests) > sent)
    for number, words in enumerate(["red", "blue", ""], start=1):
        ask(page, words)
        wait_until(page, lambda number=number: len(answers) >= number)
    page.get_by_test_id("tile").first.click()
    scene.hub.gate.set()
    wait_until(page, lambda: model_of(page) == REPO)
    expect(page.get_by_test_id("lightbox")).to_be_visible()  # who looks at a picture keeps it
    page.keyboard.press("Escape")
    wait_until(page, lambda: answers[-1] == REPO)  # the results came again, without a key in the box
    expect(card(page)).to_have_attribute("data-phase", in_phase("done"))
    expect(card(page)).to_contain_text("Your pictures have the new model now")
    ask(page, "red")
    wait_until(page, lambda: len(answers) > answers.index(REPO) + 1)
    assert answers == sorted(answers, key=["starter", REPO].index)
    page.get_by_test_id("upgrade-dismiss").click()
    expect(card(page)).to_have_count(0)
    assert len(Library.open(scene.library)) == COUNT


def test_the_offer_tells_obstacles_and_remembers_not_now(page, scene):
    changed = {}
    obstacles = {
        "It needs 760 MB": {"has_space": False, "disk_bytes": 760e6, "free_bytes": 100e6},
        "5 imported vectors cannot be embedded": {"imported": 5},
        "3 pictures without a file now": {"missing": 3},
    }

    def change(route):
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), **changed})

    page.route("**/api/upgrade", change)
    for text, fields in obstacles.items():
        changed = fields
        page.goto(scene.address)
        expect(card(page)).to_contain_text(text)
        expect(page.get_by_test_id("upgrade-start")).to_have_count(1 if "missing" in fields else 0)
    changed = {}
    page.get_by_test_id("upgrade-dismiss").click()
    expect(card(page)).to_have_count(0)
    with page.expect_response("**/api/upgrade"):
        page.reload()
    expect(page.get_by_test_id("tile").first).to_be_visible()
    expect(card(page)).to_have_count(0)
    page.get_by_test_id("latency").click()
    page.get_by_test_id("open-library").click()
    expect(page.get_by_test_id("library").get_by_test_id("upgrade-start")).to_be_visible()
    assert scene.hub.requests == []
