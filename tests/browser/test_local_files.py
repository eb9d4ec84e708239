"""What the page does for the user of this machine: whole paths, the file manager, previews of imports."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import re

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from playwright.sync_api import expect

from snapseek.library import Library
from snapseek.library.indexing.previews import PreviewOptions, make_previews
from tests.conftest import write_pictures
from tests.support.dated_library import dated_library
from tests.support.embedding_files import write_embeddings
from tests.support.page_fixtures import browser, page, wait_until  # noqa: F401
from tests.support.page_server import AS_COLLECTION, served_libraries, serving
from tests.support.vector_rows import unit_rows

pytestmark = pytest.mark.browser

NAMES = ["plain.jpg", "a b $(touch hit) 'c'.jpg", "-R; touch hit #.jpg"]
JOBS_OF_PARTITIONS = "jobs run at the partitions of a collection: docs/SCALING.md"
FOLDER = "--help & $(touch hit) `touch hit`"


@pytest.fixture(scope="module")
def desktop(tmp_path_factory, encoder):
    """The address of a server with a desktop, its pictures, and what the file manager was passed."""
    directory = tmp_path_factory.mktemp("desktop")
    folder = directory / "pictures" / FOLDER
    folder.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        Image.new("RGB", (60, 40), (250, 80 * number, 20)).save(folder / name)
    Library.build(directory / "pictures", directory / "l", encoder=encoder)
    programs = directory / "bin"
    programs.mkdir()
    opened = directory / "opened"
    manager = programs / "xdg-open"
    manager.write_text(f'#!/bin/sh\nprintf "%s\\n" "$#" "$@" >> "{opened}"\n')
    manager.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(programs), prepend=":")
        patch.setenv("DISPLAY", ":0")
        with serving(directory / "l") as address:
            yield address, folder, opened


def test_the_file_manager_shows_the_folder_of_a_picture(page, desktop):
    address, folder, opened = desktop
    page.goto(address)
    page.get_by_test_id("tile").first.click()
    page.get_by_test_id("details").click()
    expect(page.get_by_test_id("path")).to_contain_text(str(folder))
    page.get_by_test_id("reveal").click()
    wait_until(page, lambda: opened.exists() and opened.read_text().endswith("\n"))
    assert opened.read_text() == f"1\n{folder}\n"
    assert not (folder / "hit").exists()


def test_copied_paths_are_whole_on_this_machine(page, desktop):
    address, folder, _ = desktop
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    page.goto(address)
    page.get_by_test_id("start-selection").click()
    for number in range(len(NAMES)):
        page.get_by_test_id("tile").nth(number).click()
    page.get_by_test_id("copy-paths").click()
    expect(page.get_by_test_id("selection-bar")).to_contain_text("3 paths copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert set(copied.splitlines()) == {str(folder / name) for name in NAMES}


def test_a_user_of_another_machine_gets_names_and_no_file_manager(page, desktop):
    address, folder, _ = desktop
    requested = []
    page.on("request", lambda sent: requested.append(sent.url) if "/api/paths" in sent.url else None)

    def as_remote(route):
        answer = route.fetch()
        route.fulfill(json={**answer.json(), "is_local": False})

    page.route("**/api/info", as_remote)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    page.goto(address)
    page.get_by_test_id("tile").first.click()
    page.get_by_test_id("details").click()
    expect(page.get_by_test_id("metadata")).to_contain_text("jpeg")
    expect(page.get_by_test_id("reveal")).to_have_count(0)
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    page.get_by_test_id("copy-paths").click()
    expect(page.get_by_test_id("selection-bar")).to_contain_text("1 path copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith(f"{FOLDER}/")
    assert str(folder) not in page.content()
    assert requested == []


@pytest.mark.skipif(AS_COLLECTION, reason=JOBS_OF_PARTITIONS)
def test_previews_of_imported_pictures_are_offered_and_made(page, tmp_path, encoder):
    dated_library(tmp_path, encoder, rows=70)
    with serving(tmp_path / "dated-library") as address:
        page.route("http://127.0.0.1/*.jpg", lambda route: route.abort())
        page.goto(address)
        card = page.get_by_test_id("previews-card")
        expect(card).to_contain_text("70 pictures without a preview.")
        tile = page.get_by_test_id("grid").locator("li").first
        assert tile.evaluate("tile => getComputedStyle(tile).backgroundColor") == "rgb(128, 128, 128)"
        page.get_by_test_id("make-previews").click()
        expect(card).to_have_count(0)
        expect(page.get_by_test_id("job")).to_contain_text(re.compile("[Pp]reviews|Looking for changes"))


@pytest.mark.skipif(AS_COLLECTION, reason=JOBS_OF_PARTITIONS)
def test_the_offer_of_previews_can_be_dismissed(page, tmp_path, encoder):
    dated_library(tmp_path, encoder, rows=3)
    with serving(tmp_path / "dated-library") as address:
        page.route("http://127.0.0.1/*.jpg", lambda route: route.abort())
        page.goto(address)
        page.get_by_test_id("dismiss-previews").click()
        expect(page.get_by_test_id("previews-card")).to_have_count(0)
        page.reload()
        expect(page.get_by_test_id("tile").first).to_be_visible()
        expect(page.get_by_test_id("previews-card")).to_have_count(0)


def test_new_previews_appear_by_themselves(page, tmp_path, encoder):
    folder = write_pictures(tmp_path / "pictures")
    paths = sorted(folder.rglob("*.*"))
    table = {"URL": [path.as_uri() for path in paths], "preview": pa.array([b""] * len(paths), pa.binary())}
    vectors = unit_rows(len(paths), dim=encoder.dim).astype(np.float16)
    data = write_embeddings(tmp_path / "data", vectors, **table)
    library = Library.import_vectors(data, tmp_path / "l", encoder=encoder, threads=1)
    with serving(library.info().path) as address:
        page.route("**/api/image/**", lambda route: route.abort())
        page.clock.install()
        page.goto(address)
        expect(page.get_by_test_id("tile")).to_have_count(len(paths))
        previews = page.get_by_test_id("preview")
        expect(previews).to_have_count(0)
        options = PreviewOptions(threads=1, root=folder)
        made = [make_previews(path, options).made for path in served_libraries(library.info().path)]
        assert sum(made) == len(paths)
        wait_until(page, lambda: page.clock.fast_forward("00:10") or previews.count() == len(paths))
