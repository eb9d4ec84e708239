"""A collection of flat partitions answers as one library with the same pictures does."""

import os

import numpy as np
import pytest

from snapseek.errors import InputError, ItemNotFoundError, UnknownChoiceError
from snapseek.library import Term
from tests.support.partitions import pictures, split

ROWS = 90
SPLITS = int(os.environ.get("SNAPSEEK_SPLITS", "4"))
QUERIES = ("red gate", "old dogs", "a barn", "holiday", "beach", "red - gate", "unheardof", "caption:red")
MODES = ("clip", "words", "both", "auto")
SORTS = ("relevance", "newest", "oldest", "size")
FILTERS = (
    None,
    None,
    "rating:>2",
    "tag:beach",
    "licence:cc0 year:>2018",
    "in:work",
    "-public:yes",
    "rating:9",
)


def name_of(hit):
    return hit.uri


@pytest.fixture(scope="module", params=range(SPLITS))
def pair(request, tmp_path_factory, encoder):
    """A random split into 1 to 8 partitions, and the whole."""
    rng = np.random.default_rng(request.param)
    count = 1 + (request.param * 3) % 8
    vectors, columns = pictures(rng, ROWS, encoder.dim)
    owner = rng.integers(0, count, ROWS)
    parts = [np.flatnonzero(owner == number) for number in range(count)]
    directory = tmp_path_factory.mktemp("split")
    return *split(directory, encoder, vectors, columns, [part for part in parts if len(part)]), rng


def shown(hits, names):
    """All that a page shows, with ids as names."""
    listed = [
        (name_of(hit), hit.score, [names[item] for item in hit.similar], hit.why, hit.caption, hit.meta)
        for hit in hits
    ]
    return listed, hits.total, hits.relevant_count, hits.filters, hits.library_count


def names_of(library):
    return {hit.id: name_of(hit) for hit in library.browse(ROWS)}


def outcome(search, names):
    try:
        return shown(search(), names)
    except (InputError, ItemNotFoundError) as error:
        return type(error).__name__


def random_request(rng):
    mode = str(rng.choice(MODES))
    options = {
        "mode": mode,
        "sort": str(rng.choice(SORTS)),
        "where": FILTERS[rng.integers(len(FILTERS))],
        "dedup": bool(rng.integers(2)),
        "exact": bool(rng.integers(2)),
        "limit": int(rng.choice([1, 7, 60])),
        "offset": int(rng.choice([0, 0, 3, 40])),
    }
    if mode != "words" and rng.integers(3) == 0:
        options["min_score"] = float(rng.uniform(-0.5, 0.5))
    return options


def test_a_collection_answers_as_one_library_does(pair):
    collection, whole, rng = pair
    left, right = names_of(collection), names_of(whole)
    answered = 0
    for _ in range(60):
        query, options = str(rng.choice(QUERIES)), random_request(rng)
        found = outcome(lambda: collection.search(query, **options), left)  # noqa: B023
        expected = outcome(lambda: whole.search(query, **options), right)  # noqa: B023
        assert found == expected, (query, options)
        answered += isinstance(found, tuple) and bool(found[0])
    assert answered > 10


def test_vectors_and_ids_find_the_same(pair, encoder):
    collection, whole, rng = pair
    left, right = names_of(collection), names_of(whole)
    items = {name: item for item, name in left.items()}
    for _ in range(10):
        name = str(rng.choice(sorted(items)))
        ours, theirs = items[name], next(item for item, one in right.items() if one == name)
        vector = rng.standard_normal(encoder.dim).astype(np.float32)
        options = random_request(rng) | {"mode": "clip"}
        found = outcome(lambda: collection.search([Term(ours), Term(vector, -0.5)], **options), left)  # noqa: B023
        expected = outcome(lambda: whole.search([Term(theirs), Term(vector, -0.5)], **options), right)  # noqa: B023
        assert found == expected, options
        assert np.array_equal(collection.vector(ours), whole.vector(theirs))
        assert similar(collection, ours) == similar(whole, theirs)


def similar(library, item):
    """Similar pictures. An index orders scores past 1 before it cuts them to 1, so these have no order."""
    hits = [(hit.score, hit.uri) for hit in library.search(item, ROWS)]
    return sorted(hits[: sum(score == 1 for score, _ in hits)]), hits[sum(score == 1 for score, _ in hits) :]


def test_listed_pictures_are_the_same_in_every_order(pair):
    collection, whole, rng = pair
    left, right = names_of(collection), names_of(whole)
    for _ in range(20):
        options = {
            "sort": str(rng.choice(SORTS)),
            "where": FILTERS[rng.integers(len(FILTERS))],
            "limit": int(rng.choice([1, 7, 60])),
            "offset": int(rng.integers(0, ROWS)),
        }
        assert shown(collection.browse(**options), left) == shown(whole.browse(**options), right), options


def test_pages_fit_together(pair):
    collection, _, _ = pair
    options = {"mode": "both", "dedup": True}
    whole = collection.search("red gate", ROWS, **options)
    pages = [
        hit
        for start in range(0, ROWS, 20)
        for hit in collection.search("red gate", 20, offset=start, **options)
    ]
    assert [hit.id for hit in pages] == [hit.id for hit in whole]


def test_ids_name_pictures_and_are_below_the_limit_of_javascript(pair):
    collection, _, _ = pair
    ids = [hit.id for hit in collection.browse(ROWS)]
    assert len(set(ids)) == ROWS
    assert max(ids) < 2**53
    assert [hit.id for hit in collection.get_many(ids[::-1])] == ids[::-1]
    assert collection[ids[3]].uri == collection.get_many(ids)[3].uri
    for unknown in (-1, 10**9, 2**60, max(ids) + 2**36):
        with pytest.raises(ItemNotFoundError):
            collection[unknown]
        with pytest.raises(ItemNotFoundError):
            collection.search(f"id:{unknown}" if unknown >= 0 else unknown)


def test_suggestions_are_those_of_the_whole(pair):
    collection, whole, _ = pair
    found, expected = collection.suggestions(), whole.suggestions()
    assert {column.name: column for column in found.columns} == {one.name: one for one in expected.columns}
    assert {one.name: one for one in found.ranges} == {one.name: one for one in expected.ranges}
    assert set(found.examples) == set(expected.examples)


def test_values_and_months_are_those_of_the_whole(pair):
    collection, whole, _ = pair

    def values(library, column, **page):
        found = library.facet(column, **page)
        return found.total, found.minimum, found.maximum, [(one.value, one.count) for one in found.values]

    for column in ("year", "month", "tags", "width", "kind", "public", "rating", "folder", "licence"):
        assert values(collection, column) == values(whole, column), column
        assert values(collection, column, limit=2, offset=1) == values(whole, column, limit=2, offset=1)
    assert values(collection, "tags", where="width:>20") == values(whole, "tags", where="width:>20")
    for sort in ("newest", "oldest"):
        assert collection.timeline(sort=sort) == whole.timeline(sort=sort)
        found = collection.timeline(sort=sort, where="public:yes")
        assert found == whole.timeline(sort=sort, where="public:yes")
    with pytest.raises(UnknownChoiceError):
        collection.facet("nothing")
