"""snapseek.library.columns.column_check: arrays that do not fit each other never reach a filter."""

import numpy as np
import pytest

from snapseek.library.columns import column_store
from snapseek.library.columns.column_check import check_arrays
from snapseek.library.columns.column_file import read_arrays
from snapseek.library.columns.column_store import ColumnStore
from tests.support.record_files import write_records

ROWS = 40
COLUMNS = {"caption": "WordFacet", "kind": "ChoiceFacet", "tags": "ListFacet", "width": "NumberFacet"}


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """The arrays of a facet of each class, as they are in files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(column_store, "KEPT_ROWS", 1)
        path = tmp_path_factory.mktemp("facets") / "r.arrow"
        rows = [
            {"caption": f"a däg {row}", "kind": "jpeg", "tags": ["x", f"y{row}"], "width": row}
            for row in range(ROWS)
        ]
        store = ColumnStore(write_records(path, rows), path)
        found = {}
        for column, name in COLUMNS.items():
            store.index(column)
            found[name], _ = read_arrays(store.files.find(column), store.files._stamp(column, name))
        return found


def checked(arrays, name, rows=ROWS, *, is_whole=False):
    check_arrays(name, arrays, rows, is_whole=is_whole)


@pytest.mark.parametrize("name", COLUMNS.values())
def test_built_arrays_are_valid(arrays, name):
    checked(arrays[name], name)


@pytest.mark.parametrize("name", COLUMNS.values())
def test_arrays_of_other_rows_or_names_are_refused(arrays, name):
    with pytest.raises(ValueError, match="expected"):
        checked(arrays[name], name, ROWS + 1)
    with pytest.raises(ValueError, match="expected the arrays"):
        checked(arrays[name] | {"more": np.zeros(1)}, name)
    for array, values in arrays[name].items():
        with pytest.raises(ValueError, match=array):
            checked(arrays[name] | {array: values.astype(np.float16).astype("M8[us]")}, name)


CHANGES = [
    ("NumberFacet", "valid", lambda values: np.full(ROWS, 7, np.uint8).view(np.bool_)),
    ("NumberFacet", "valid", lambda values: np.zeros(3, np.bool_)),
    ("ChoiceFacet", "codes", lambda values: values + 200),
    ("ChoiceFacet", "ends", lambda values: values[:0]),
    ("ChoiceFacet", "ends", lambda values: values + 1),
    ("ChoiceFacet", "shown_ends", lambda values: np.array([0, 2, 4])),
    ("ListFacet", "rows", lambda values: values - 1),
    ("ListFacet", "rows", lambda values: values + 1),
    ("ListFacet", "starts", lambda values: values[::-1].copy()),
    ("ListFacet", "text", lambda values: np.full_like(values, 0xFF)),
    ("WordFacet", "text", lambda values: np.full_like(values, 0xC3)),
    ("WordFacet", "ends", lambda values: np.append(values[:-1], 10**12)),
    ("WordFacet", "rows", lambda values: values + ROWS),
    ("WordFacet", "bits", lambda values: values[:-1]),
    ("WordFacet", "places", lambda values: values + 100),
    ("WordFacet", "stream", lambda values: values + 100),
    ("WordFacet", "stream", lambda values: values * 0),
    ("WordFacet", "begins", lambda values: values * 2),
]


@pytest.mark.parametrize(("name", "array", "change"), CHANGES)
def test_arrays_that_do_not_fit_are_refused(arrays, name, array, change):
    with pytest.raises(ValueError, match=r"array|UTF8"):
        checked(arrays[name] | {array: change(arrays[name][array])}, name)


def test_times_are_whole(arrays):
    values = arrays["NumberFacet"]["values"].astype(np.float64)
    with pytest.raises(ValueError, match="integers"):
        checked(arrays["NumberFacet"] | {"values": values}, "NumberFacet", is_whole=True)
