import numpy as np
import pyarrow as pa
import pytest

from snapseek.library.columns import column_store
from snapseek.library.columns.column_store import ColumnStore, distance_km
from snapseek.library.filters.ast import Condition, GeoWithin
from tests.support.record_files import write_records

ROWS = [
    {"caption": f"a red gate {number}", "licence": "cc0", "tags": ["b"], "width": number}
    for number in range(30)
]


@pytest.fixture
def kept(monkeypatch):
    """Also few rows are worth a file."""
    monkeypatch.setattr(column_store, "KEPT_ROWS", 1)


def opened(tmp_path, rows=ROWS, stem="s"):
    path = tmp_path / f"{stem}.arrow"
    return ColumnStore(write_records(path, rows, licence=pa.string()), path)


CONDITIONS = [
    Condition("caption", "contains", "gate 7"),
    Condition("licence", "=", "cc0"),
    Condition("tags", "=", "b"),
    Condition("width", ">", 20),
]


def test_indexes_are_stored_and_loaded(tmp_path, kept, monkeypatch):
    first = opened(tmp_path)
    expected = [first.mask(condition).tolist() for condition in CONDITIONS]
    assert len(list(tmp_path.glob("s.*.facet"))) == 4
    monkeypatch.setattr(ColumnStore, "_build", lambda *_: pytest.fail("built again"))
    again = ColumnStore(first._records, tmp_path / "s.arrow")
    assert [again.mask(condition).tolist() for condition in CONDITIONS] == expected


def test_small_shards_store_no_index(tmp_path):
    opened(tmp_path).mask(CONDITIONS[0])
    assert [path.name for path in tmp_path.iterdir()] == ["s.arrow"]


@pytest.mark.parametrize("damage", [b"", b"x" * 100, "cut", "other"])
def test_damaged_or_stale_files_are_rebuilt(tmp_path, kept, damage):
    first = opened(tmp_path)
    expected = [first.mask(condition).tolist() for condition in CONDITIONS]
    if damage == "other":
        (tmp_path / "other").mkdir()
        for condition in CONDITIONS:
            opened(tmp_path / "other", ROWS[:20]).mask(condition)
        for path in (tmp_path / "other").glob("*.facet"):
            path.replace(tmp_path / path.name)
    else:
        for path in tmp_path.glob("*.facet"):
            path.write_bytes(path.read_bytes()[:-70] if damage == "cut" else damage)
    again = ColumnStore(first._records, tmp_path / "s.arrow")
    assert [again.mask(condition).tolist() for condition in CONDITIONS] == expected


def test_a_missing_column_fulfils_no_condition(tmp_path):
    store = opened(tmp_path)
    assert store.index("nothing") is None
    assert not store.mask(Condition("nothing", "exists", True)).any()
    assert not store.mask(GeoWithin(0, 0, 20_000)).any()


def test_distances():
    paris, london = (48.8566, 2.3522), (51.5074, -0.1278)
    far = distance_km(*paris, np.array([london[0]]), np.array([london[1]]))
    assert far == pytest.approx([343.6], abs=0.5)
    assert distance_km(0, 179.9, np.array([0.0]), np.array([-179.9])) == pytest.approx([22.24], abs=0.01)


@pytest.mark.parametrize(
    "condition",
    [
        Condition("width", "=", "cc0"),
        Condition("width", "prefix", "c"),
        Condition("licence", ">", 3),
        Condition("licence", "in", [3, 4]),
        Condition("tags", "=", 3),
        Condition("caption", "<", 3.5),
    ],
)
def test_a_value_of_another_type_matches_nothing(tmp_path, condition):
    """A shard may have another type for a column than the shard that the filter was typed by."""
    assert not opened(tmp_path).mask(condition).any()
