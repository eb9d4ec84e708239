"""snapseek.library.search.best_words: the same as scoring every row."""

import random

import numpy as np
import pytest

from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.search.best_words import AutoWords, best_by_bm25
from snapseek.library.search.bm25 import bm25_scores
from snapseek.library.search.word_matches import BestMatches, best_matches, word_matches
from snapseek.library.storage.rows import NO_HITS, RowHits, RowRef
from tests.support.record_files import write_records

WORDS = [*(f"w{number}" for number in range(30)), "cat", "cats", "dogs", "dog"]
SIZES = ([1, 64], [7, 500, 65], [3000], [63, 130], [0, 128])


def words(source: random.Random, count: int) -> str:
    """Words whose frequencies fall, as those of a language do."""
    return " ".join(WORDS[min(len(WORDS) - 1, int(source.expovariate(0.15)))] for _ in range(count))


def record(source: random.Random) -> dict:
    return {
        "folder": words(source, source.randint(0, 2)),
        "name": words(source, 1) + ".jpg",
        "caption": words(source, source.randint(0, 12)) if source.random() < 0.8 else None,
        "title": words(source, 2) if source.random() < 0.1 else None,
        "tags": [words(source, 1) for _ in range(source.randint(0, 3))],
    }


@pytest.fixture(scope="module", params=SIZES, ids=str)
def shards(request, tmp_path_factory) -> list[ColumnStore]:
    source = random.Random(str(request.param))
    folder = tmp_path_factory.mktemp("best")
    return [
        ColumnStore(write_records(folder / f"{number}.arrow", [record(source) for _ in range(size)]))
        for number, size in enumerate(request.param)
    ]


def some_masks(source: random.Random, shards: list[ColumnStore]) -> list:
    return [
        None
        if source.random() < 0.5
        else np.array([source.random() < 0.5 for _ in range(store.rows)], np.bool_)
        for store in shards
    ]


def hits_of(rows: set[RowRef]) -> RowHits:
    pairs = np.array(sorted(rows), np.int64).reshape(-1, 2)
    return RowHits(pairs[:, 0], pairs[:, 1], np.zeros(len(pairs), np.float32))


def listed(found: BestMatches) -> list[tuple[float, RowRef, int]]:
    columns = (found.hits.scores.tolist(), found.hits, found.fields_of(found.hits).tolist())
    return list(zip(*columns, strict=True))


def test_the_matches_of_mode_auto_are_those_of_all_rows(shards):
    source = random.Random(1)
    for _ in range(40):
        text, masks = words(source, source.randint(1, 15)), some_masks(source, shards)
        count = source.choice([1, 3, 50, 1000])
        rows = [RowRef(shard, row) for shard, store in enumerate(shards) for row in range(store.rows)]
        preferred, excluded = set(source.sample(rows, min(20, len(rows)))), {rows[0]}
        every = word_matches(shards, masks, text)
        found = AutoWords(shards, masks, text)
        assert bool(found) == any(len(part.rows) for part in every)
        best = found.best(count, hits_of(preferred), excluded)
        assert listed(best) == best_matches(every, excluded, preferred, count), text


def test_the_best_by_bm25_are_those_of_all_rows(shards):
    source = random.Random(2)
    ids = [np.random.default_rng(shard).permutation(store.rows) for shard, store in enumerate(shards)]
    for _ in range(40):
        text, masks = words(source, source.randint(1, 15)), some_masks(source, shards)
        count = source.choice([1, 3, 50, 1000])
        every = ranked(bm25_scores(shards, masks, text), ids)[:count]
        assert ranked(best_by_bm25(shards, ids, masks, text, count), ids)[:count] == every, text


def ranked(parts, ids) -> list[tuple[float, int, int]]:
    return sorted(
        (-score, int(ids[shard][row]), shard)
        for shard, part in enumerate(parts)
        for row, score in zip(part.rows.tolist(), part.scores.tolist(), strict=True)
    )


def test_more_words_than_bits_are_scored_row_by_row(shards):
    text = " ".join(f"v{number}" for number in range(70)) + " w1 w2"
    ids = [np.arange(store.rows) for store in shards]
    masks = [None] * len(shards)
    found = best_by_bm25(shards, ids, masks, text, 10)
    assert ranked(found, ids) == ranked(bm25_scores(shards, masks, text), ids)


@pytest.mark.parametrize("text", ["", "!", "zebra", "the"])
def test_words_that_no_picture_has_are_no_matches(shards, text):
    found = AutoWords(shards, [None] * len(shards), text)
    assert not found
    assert listed(found.best(10, NO_HITS)) == []


def test_listed_matches_keep_their_fields():
    rows = [RowRef(0, 3), RowRef(1, 2), RowRef(0, 1)]
    listed_ones = [(2.0, rows[0], 1), (1.5, rows[1], 130), (0.5, rows[2], 4)]
    found = BestMatches.of(listed_ones)
    assert listed(found) == listed_ones
    assert found.fields_of(found.hits[1:2]).tolist() == [130]
    assert listed(BestMatches.of([])) == []
