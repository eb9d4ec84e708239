"""Partitions with different columns, compared with one library of the same shards."""

import numpy as np
import pytest

from snapseek.collection import Collection, create_collection
from snapseek.errors import UnknownChoiceError
from snapseek.library import Library
from tests.support.embedding_files import write_embeddings
from tests.support.partition_servers import partition_servers
from tests.support.vector_rows import unit_rows

ROWS = 12
COLUMNS = (
    {"studio": ["north", "South", "south"] * 4, "price": [3] * ROWS, "mixed": [1, 2, 3, 4] * 3},
    {"album": ["Summer"] * 7 + ["winter"] * 5, "price": [5] * ROWS, "mixed": ["1", "two"] * 6},
)


@pytest.fixture(scope="module")
def whole_and_parts(tmp_path_factory, encoder):
    directory = tmp_path_factory.mktemp("columns")
    parts = []
    for number, columns in enumerate(COLUMNS):
        vectors = unit_rows(ROWS, dim=encoder.dim, seed=number).astype(np.float16)
        urls = [f"https://pictures.example/{number}/{row}.jpg" for row in range(ROWS)]
        folder = write_embeddings(directory / f"vectors-{number}", vectors, URL=urls, **columns)
        whole = Library.import_vectors(folder, directory / "whole", encoder=encoder, threads=1)
        parts.append(Library.import_vectors(folder, directory / str(number), encoder=encoder, threads=1))
    return whole, parts


@pytest.fixture(params=["here", "servers"])
def pair(request, whole_and_parts, tmp_path, encoder):
    whole, parts = whole_and_parts
    with partition_servers(*parts) as servers:
        is_here = request.param == "here"
        locations = [str(part.info().path) for part in parts] if is_here else [one.address for one in servers]
        create_collection(tmp_path / "c.json", [[location] for location in locations])
        with Collection.open(tmp_path / "c.json", encoder=encoder) as collection:
            yield collection, whole


@pytest.mark.parametrize("column", ["studio", "album", "price", "mixed", "year", "month", "tags"])
def test_values_are_those_of_one_library(column, pair):
    collection, whole = pair
    assert collection.facet(column) == whole.facet(column)
    assert collection.facet(column, contains="t", limit=1) == whole.facet(column, contains="t", limit=1)


@pytest.mark.parametrize("where", ["studio:south", "-studio:south", "album:winter", "price:>3", "mixed:1"])
def test_filters_find_what_one_library_finds(where, pair):
    found = [{hit.uri for hit in library.browse(50, where=where)} for library in pair]
    assert found[0] == found[1]


def test_suggestions_join_values_and_ranges(pair):
    found, expected = (library.suggestions() for library in pair)
    assert {one.name: one for one in found.columns} == {one.name: one for one in expected.columns}
    assert {one.name: one for one in found.ranges} == {one.name: one for one in expected.ranges}


def test_an_unknown_column_is_an_error_of_the_user_and_leaves_partitions_alone(pair):
    collection, _ = pair
    for _ in range(12):
        with pytest.raises(UnknownChoiceError):
            collection.facet("nothing")
    assert collection.search("red", 1).partitions.ok == 2
