"""snapseek.sources.fields.record_values: every Arrow type becomes one that records can have."""

import decimal
import json
import uuid
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pytest

from snapseek.library.records.ipc_layout import is_stored
from snapseek.sources.fields.record_types import common_type, record_type
from snapseek.sources.fields.record_values import (
    Losses,
    common_schema,
    converted_value,
    record_column,
    text_of,
)


def ints(values, kind):
    width = pa.int32() if kind.bit_width == 32 else pa.int64()
    return pa.array(values, width).view(kind)


def not_utf8(*texts):
    data = pa.array(texts, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(data), data.buffers(), data.null_count)


def nested(depth):
    array = pa.array([1])
    for _ in range(depth):
        array = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), array)
    return array


BAD = not_utf8(b"R\xc9UNION", b"caf\xc3\xa9", None, b"\x81")
BAD_TEXTS = ["RÉUNION", "café", None, "\x81"]
EPOCH = datetime(1970, 1, 1)
WORDS = ["a", None, "b" * 30]

COLUMNS = {
    "text": (pa.array(WORDS), WORDS),
    "large text": (pa.array(WORDS, pa.large_string()), WORDS),
    "text view": (pa.array(WORDS, pa.string_view()), WORDS),
    "dictionary": (pa.array(WORDS).dictionary_encode(), WORDS),
    "large dictionary": (pa.array(WORDS, pa.large_string()).dictionary_encode(), WORDS),
    "dictionary of dates": (pa.array([date(2020, 1, 1), None]).dictionary_encode(), [date(2020, 1, 1), None]),
    "run-end": (
        pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["x", None])),
        ["x", "x", None],
    ),
    "not UTF-8": (BAD, BAD_TEXTS),
    "dictionary that is not UTF-8": (
        pa.DictionaryArray.from_arrays(pa.array([1, 0, None], pa.int8()), BAD, safe=False),
        ["café", "RÉUNION", None],
    ),
    "list that is not UTF-8": (
        pa.ListArray.from_arrays(pa.array([0, 2, None, 4], pa.int32()), BAD),
        [["RÉUNION", "café"], [None, "\x81"], None],
    ),
    "list view": (pa.array([["a"], None, []], pa.list_view(pa.string())), [["a"], None, []]),
    "large list": (pa.array([["a"], None, []], pa.large_list(pa.large_string())), [["a"], None, []]),
    "fixed list": (pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)), [[1.0, 2.0], None]),
    "list of objects": (pa.array([[{"x": 1}], None, []]), [[{"x": 1}], None, []]),
    "map": (pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())), [[("k", 1)], None]),
    "map of dates": (
        pa.array([[(date(2020, 1, 2), 1)]], pa.map_(pa.date32(), pa.int8())),
        [[("2020-01-02", 1)]],
    ),
    "object": (pa.array([{"a": "x"}, None]), [{"a": "x"}, None]),
    "object with bytes": (pa.array([{"a": b"\xff"}]), [{"a": "/w=="}]),
    "object with a name twice": (
        pa.StructArray.from_arrays([pa.array([1]), pa.array(["x"])], names=["a", "a"]),
        [{"a": 1, "a_": "x"}],
    ),
    "object of nulls": (pa.array([{"a": None}, None], pa.struct([("a", pa.null())])), [{"a": None}, None]),
    "empty object": (pa.array([{}, None], pa.struct([])), ["{}", None]),
    "too deep": (nested(9), [[[[[[["[[[1]]]"]]]]]]]),
    "timestamp in s": (ints([2**62, 0], pa.timestamp("s")), [None, EPOCH]),
    "timestamp in ms": (ints([2**62, 1], pa.timestamp("ms")), [None, EPOCH + timedelta(milliseconds=1)]),
    "timestamp in us": (
        ints([-(2**63), 2**63 - 1, 1], pa.timestamp("us")),
        [None, None, EPOCH + timedelta(0, 0, 1)],
    ),
    "odd nanoseconds": (
        ints([1999, -1], pa.timestamp("ns")),
        [EPOCH + timedelta(0, 0, 1), EPOCH - timedelta(0, 0, 1)],
    ),
    "known zone": (ints([0], pa.timestamp("s", "Europe/Berlin")), [EPOCH.replace(tzinfo=UTC)]),
    "unknown zone": (ints([0], pa.timestamp("s", "Mars/Olympus")), [EPOCH.replace(tzinfo=UTC)]),
    "offset": (ints([0], pa.timestamp("ns", "+05:30")), [EPOCH.replace(tzinfo=UTC)]),
    "date": (ints([2_932_896, 2_932_897, -719_163], pa.date32()), [date(9999, 12, 31), None, None]),
    "date64": (ints([86_400_005, 2**62], pa.date64()), [date(1970, 1, 2), None]),
    "time": (ints([1999, -1, 2**62], pa.time64("ns")), [time(0, 0, 0, 1), None, None]),
    "time32": (ints([5, 86_400], pa.time32("s")), [time(0, 0, 5), None]),
    "duration": (ints([5, 2**62], pa.duration("s")), [timedelta(seconds=5), None]),
    "duration in ns": (ints([1999], pa.duration("ns")), [timedelta(microseconds=1)]),
    "small decimal": (pa.array([decimal.Decimal("1.5")], pa.decimal32(4, 2)), [decimal.Decimal("1.50")]),
    "decimal": (
        pa.array([decimal.Decimal("1.5"), None], pa.decimal256(60, 2)),
        [decimal.Decimal("1.50"), None],
    ),
    "largest integer": (pa.array([2**64 - 1, None], pa.uint64()), [2**64 - 1, None]),
    "half": (pa.array([1.5, None], pa.float16()), [1.5, None]),
    "bytes": (pa.array([b"\xff", None]), [b"\xff", None]),
    "bytes view": (pa.array([b"\xff", None], pa.binary_view()), [b"\xff", None]),
    "null": (pa.nulls(2), [None, None]),
    "interval": (pa.array([pa.MonthDayNano([1, 2, 3]), None]), ["[1, 2, 3]", None]),
    "union": (
        pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]),
        ["1", "b"],
    ),
    "UUID": (pa.array([uuid.UUID(int=1).bytes, None], pa.uuid()), [str(uuid.UUID(int=1)), None]),
    "JSON": (pa.array(['{"a":1}', None], pa.json_(pa.string())), ['{"a":1}', None]),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("start", [0, 1])
