"""Pictures are found by the town of their coordinates, on every path of a search."""

import numpy as np
import pyarrow as pa
import pytest

from snapseek.library import Library
from tests.support.dated_library import ROWS, SPOTS, dated_library
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows

FIFTH = ROWS // len(SPOTS)


@pytest.fixture(scope="module")
def library(tmp_path_factory, encoder):
    return dated_library(tmp_path_factory.mktemp("places"), encoder)[0]


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("place:paris", FIFTH),
        ("place:PARIS", FIFTH),
        ('place:"new york"', FIFTH),
        ("place:cologne", FIFTH),
        ("place:köln", FIFTH),
        ("place:koln", FIFTH),
        ("place:paris,cologne", 2 * FIFTH),
        ("country:france", FIFTH),
        ("country:FR", FIFTH),
        ("country:usa", FIFTH),
        ('country:"united states"', FIFTH),
        ("-country:france", ROWS - FIFTH),
        ("has:place", 3 * FIFTH),
        ("-has:country", 2 * FIFTH),
        ("place:atlantis", 0),
    ],
)
def test_a_place_selects_its_pictures(library, where, count):
    assert library.browse(1, where=where).total == count
    assert library.search(where).total == count


def test_mappings_and_results_have_the_place(library):
    assert library.browse(1, where={"country": ["France", "Germany"]}).total == 2 * FIFTH
    assert library.browse(1, where={"place": None}).total == 2 * FIFTH
    assert library[1].meta["place"] == "Paris"
    assert library[1].meta["country"] == "France"
    assert "place" not in library[4].meta
    columns = {entry.operator: dict(entry.values) for entry in library.suggestions().columns}
    assert columns["place"] == {"Köln": FIFTH, "New York City": FIFTH, "Paris": FIFTH}


def test_words_find_places_in_mode_auto(library):
    found = library.search("germany", 5, mode="auto")
    assert {hit.meta["country"] for hit in found} >= {"Germany"}
    assert found[0].why == ("country",)


def test_columns_of_the_user_take_precedence(tmp_path, encoder):
    columns = {
        "place": pa.array(["Atlantis", "Thule"]),
        "latitude": pa.array([48.85, 48.85]),
        "longitude": pa.array([2.35, 2.35]),
    }
    folder = write_embeddings(tmp_path / "own", unit_rows(2, dim=encoder.dim).astype(np.float16), **columns)
    own = Library.import_vectors(folder, tmp_path / "l", encoder=encoder, threads=1)
    assert own.browse(1, where="place:atlantis").total == 1
    assert own.browse(1, where="place:paris").total == 0
    assert own.browse(1, where="country:france").total == 2
    assert own[1].meta["place"] == "Atlantis"


def test_a_library_without_coordinates_has_no_places(folder, tmp_path, encoder):
    plain = Library.build(folder, tmp_path / "plain", encoder=encoder)
    assert plain.browse(1, where="place:paris").total == 0
    assert plain.facet("place").total == 0
