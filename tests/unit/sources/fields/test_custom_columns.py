from datetime import UTC, datetime

import pyarrow as pa
import pytest

from snapseek.library.records.arrow_file import SCHEMA
from snapseek.library.records.record_schema import LATER_COLUMNS
from snapseek.sources.fields.custom_columns import BUILT_IN, METADATA_COLUMNS, CustomColumns


def seen(*values):
    own = CustomColumns("url")
    rows = [{"url": "http://a", "x": value} for value in values]
    for row in rows:
        own.observe(row)
    names = own.schema().names
    return (own.schema().field("x").type if names else None), [own.values(row).get("x") for row in rows]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["1", "", "-20"], pa.int64(), [1, None, -20]),
        (["1", "2.5"], pa.float64(), [1.0, 2.5]),
        ([1, 2.5, None], pa.float64(), [1.0, 2.5, None]),
        (["true", "False"], pa.bool_(), [True, False]),
        (
            ["2020-05-01", "2020-05-01T09:30:00Z"],
            pa.timestamp("us", "UTC"),
            [datetime(2020, 5, 1, tzinfo=UTC), datetime(2020, 5, 1, 9, 30, tzinfo=UTC)],
        ),
        (["007", "12"], pa.string(), ["007", "12"]),
        (["1", "n/a"], pa.string(), ["1", "n/a"]),
        ([2**70, 1], pa.string(), [str(2**70), "1"]),
        ([True, 1], pa.string(), ["true", "1"]),
        ([[1, 2], {"a": None}], pa.string(), ["[1, 2]", '{"a": null}']),
        (["\ud800"], pa.string(), ["?"]),
        ([float("inf"), 1.5], pa.float64(), [None, 1.5]),
        (["", None], None, [None, None]),
    ],
)
def test_the_type_of_a_column_is_inferred_from_all_values(values, kind, expected):
    assert seen(*values) == (kind, expected)


def test_built_in_columns_get_a_trailing_underscore():
    assert set(SCHEMA.names) - LATER_COLUMNS == BUILT_IN | METADATA_COLUMNS
    own = CustomColumns("url")
    row = {"url": "u", "width": "5", "width_": "6", "caption": "c", "tags": "t", "": "x", "size": "7"}
    own.observe(row)
    assert own.values(row) == {"width__": 5, "width_": 6, "size": 7}
    assert own.schema().names == ["width__", "width_", "size"]


def test_types_that_are_declared_stay():
    own = CustomColumns("url")
    own.declare(
        pa.schema([("url", pa.string()), ("n", pa.int8()), ("d", pa.dictionary(pa.int8(), pa.string()))])
    )
    assert own.schema() == pa.schema([("n", pa.int8()), ("d", pa.string())])
    own.declare(pa.schema([("n", pa.int64()), ("d", pa.int32())]))
    assert own.schema() == pa.schema([("n", pa.int64()), ("d", pa.string())])
    assert own.values({"n": 5, "d": 6}) == {"n": 5, "d": "6"}


def test_columns_without_end():
    own = CustomColumns()
    own.observe({f"c{number}": 1 for number in range(5000)})
    assert len(own.schema()) == 1000
    assert len(own.values({f"c{number}": 1 for number in range(5000)})) == 1000
