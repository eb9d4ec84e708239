"""The library panel: folders are added, removed and confirmed; unreadable files; other libraries."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import re
import shutil

import pytest
from PIL import Image
from playwright.sync_api import expect

from snapseek import Library
from snapseek.library.recent import remember_library
from tests.conftest import PICTURES, write_pictures
from tests.support.page_fixtures import browser, page  # noqa: F401
from tests.support.page_server import running, serving

pytestmark = pytest.mark.browser

COUNT = len(PICTURES)


@pytest.fixture
def address(tmp_path, encoder, monkeypatch):
    """The address of a server with two folders, of which one has lost its files, and one broken file."""
    monkeypatch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "config"))
    for name in ("one", "two", "three"):
        write_pictures(tmp_path / name)
    for name, level in zip(PICTURES, range(0, 250, 40), strict=False):  # not the lost folder, moved
        Image.new("RGB", (30, 30), (level, level, 9)).save(tmp_path / "three" / name)
    (tmp_path / "one" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (tmp_path / "one" / "drawing.svg").write_text("<svg/>")
    Library.build([tmp_path / "three"], tmp_path / "other", encoder=encoder)
    remember_library(tmp_path / "other")
    library = Library.build([tmp_path / "one", tmp_path / "two"], tmp_path / "library", encoder=encoder)
    shutil.rmtree(tmp_path / "two")
    library.sync()
    with running(["snapseek", "serve", str(tmp_path / "library"), "--no-watch"]) as address:
        yield address


@pytest.fixture
def panel(page, address):
    page.goto(address)
    expect(page.get_by_test_id("tile")).to_have_count(2 * COUNT)
    page.get_by_test_id("latency").click()
    page.get_by_test_id("open-library").click()
    panel = page.get_by_test_id("library")
    expect(panel.get_by_test_id("folders")).to_be_visible()
    return panel


def expect_folders_and_files(panel, path):
    """Expect the folders, the missing one, and the files that were not read."""
    folder = panel.get_by_test_id("folders").get_by_role("listitem").first
    expect(folder).to_contain_text(f"{path / 'one'} {COUNT} pictures")
    expect(panel.get_by_test_id("missing-folder")).to_contain_text(str(path / "two"))
    panel.get_by_test_id("unreadable").locator("summary").click()
    expect(panel.get_by_test_id("unreadable")).to_contain_text("broken.jpg")
    panel.get_by_test_id("skipped").locator("summary").click()
    expect(panel.get_by_test_id("skipped")).to_contain_text("drawing.svg")


def test_the_panel_tells_what_was_not_read_and_opens_another_library(page, panel, tmp_path):
    first = page.url
    expect(panel).to_contain_text(str(tmp_path / "library"))
    expect_folders_and_files(panel, tmp_path)
    row = panel.get_by_test_id("libraries").get_by_role("listitem")
    expect(row).to_contain_text(f"{tmp_path / 'other'}")
    row.get_by_role("button", name="Open").click()
    page.wait_for_url(re.compile(r"^(?!" + re.escape(first) + r")http://127\.0\.0\.1:\d+/$"), timeout=120_000)
    expect(page.get_by_test_id("tile")).to_have_count(COUNT)


def test_the_panel_of_a_collection_has_the_folders_of_its_partitions(page, address, tmp_path):
    with serving(tmp_path / "library", is_split=True) as served:
        page.goto(served)
        expect(page.get_by_test_id("tile")).to_have_count(2 * COUNT)
        page.get_by_test_id("latency").click()
        page.get_by_test_id("open-library").click()
        panel = page.get_by_test_id("library")
        expect_folders_and_files(panel, tmp_path)
        expect(panel.get_by_test_id("library-error")).to_have_count(0)
        expect(panel.get_by_test_id("add-folder")).to_have_count(0)
        expect(panel.get_by_role("button", name="gone for good")).to_have_count(0)


def test_folders_are_added_removed_and_confirmed(page, panel, tmp_path):
    panel.get_by_test_id("add-path").fill("/no such folder")
    panel.get_by_test_id("add-folder").click()
    expect(panel.get_by_test_id("library-error")).to_contain_text("whole path of a folder")
    panel.get_by_test_id("add-path").fill(str(tmp_path / "three"))
    panel.get_by_test_id("add-folder").click()
    row = panel.get_by_role("listitem").filter(has_text=str(tmp_path / "three"))
    expect(row).to_contain_text(f"{COUNT} pictures", timeout=120_000)
    expect(page.get_by_test_id("tile")).to_have_count(3 * COUNT)
    row.get_by_role("button", name="Remove").click()
    expect(row).to_contain_text(f"Remove its {COUNT} pictures")
    row.get_by_role("button", name="Keep").click()
    row.get_by_role("button", name="Remove").click()
    row.get_by_test_id("confirm").click()
    expect(row).to_have_count(0, timeout=120_000)
    expect(page.get_by_test_id("tile")).to_have_count(2 * COUNT)
    assert (tmp_path / "three" / "red.jpg").is_file()
    gone = panel.get_by_test_id("missing-folder")
    gone.get_by_role("button", name="gone for good").click()
    gone.get_by_test_id("confirm").click()
    expect(gone).to_have_count(0, timeout=120_000)
    expect(page.get_by_test_id("tile")).to_have_count(COUNT)
