"""snapseek.library.columns.column_builder: columns of every type that a table may bring."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from snapseek.library.columns.column_builder import kind_of
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.filters.ast import Condition
from snapseek.library.filters.typecheck import typecheck
from snapseek.library.storage.selection import mask_of
from tests.support.record_files import write_records

MOMENT = datetime(2020, 5, 1, 12, tzinfo=UTC)
COLUMNS = {
    "int": (pa.uint64(), [2**64 - 1, 3, None], "=", 2**64 - 1),
    "small": (pa.int8(), [5, -5, None], ">", 0),
    "half": (pa.float16(), [np.float16(1.5), np.float16(0), None], ">", 1),
    "decimal": (pa.decimal128(10, 2), [Decimal("1.50"), Decimal(0), None], "=", 1.5),
    "dictionary": (pa.dictionary(pa.int8(), pa.large_string()), ["Cé", "x", None], "=", "ce"),
    "view": (pa.string_view(), ["a", "b", None], "=", "A"),
    "large": (pa.large_string(), ["a", "b", None], "<", "b"),
    "list": (pa.large_list(pa.large_string()), [["a", None], [], None], "=", "a"),
    "fixed": (pa.list_(pa.string(), 2), [["a", "b"], ["c", "d"], None], "=", "b"),
    "seconds": (pa.timestamp("s"), [datetime(2020, 5, 1), datetime(1900, 1, 1), None], ">=", "2020"),
    "nanos": (
        pa.timestamp("ns", "Europe/Paris"),
        [MOMENT, datetime(1990, 1, 1, tzinfo=UTC), None],
        "=",
        "2020-05",
    ),
    "day": (pa.date64(), [date(2020, 5, 1), date(9999, 12, 31), None], "<=", "2020-05-01"),
    "flag": (pa.bool_(), [True, False, None], "=", True),
}
NOT_ASKED = [
    pa.binary(),
    pa.list_(pa.int32()),
    pa.struct([("a", pa.int32())]),
    pa.time32("s"),
    pa.duration("s"),
    pa.null(),
]


@pytest.mark.parametrize("name", COLUMNS)
def test_every_arrow_type_is_indexed(tmp_path, name):
    kind, values, operator, value = COLUMNS[name]
    path = tmp_path / "r.arrow"
    store = ColumnStore(write_records(path, [{name: entry} for entry in values], **{name: kind}))

    def flags(operator, value):
        return mask_of(typecheck(Condition(name, operator, value), store.kinds), store).tolist()

    assert flags(operator, value) == [True, False, False]
    assert flags("exists", True) == [True, name != "list", False]


@pytest.mark.parametrize("kind", NOT_ASKED, ids=str)
def test_other_types_have_no_index(kind):
    assert kind_of(kind) is None


def test_columns_of_no_rows(tmp_path):
    types = {name: kind for name, (kind, *_) in COLUMNS.items()}
    store = ColumnStore(write_records(tmp_path / "r.arrow", [], **types))
    for name, (_, _, operator, value) in COLUMNS.items():
        assert mask_of(typecheck(Condition(name, operator, value), store.kinds), store).tolist() == []
