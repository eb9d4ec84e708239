"""snapseek.library.records.arrow_gather: the same values as Arrow's own, whatever the columns hold."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapseek.library.records.arrow_gather import MappedBatches, iso_times

TEXTS = st.text(max_size=12)
TIMES = st.integers(-(2**50), 2**50)
KINDS = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.int8(): st.integers(-128, 127),
    pa.uint32(): st.integers(0, 2**32 - 1),
    pa.bool_(): st.booleans(),
    pa.float64(): st.floats(allow_nan=False),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.string(): TEXTS,
    pa.binary(): st.binary(max_size=12),
    pa.list_(pa.string()): st.lists(st.none() | TEXTS, max_size=3),
    pa.list_(pa.int32()): st.lists(st.integers(-5, 5), max_size=3),
    pa.list_(pa.list_(pa.int16())): st.lists(st.lists(st.integers(-5, 5), max_size=2), max_size=2),
}


def file_of(path, kind, batches):
    with pa.ipc.new_file(str(path), pa.schema({"before": pa.int8(), "it": kind})) as writer:
        for values in batches:
            writer.write_batch(
                pa.RecordBatch.from_arrays(
                    [pa.array([1] * len(values), pa.int8()), pa.array(values, kind)], ["before", "it"]
                )
            )
    source = pa.memory_map(str(path))
    reader = pa.ipc.open_file(source)
    source.seek(0)
    return MappedBatches(
        source.read_buffer(), [reader.get_batch(n) for n in range(reader.num_record_batches)]
    )


@settings(max_examples=150)
@given(data=st.data())
def test_values_are_those_that_were_written(data, tmp_path_factory):
    kind = data.draw(st.sampled_from([*KINDS]))
    batches = data.draw(
        st.lists(st.lists(st.none() | KINDS[kind], min_size=1, max_size=9), min_size=1, max_size=5)
    )
    read = file_of(tmp_path_factory.mktemp("f") / "a.arrow", kind, batches).values_of("it")
    wanted = data.draw(
        st.lists(
            st.integers(0, len(batches) - 1).flatmap(
                lambda batch: st.tuples(st.just(batch), st.integers(0, len(batches[batch]) - 1))
            ),
            max_size=20,
        )
    )
    rows = np.array(wanted, np.int64).reshape(-1, 2)
    assert read(rows[:, 0], rows[:, 1]) == [batches[batch][index] for batch, index in wanted]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_times_are_written_as_arrow_writes_them(tmp_path, unit, zone):
    kind = pa.timestamp(unit, zone)
    values = [0, 1, -1, None, 1_700_000_000]
    read = file_of(tmp_path / "a.arrow", kind, [values]).values_of("it")
    expected = pa.array(values, kind).cast(pa.string()).to_pylist()
    found = read(np.zeros(5, np.int64), np.arange(5))
    assert found == [text and text.replace(" ", "T") for text in expected]


OTHERS = {
    pa.large_string(): "a",
    pa.date32(): date(2026, 5, 1),
    pa.decimal128(9, 2): Decimal("1.50"),
    pa.timestamp("us", "Europe/Paris"): 0,
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_types_are_left_to_arrow(tmp_path, kind):
    assert file_of(tmp_path / "a.arrow", kind, [[OTHERS[kind]]]).values_of("it") is None


@pytest.mark.parametrize("kind", [*OTHERS, pa.bool_(), pa.string(), pa.list_(pa.string())])
def test_a_column_without_values_is_not_read(tmp_path, kind):
    read = file_of(tmp_path / "a.arrow", kind, [[None, None], [None]]).values_of("it")
    assert read(np.array([1, 0, 0]), np.array([0, 1, 0])) == [None, None, None]


def test_a_column_outside_the_file_is_left_to_arrow(tmp_path):
    path = tmp_path / "a.arrow"
    schema = pa.schema({"it": pa.string()})
    with pa.ipc.new_file(str(path), schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays([pa.array(["a" * 1000])], ["it"]))
    source = pa.memory_map(str(path))
    batches = [pa.ipc.open_file(source).get_batch(0)]
    source.seek(0)
    whole = source.read_buffer()
    assert MappedBatches(whole, batches).values_of("it") is None
    assert (
        MappedBatches(whole, [pa.RecordBatch.from_arrays([pa.array(["a", "b"])], ["it"]).slice(1)]).values_of(
            "it"
        )
        is None
    )


def test_iso_times():
    times = np.array([datetime(2026, 5, 1, 9, 30), datetime(1970, 1, 1) - timedelta(days=1)], "M8[us]")
    assert iso_times(times, "UTC") == ["2026-05-01T09:30:00.000000Z", "1969-12-31T00:00:00.000000Z"]
    assert iso_times(times[:1], None) == ["2026-05-01T09:30:00.000000"]
    assert datetime.fromisoformat(iso_times(times, "UTC")[0]) == datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
