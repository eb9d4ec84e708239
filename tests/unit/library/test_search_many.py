"""`Library.search_many`: the texts of all queries are embedded in batches; and texts that are paths."""

from pathlib import Path

import numpy as np
import pytest

from snapseek import Library, Term
from snapseek.errors import InputError
from snapseek.library import batch_search
from snapseek.models.text.text_encoder import TextEncoder
from snapseek.search_request import SearchRequest

COLORS = ["red", "green", "blue", "yellow", "white", "black"]


@pytest.fixture
def batches(monkeypatch):
    """The texts of each call of `embed_ahead`."""
    found = []
    inner = TextEncoder.embed_ahead

    def spy(self, texts):
        found.append(list(texts))
        return inner(self, texts)

    monkeypatch.setattr(TextEncoder, "embed_ahead", spy)
    return found


def test_the_answers_are_those_of_single_searches(library, batches):
    found = library.search_many(COLORS, limit=3)
    assert batches == [COLORS]
    assert found == [library.search(color, limit=3) for color in COLORS]
    assert [hits.total for hits in found] == [len(COLORS)] * len(COLORS)


def test_every_form_of_a_query_can_be_mixed(library, folder):
    first = library.search("red", limit=1)[0].id
    queries = [
        "red -blue",
        first,
        folder / "red.jpg",
        [Term("red"), Term("blue", 0.5)],
        library.vector(first),
    ]
    found = library.search_many([*queries, SearchRequest("green", limit=1)], limit=2)
    assert found[:-1] == [library.search(query, limit=2) for query in queries]
    assert found[-1] == library.search("green", limit=1)


def test_options_hold_for_all_queries(library):
    found = library.search_many(["red", "blue"], where="folder:deep", include=())
    assert [{hit.uri.split("/")[-2] for hit in hits} for hits in found] == [{"deep"}] * 2
    assert {hit.preview for hits in found for hit in hits} == {b""}


def test_no_queries_have_no_answers(library):
    assert library.search_many([]) == []
    assert library.search_many(iter(["red"])) == [library.search("red")]


def test_more_queries_than_the_cache_holds_are_embedded_in_parts(library, batches, monkeypatch):
    monkeypatch.setattr(batch_search, "_CHUNK", 4)
    found = library.search_many(COLORS, limit=1)
    assert batches == [COLORS[:4], COLORS[4:]]
    assert [hits[0].path.stem for hits in found] == COLORS


def test_nothing_is_searched_if_a_query_is_malformed(library, batches):
    with pytest.raises(InputError, match="year"):
        library.search_many(["red", "year:abc"])
    assert batches == []


@pytest.mark.parametrize("queries", ["red", b"red", 3, None, Path("a.jpg")])
def test_what_is_no_list_of_queries_is_refused(library, queries):
    with pytest.raises(InputError, match=r"expected a list of queries, got .* put it in a list"):
        library.search_many(queries)


def test_all_answers_are_of_one_state(library, monkeypatch):
    opened = Library.open(library.snapshot().path)
    calls = []
    inner = opened.snapshot
    monkeypatch.setattr(opened, "snapshot", lambda: calls.append(1) or inner())
    opened.search_many(COLORS)
    assert len(calls) == 1


def test_an_array_of_vectors_is_a_batch(library):
    vectors = np.stack([library.vector(hit.id) for hit in library])
    found = library.search_many(vectors, limit=1)
    assert [hits[0].id for hits in found] == [hit.id for hit in library]


def test_a_text_that_is_a_path_of_a_picture_warns(library, folder):
    path = str(folder / "red.jpg")
    with pytest.warns(UserWarning, match="is searched as words; for pictures like that file pass Path"):
        library.search(path, mode="words")
    library.search(Path(path))
    library.search(str(folder / "none.jpg"), mode="words")
    library.search("red.jpg", mode="words")
    library.search(SearchRequest(path, mode="words"))
