"""Words that are taught on the page, and the review of duplicates."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from snapseek.library import Library
from tests.support.page_fixtures import browser, page  # noqa: F401
from tests.support.page_server import as_served, serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def photos(tmp_path_factory, encoder):
    """The address of a server of six pictures, one of them in two sizes, and its library."""
    directory = tmp_path_factory.mktemp("photos")
    (directory / "pictures").mkdir()
    for seed in range(6):
        values = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
        image = Image.fromarray(values).resize((480, 360), Image.Resampling.BICUBIC)
        image.save(directory / "pictures" / f"{seed}.png")
        if seed == 3:
            image.resize((240, 180)).save(directory / "pictures" / "3 small.png")
    library = Library.build(directory / "pictures", directory / "l", encoder=encoder)
    with serving(directory / "l") as address:
        yield address, as_served(library)


def test_a_tile_teaches_a_word_that_is_renamed_and_forgotten(page, photos):
    address, library = photos
    page.goto(address)
    tile = page.get_by_test_id("tile").first
    taught = int(tile.get_attribute("data-id"))
    tile.hover()
    page.get_by_test_id("teach").click()
    page.get_by_test_id("concept-name").fill("Rex")
    page.get_by_test_id("this-is").click()
    expect(page.get_by_test_id("concept")).to_contain_text("1 example")
    page.get_by_test_id("rename-concept").click()
    page.get_by_test_id("new-name").fill("Our dog")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("show-concept")).to_have_text("Our dog")
    library.refresh()
    assert [(concept.name, concept.examples) for concept in library.concepts()] == [("Our dog", (taught,))]
    page.get_by_test_id("show-concept").click()
    expect(page.get_by_test_id("library-panel")).to_have_count(0)
    expect(page.get_by_test_id("tile").first).to_have_attribute("data-id", str(taught))
    page.get_by_test_id("filters").click()
    page.get_by_test_id("taught-words").click()
    page.get_by_test_id("delete-concept").click()
    page.get_by_test_id("delete-concept").click()
    expect(page.get_by_test_id("concept")).to_have_count(0)
    library.refresh()
    assert library.concepts() == []


def test_an_opened_picture_is_marked_as_not_this(page, photos):
    address, library = photos
    first, second = (hit.id for hit in library.browse(2))
    library.teach("bella", [second])
    page.goto(f"{address}/?picture={first}")
    page.get_by_test_id("teach-opened").click()
    page.get_by_test_id("concept-name").fill("bella")
    page.get_by_test_id("not-this").click()
    expect(page.get_by_test_id("concept-status")).to_contain_text("bella: 1 example, 1 not")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("lightbox")).to_be_visible()
    library.refresh()
    assert library.concept("bella").counterexamples == (first,)
    library.delete_concept("bella")


def test_the_others_of_duplicates_become_the_selection(page, photos):
    address, library = photos
    (group,) = library.duplicates().groups
    page.goto(address)
    page.get_by_test_id("filters").click()
    page.get_by_test_id("review-duplicates").click()
    expect(page.get_by_test_id("duplicate-group")).to_have_count(1)
    expect(page.get_by_test_id("duplicate-summary")).to_contain_text("1 group")
    page.get_by_test_id("select-others").click()
    expect(page.get_by_test_id("selection-bar")).to_contain_text("1 selected")
    expect(page.locator(f"li.selected [data-id='{group.others[0]}']")).to_have_count(1)
    assert library.original_path(group.others[0]).name == "3 small.png"
