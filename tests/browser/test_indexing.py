"""The page while its folder is being indexed: pictures appear, progress and unreadable files are shown."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import shutil

import pytest
from PIL import Image
from playwright.sync_api import expect

from snapseek import Library
from snapseek.server.jobs import Job
from snapseek.server.waiting import waiting_page
from tests.support.page_fixtures import browser, page  # noqa: F401
from tests.support.page_server import running

pytestmark = pytest.mark.browser

COUNT = 300


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(COUNT):
        picture = Image.effect_noise((900, 700), 80).convert("RGB")
        picture.save(folder / f"{number:04}.jpg", quality=85)
    (folder / "0003.jpg").write_bytes(b"\xff\xd8\xff and no picture")
    return folder


def test_pictures_appear_while_their_folder_is_indexed(page, folder, tmp_path):
    library = tmp_path / "library"
    with running(["snapseek", "open", str(folder), "--library", str(library), "--no-open"]) as address:
        page.goto(address)
        expect(page.get_by_test_id("tile").first).to_be_visible()
        assert len(Library.open(library)) < COUNT - 1
        bar = page.get_by_test_id("job")
        expect(bar).to_contain_text(f"of {COUNT}", timeout=30_000)
        expect(bar).to_contain_text(f"Indexed {COUNT} of {COUNT} · 1 unreadable", timeout=120_000)
        page.get_by_test_id("failures").click()
        expect(page.get_by_test_id("failure-list")).to_contain_text("0003.jpg")
        assert len(Library.open(library)) == COUNT - 1


def test_a_new_file_appears_on_the_page(page, folder, tmp_path):
    watched = tmp_path / "watched"
    watched.mkdir()
    for name in ("0000.jpg", "0001.jpg"):
        shutil.copy(folder / name, watched)
    with running(
        ["snapseek", "open", str(watched), "--library", str(tmp_path / "library"), "--no-open"]
    ) as address:
        page.goto(address)
        expect(page.get_by_test_id("tile")).to_have_count(2, timeout=30_000)
        shutil.copy(folder / "0002.jpg", watched)
        expect(page.get_by_test_id("tile")).to_have_count(3, timeout=60_000)


def test_the_job_is_shown_before_the_first_picture(page, folder, tmp_path):
    class Jobs:
        def jobs(self):
            return [Job(1, "index", "running", "download", 3_000_000, 28_000_000)]

    with waiting_page("127.0.0.1", 0, Jobs()) as (url, port):
        page.goto(url)
        expect(page.get_by_role("status")).to_have_text("Downloading 3 of 28 MB")
    watched = tmp_path / "watched"
    watched.mkdir()
    shutil.copy(folder / "0000.jpg", watched)
    library = tmp_path / "library"
    with running(["snapseek", "open", str(watched), f"--library={library}", "--no-open", f"--port={port}"]):
        expect(page.get_by_test_id("tile")).to_have_count(1, timeout=60_000)
        page.wait_for_load_state("networkidle")  # parts of the page are loaded when they are used


def test_a_folder_without_pictures_is_an_error_at_once(tmp_path, capfd):
    from snapseek.cli import main

    (tmp_path / "empty").mkdir()
    assert main(["open", str(tmp_path / "empty"), "--no-open", "--port", "0"]) == 1
    assert "expected pictures" in capfd.readouterr().err
