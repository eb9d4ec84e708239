"""The order of mode `auto` is that of the obvious version: every row scored, the fusion in Python."""

import numpy as np
import pytest

from snapseek.library.search.rank import POOL, Candidates, _groups_of, _may_be_shown
from snapseek.library.search.request import ResolvedRequest
from snapseek.library.search.rrf import fused_order, reciprocal_rank_fusion
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


def test_pages_of_grouped_results_fit_together(library):
    whole = library.search("red 17", 400, mode="auto", dedup=True)
    hidden = sum(len(hit.similar) for hit in whole)
    assert whole.total + hidden == library.search("red 17", 400, mode="auto").total
    for start, end in ((0, 1), (0, 60), (60, 200), (200, 400)):
        page = library.search("red 17", end - start, offset=start, mode="auto", dedup=True)
        assert [*page] == [*whole[start:end]]
        assert page.total == whole.total


def hits_of(rows):
    numbers = np.array(rows, np.int64).reshape(-1, 2)
    return RowHits(numbers[:, 0], numbers[:, 1], np.zeros(len(rows), np.float32))


@pytest.mark.parametrize("query", ["red 17", "red holiday 2016", "red draft 250 rating:>2"])
@pytest.mark.parametrize("limit", [1, 7, 30, 60])
def test_a_page_has_the_results_of_the_whole_order(library, query, limit):
    expected = obvious(library, SearchRequest(query, mode="auto"))
    for offset in (0, limit, 3 * limit):
        page = library.search(query, limit, offset=offset, mode="auto")
        assert [(hit.id, hit.score, hit.why) for hit in page] == expected[offset : offset + limit]


@pytest.mark.parametrize("seed", range(30))
def test_only_matches_that_may_be_shown_are_scored(seed):
    random = np.random.default_rng(seed)
    model, words, end = (int(random.integers(low, 200)) for low in (60, 1, 1))
    end = min(end, model)
    known = np.sort(random.choice(words, random.integers(0, words + 1), replace=False))
    ranks = np.full(words, model)
    ranks[known] = random.choice(model, min(model, len(known)), replace=False) if len(known) <= model else 0
    if len(known) > model:
        ranks[known[model:]] = model
        ranks[known[:model]] = random.permutation(model)
    is_new = ranks == model
    scores = np.sort(random.integers(0, 4, words).astype(np.float32))[::-1]
    groups = _groups_of(scores, is_new)
    numbers = ranks.copy()
    numbers[is_new] = model + np.arange(is_new.sum())
    shown = fused_order(model, numbers)[:end]
    wanted = _may_be_shown(groups, is_new, end)
    assert set(shown[shown >= model]) <= set(numbers[wanted])
    assert not (wanted & ~is_new).any()


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
