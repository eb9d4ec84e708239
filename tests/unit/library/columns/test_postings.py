import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snapseek.library.columns.postings import Postings, count, has_rows, packed, united

ROWS = st.integers(1, 300).flatmap(lambda rows: st.tuples(st.just(rows), st.sets(st.integers(0, rows - 1))))


def rows_in(bits, rows):
    return np.flatnonzero(np.unpackbits(bits)[:rows]).tolist()


@given(ROWS)
def test_packed_rows_are_counted_and_found(case):
    rows, members = case
    flags = np.zeros(rows, np.bool_)
    flags[list(members)] = True
    bits = packed(flags)
    assert (len(bits) % 8, count(bits), rows_in(bits, rows)) == (0, len(members), sorted(members))
    assert has_rows(bits, np.arange(rows)).tolist() == flags.tolist()


@given(ROWS, ROWS)
def test_postings_unite_lists_and_bitmaps(first, second):
    rows = max(first[0], second[0])
    bitmap = np.packbits(np.isin(np.arange(rows), list(first[1])))
    found = Postings([np.array(sorted(second[1]), np.int32)], [bitmap])
    bits = united([found], rows)
    assert rows_in(bits, rows) == sorted(first[1] | second[1])
    assert found.has(np.arange(rows)).tolist() == has_rows(bits, np.arange(rows)).tolist()
    assert found


def test_no_postings_are_false():
    assert not Postings()
    assert not Postings([np.zeros(0, np.int32)])


def test_bits_after_the_last_row_are_dropped():
    bits = united([Postings(bitmaps=[np.array([0, 255], np.uint8)])], 11)
    assert (count(bits), rows_in(bits, 11)) == (3, [8, 9, 10])
