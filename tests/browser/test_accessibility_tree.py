"""What a screen reader reads on the way from a search to an export, with the keyboard alone."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_browsing import dated  # noqa: F401
from tests.support.page_fixtures import browser, page  # noqa: F401

pytestmark = pytest.mark.browser

ROLES = "button|link|slider|switch|searchbox|textbox|spinbutton|combobox|dialog|toolbar|img"
NEEDS_NAME = re.compile(
    rf"^\s*- ({ROLES})(?![\w ]*\")(:|$| \[)",
    re.MULTILINE,
)


def read(page):
    """Return the accessibility tree, in which everything that can be used has a name."""
    tree = page.locator("body").aria_snapshot()
    unnamed = [match.group().strip() for match in NEEDS_NAME.finditer(tree)]
    assert unnamed == []
    return tree


def test_the_tree_of_search_open_select_and_export(page, dated):
    page.goto(dated)
    expect(page.get_by_role("slider", name="Jump to a month")).to_be_visible()
    tree = read(page)
    for part in (
        'searchbox "Search pictures by words"',
        'button "Filter"',
        'combobox "Sort"',
        "banner",
        "main",
    ):
        assert part in tree
    assert 'heading "Results" [level=2]' in tree
    assert 'heading "June 2024" [level=3]' in tree
    assert "420 pictures in the library." in tree
    assert re.search(r'link "Photo, 10 June 2024, 12:00, Trips', tree)

    page.keyboard.type("red")
    expect(page.get_by_test_id("status")).to_contain_text("for red, best first.")
    assert re.search(r"status: Pictures for red, best first\.", read(page))

    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("list", name="Similar pictures").get_by_role("button").first).to_be_visible()
    tree = read(page)
    for part in ('button "Close"', 'button "Details"', 'link "Download"', 'heading "Similar pictures"'):
        assert part in tree
    assert "dialog" in tree

    assert re.search(r'button "Slideshow"(?! \[pressed)', tree)
    page.keyboard.press("l")
    expect(page.get_by_role("button", name="Slideshow", pressed=True)).to_be_visible()
    assert 'button "Slideshow" [pressed]' in read(page)
    announced = page.get_by_role("dialog").get_by_test_id("announced-picture")
    first = announced.inner_text()
    page.keyboard.press("ArrowRight")
    expect(announced).not_to_have_text(first)
    expect(page.get_by_role("button", name="Slideshow", pressed=False)).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(announced).to_have_text(first)

    page.keyboard.press("x")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("toolbar", name="Selected pictures")).to_be_visible()
    page.keyboard.press("e")
    tree = read(page)
    assert 'toolbar "Selected pictures"' in tree
    assert "status: 1 selected" in tree
    page.get_by_role("button", name="More", exact=True).press("Enter")
    tree = read(page)
    for part in ('group "More"', 'button "CSV"', 'button "JSON"'):
        assert part in tree
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON").press("Enter")
    assert download.value.suggested_filename == "pictures.json"


def test_the_tree_of_filters(page, dated):
    page.goto(dated)
    page.get_by_role("button", name="Filter").press("Enter")
    page.get_by_role("button", name="Folders in Trips").press("Enter")
    expect(page.get_by_role("list", name="Folders in Trips").get_by_role("button").first).to_be_visible()
    tree = read(page)
    for part in (
        'button "Filter" [expanded]',
        'region "Filters"',
        'searchbox "Search filters"',
        'group "Safe mode"',
        'switch "Show only pictures that count as safe"',
        'group "Folder"',
        'button "Folders in Trips" [expanded]',
        'group "stars"',
        'spinbutton "stars from"',
        'spinbutton "stars to"',
    ):
        assert part in tree, part
    page.get_by_role("button", name="Scans 60").press("Enter")
    expect(page.get_by_role("button", name="Scans 60")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Filter")).to_be_focused()
