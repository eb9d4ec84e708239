from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.search.sort_keys import first_rows, sort_keys
from tests.support.record_files import write_records


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=60), st.integers(1, 70))
def test_the_first_are_those_of_a_full_sort(rows, count):
    keys = np.array([key for key, _ in rows], np.int64)
    flags = np.array([flag for _, flag in rows], np.bool_)
    ids = np.random.default_rng(len(rows)).permutation(len(rows))
    order = sorted(np.flatnonzero(flags), key=lambda row: (keys[row], ids[row]))
    assert first_rows(keys, ids, flags, count).tolist() == order[:count]
    everything = sorted(range(len(rows)), key=lambda row: (keys[row], ids[row]))
    assert first_rows(keys, ids, None, count).tolist() == everything[:count]


def test_orders_of_records(tmp_path):
    old, new = datetime(2001, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
    rows = [
        {"taken": new, "width": 10, "height": 10},
        {"modified": old, "width": 40_000, "height": 60_000},
        {},
        {"taken": old, "modified": new, "width": 1, "height": 1},
    ]
    facets = ColumnStore(write_records(tmp_path / "r.arrow", rows))

    def order(sort):
        return first_rows(sort_keys(facets, sort), np.arange(4), None, 4).tolist()

    assert order("newest") == [0, 1, 3, 2]
    assert order("oldest") == [1, 3, 0, 2]
    assert order("size") == [1, 0, 3, 2]