def test_a_column_of_any_type(name, start):
    array, values = COLUMNS[name]
    found = record_column(array.slice(start), name, Losses())
    found.validate(full=True)
    assert found.type == record_type(array.type)
    assert is_stored(found.type)
    assert found.to_pylist() == values[start:]
    assert record_column(found, name, Losses()).equals(found)


@pytest.mark.parametrize("name", COLUMNS)
def test_an_empty_column(name):
    array = COLUMNS[name][0].slice(0, 0)
    assert len(record_column(array, name, Losses())) == 0


def test_what_changed_is_counted():
    losses = Losses()
    record_column(ints([0, 2**62, 2**61], pa.timestamp("s")), "when", losses)
    record_column(pa.array([date(2020, 1, 1)]), "fine", losses)
    record_column(ints([2**31 - 1, 0], pa.date32()), "day", losses)
    late = pa.DictionaryArray.from_arrays(pa.array([0, 0, 1], pa.int8()), ints([2**30, 1], pa.date32()))
    record_column(late, "each row", losses)
    record_column(BAD, "place", losses)
    assert losses.lost == {"when": 2, "day": 1, "each row": 2}
    assert losses.recoded == {"place": 2}
    notes = losses.notes()
    assert notes[0] == "column 'day': 1 value outside the range of records (years 1 to 9999) became null"
    assert notes[-1] == "column 'place': 2 texts not in UTF-8, read as Windows-1252"


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (pa.null(), pa.string(), pa.string()),
        (pa.int8(), pa.int64(), pa.int64()),
        (pa.uint8(), pa.int16(), pa.int64()),
        (pa.uint64(), pa.int64(), pa.decimal128(20, 0)),
        (pa.int64(), pa.float32(), pa.float64()),
        (pa.decimal128(10, 2), pa.int64(), pa.decimal128(22, 2)),
        (pa.decimal256(60, 2), pa.int64(), pa.float64()),
        (pa.int64(), pa.string(), pa.string()),
        (pa.bool_(), pa.int64(), pa.string()),
        (pa.string(), pa.large_string(), pa.large_string()),
        (pa.date32(), pa.timestamp("us"), pa.timestamp("us")),
        (pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("us", "UTC")),
        (pa.date32(), pa.time64("us"), pa.string()),
        (pa.list_(pa.int64()), pa.list_(pa.string()), pa.list_(pa.string())),
        (pa.list_(pa.null()), pa.list_(pa.string()), pa.list_(pa.string())),
        (pa.list_(pa.string()), pa.string(), pa.string()),
        (pa.struct([("a", pa.int64())]), pa.struct([("b", pa.int64())]), pa.string()),
    ],
)
def test_the_common_type_of_a_column_of_two_tables(one, other, common):
    assert common_type(one, other) == common
    assert common_type(other, one) == common
    assert common_schema([pa.schema([("a", one)]), pa.schema([("a", other)])]).field("a").type == common


@pytest.mark.parametrize("name", COLUMNS)
def test_any_column_can_become_text(name):
    array, values = COLUMNS[name]
    if record_type(array.type) == pa.binary():
        return
    found = record_column(
        array, name, Losses(), common_type(record_type(array.type), pa.string())
    ).to_pylist()
    assert [one is None for one in found] == [one is None for one in values]
    assert all(one is None or isinstance(one, str) for one in found)


def test_numbers_of_two_tables_keep_their_values():
    ids = record_column(pa.array([2**64 - 1], pa.uint64()), "id", Losses(), pa.decimal128(20, 0))
    assert ids.to_pylist() == [decimal.Decimal(2**64 - 1)]
    large = record_column(pa.array([2**60 + 1]), "n", Losses(), pa.float64())
    assert large.to_pylist() == [float(2**60)]


def test_text_is_the_same_in_all_sources():
    values = [True, 5, 1.5, "x", [1, "a"], {"a": date(2020, 1, 2)}, date(2020, 1, 2), b"\xff", None]
    texts = ["true", "5", "1.5", "x", '[1, "a"]', '{"a": "2020-01-02"}', "2020-01-02", "/w==", None]
    assert [text_of(value) for value in values] == texts
    assert json.loads(text_of({"a": [None, 1]})) == {"a": [None, 1]}
    assert converted_value("x", pa.int64()) is None
    assert converted_value(5, pa.float64()) == 5.0
    assert converted_value([1, 2], pa.list_(pa.string())) == ["1", "2"]
