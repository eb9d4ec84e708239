"""The order of mode `auto` is that of the obvious version: every row scored, the fusion in Python."""

import numpy as np
import pytest

from snapseek.library.search.rank import POOL, Candidates
from snapseek.library.search.request import ResolvedRequest
from snapseek.library.search.rrf import reciprocal_rank_fusion
from snapseek.library.search.word_matches import best_matches, field_names, word_matches
from snapseek.library.storage.rows import RowHits
from snapseek.search_request import SearchRequest
from tests.support.filtered_library import filtered_library


@pytest.fixture(scope="module")
def library(tmp_path_factory, encoder):
    return filtered_library(tmp_path_factory.mktemp("auto"), encoder)[0]


def obvious(library, request):
    """Return id, score and reasons of every result, by the functions that score every row."""
    snapshot = library.snapshot()
    shards, ranker = snapshot._shards, snapshot._ranker
    resolved = ResolvedRequest.of(request, snapshot.kinds)
    vector = library.encoder.embed_texts([resolved.words])[0]
    selection = ranker.selection_of(resolved.tree)
    best = Candidates(shards, selection, (), exact=False).best(vector, POOL)
    stores = [part.shard.columns for part in shards.parts]
    matches = word_matches(stores, selection.masks, resolved.words)
    found = best_matches(matches, (), {entry.row for entry in best}, POOL)
    pairs = [row for _, row, _ in found]
    cosines = dict(zip(pairs, shards.scores(hits_of(pairs), vector).tolist(), strict=True))
    found.sort(key=lambda match: (-match[0], -cosines[match[1]], match[1]))
    scores = {entry.row: entry.score for entry in best} | cosines
    reasons = {row: field_names(bits) for _, row, bits in found}
    rows = list(dict.fromkeys([*(entry.row for entry in best), *(row for _, row, _ in found)]))
    numbers = {row: number for number, row in enumerate(rows)}
    order = reciprocal_rank_fusion([range(len(best)), [numbers[row] for _, row, _ in found]])
    return [
        (shards.id_at(rows[number]), scores[rows[number]], reasons.get(rows[number], ())) for number in order
    ]


def hits_of(rows):
    numbers = np.array(rows, np.int64).reshape(-1, 2)
    return RowHits(numbers[:, 0], numbers[:, 1], np.zeros(len(rows), np.float32))


@pytest.mark.parametrize(
    "query", ["red 17", "red gate 250", "red holiday 2016", "red draft beach", "red draft 250 rating:>2"]
)
def test_the_order_of_mode_auto_is_that_of_the_obvious_version(library, query):
    expected = obvious(library, SearchRequest(query, mode="auto"))
    whole = library.search(query, 5000, mode="auto")
    assert [(hit.id, hit.score, hit.why) for hit in whole] == expected
    assert whole.total == len(expected)
    assert any(why for _, _, why in expected)
    page = library.search(query, 30, offset=40, mode="auto")
    assert [hit.id for hit in page] == [item for item, _, _ in expected[40:70]]
    assert page.total == len(expected)
    sorted_page = library.search(query, 5000, mode="auto", sort="newest")
    assert sorted(hit.id for hit in sorted_page) == sorted(item for item, _, _ in expected)
