import numpy as np
import pytest

from snapseek.library.filters.ast import Condition, Not
from snapseek.library.search.rank import _MAX_SELECTIONS, Ranker
from snapseek.library.storage import selection
from snapseek.library.storage.selection import Selection
from tests.support.filtered_library import ROWS, filtered_library

TREE = Condition("licence", "=", "cc0")


@pytest.fixture(scope="module")
def shards(tmp_path_factory, encoder):
    library, _ = filtered_library(tmp_path_factory.mktemp("matching"), encoder)
    return library.snapshot()._shards


@pytest.fixture
def parts(shards):
    return shards.parts


def test_rows_come_in_order_of_their_ids(parts, monkeypatch):
    monkeypatch.setattr(selection, "_CHUNK_ROWS", 64)
    found = Selection(parts, TREE)
    rows = found.rows_by_id(0, 0, ROWS)
    assert len(rows) == found.count == ROWS // 3
    assert parts[0].shard.ids[rows].tolist() == list(range(1, ROWS, 3))
    for start, end in ((0, 0), (0, 5), (5, 90), (499, 600), (700, 800)):
        assert found.rows_by_id(0, start, end) == rows[start:end]
    assert all(found.has(0, row) for row in rows)
    assert Selection(parts, Not(TREE)).count == ROWS - len(rows)


def test_no_filter_selects_everything(parts):
    everything = Selection(parts, None)
    assert everything.count == ROWS
    assert everything.allowed == [None]
    assert everything.rows_by_id(0, 3, 5) == parts[0].shard.order[3:5].tolist()
    assert everything.has(0, 0)


def test_recent_selections_are_cached_up_to_a_bound(shards):
    selection_of = Ranker(shards).selection_of
    first = selection_of(TREE)
    assert selection_of(Condition("licence", "=", "cc0")) is first
    for number in range(_MAX_SELECTIONS - 1):
        selection_of(Condition("rating", "=", number))
    assert selection_of(TREE) is first
    for number in range(_MAX_SELECTIONS):
        selection_of(Condition("rating", "=", -number - 1))
    again = selection_of(TREE)
    assert again is not first
    np.testing.assert_array_equal(again.masks[0], first.masks[0])
