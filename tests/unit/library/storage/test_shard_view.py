"""snapseek.library.storage.shard_view: shards without their removed rows."""

import numpy as np
import pytest

from snapseek.library.storage.database import Database
from snapseek.library.storage.shard_draft import ShardDraft
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.library.storage.shard_view import ShardView
from snapseek.library.storage.shards import Shard, order_of
from tests.support.record_files import EMPTY
from tests.support.vector_rows import unit_rows

ROWS = 700


@pytest.fixture(params=["flat", "ivf"])
def shard(request, tmp_path, monkeypatch):
    if request.param == "ivf":
        monkeypatch.setattr("snapseek.vectors.index.FLAT_ROWS", 300)
    with (
        Database.open_for_writing(tmp_path) as database,
        ShardDraft(ShardFiles(database, tmp_path), 8) as draft,
    ):
        for item, vector in enumerate(unit_rows(ROWS, dim=8), start=5):
            draft.append(vector[None], EMPTY | {"id": item})
        draft.finish()
    opened = Shard(tmp_path, draft.stem)
    assert opened.index.info().kind == request.param
    return opened


def test_deleted_rows_are_never_returned(shard):
    dead = np.arange(5, ROWS, 3)
    part = ShardView(shard, dead, is_imported=False)
    living = [item for item in range(5, 5 + ROWS) if item not in set(dead.tolist())]
    assert len(part) == len(living)
    ids, _ = part.shard.search(unit_rows(1, dim=8, seed=9), ROWS, allow=part.allowed)
    assert sorted(ids.tolist()) == living
    assert [shard.records.ids()[row] for row in part.rows_by_id(0, ROWS)] == living
    rows = part.rows(np.arange(len(part)))
    assert sorted(shard.records.ids()[row] for row in rows.tolist()) == living
    assert part.row_of(5) is None
    assert part.row_of(6) == shard.row_of(6)
    assert part.row_of(4) is None


def test_living_rows_have_the_same_results(shard):
    query = unit_rows(1, dim=8, seed=9)
    ids, scores = shard.search(query, ROWS, exact=True)
    part = ShardView(shard, np.sort(ids[::2]), is_imported=False)
    left, left_scores = shard.search(query, ROWS, allow=part.allowed, exact=True)
    np.testing.assert_array_equal(left, ids[1::2])
    np.testing.assert_array_equal(left_scores, scores[1::2])


def test_all_may_be_removed(shard):
    part = ShardView(shard, np.arange(5, 5 + ROWS), is_imported=False)
    assert len(part) == 0
    assert len(part.shard.search(unit_rows(1, dim=8), 9, allow=part.allowed)[0]) == 0
    assert part.rows_by_id(0, 9) == []


@pytest.mark.parametrize("step", [1, 3], ids=["without a gap", "with gaps"])
@pytest.mark.parametrize("rows", [0, 1, 2, 500])
def test_rows_in_order_of_their_ids(rows, step):
    ids = 7 + step * np.random.default_rng(rows).permutation(rows).astype(np.int64)
    order = order_of(ids)
    assert order.dtype == np.int64
    assert ids[order].tolist() == sorted(ids.tolist())
