"""Tables with columns of any type and value: no answer and no export fails, in none of the three ways in."""

import json
import os
import string
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapseek.errors import InputError
from snapseek.library import Library
from tests.support.embedding_files import write_embeddings
from tests.support.picture_sources import COLORS, picture
from tests.support.vector_rows import unit_rows

ROWS = 4
EXAMPLES = int(os.environ.get("SNAPSEEK_EXAMPLES", "8"))
WAYS = ("import", "table", "list")

# A writer cannot store seconds of more than 64 bits as milliseconds.
_SECONDS = st.integers(-(2**63) // 1001, 2**63 // 1001)
_LONG = st.integers(-(2**63), 2**63 - 1)
_SHORT = st.integers(-(2**31), 2**31 - 1)


def of_integers(values, storage, kind):
    return pa.array(values, storage).view(kind)


def of_bytes(values, kind):
    """Texts of any bytes: writers do not check them."""
    data = pa.array(values, pa.binary())
    texts = pa.Array.from_buffers(pa.string(), len(data), data.buffers(), data.null_count)
    return texts.dictionary_encode() if kind == "dictionary" and all_utf8(values) else texts


def all_utf8(values):
    return all(value is None or value.decode("utf-8", "replace").encode() == value for value in values)


def listed(values, inner, kind):
    lengths = [len(value or ()) for value in values]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    entries = inner([entry for value in values for entry in value or ()])
    is_null = np.array([*(value is None for value in values), False])
    array = pa.ListArray.from_arrays(pa.array(offsets, mask=is_null), entries)
    if kind == "large":
        return array.cast(pa.large_list(entries.type))
    return pa.StructArray.from_arrays([array, array], names=["a", "b"]) if kind == "object" else array


LEAVES = [
    (_SECONDS, partial(of_integers, storage=pa.int64(), kind=pa.timestamp("s"))),
    (_LONG, partial(of_integers, storage=pa.int64(), kind=pa.timestamp("ms", "Europe/Berlin"))),
    (_LONG, partial(of_integers, storage=pa.int64(), kind=pa.timestamp("us", "Mars/Olympus"))),
    (_LONG, partial(of_integers, storage=pa.int64(), kind=pa.timestamp("ns"))),
    (_LONG, partial(of_integers, storage=pa.int64(), kind=pa.time64("us"))),
    (_LONG, partial(of_integers, storage=pa.int64(), kind=pa.duration("s"))),
    (_SHORT, partial(of_integers, storage=pa.int32(), kind=pa.date32())),
    (_LONG, partial(pa.array, type=pa.int64())),
    (st.integers(0, 2**64 - 1), partial(pa.array, type=pa.uint64())),
    (st.floats(), partial(pa.array, type=pa.float64())),
    (st.floats(width=16), partial(pa.array, type=pa.float16())),
    (st.decimals(-(10**6), 10**6, places=2), partial(pa.array, type=pa.decimal128(10, 2))),
    (st.booleans(), partial(pa.array, type=pa.bool_())),
    (st.binary(max_size=8), partial(of_bytes, kind="text")),
    (st.binary(max_size=8), partial(of_bytes, kind="dictionary")),
    (st.text(max_size=8), partial(pa.array, type=pa.string_view())),
    (st.text(max_size=8), partial(pa.array, type=pa.large_string())),
    (st.binary(max_size=8), partial(pa.array, type=pa.binary())),
    (st.none(), partial(pa.array, type=pa.null())),
]


@st.composite
def columns(draw):
    """A column of a type, with nulls, in a list or not."""
    values, make = draw(st.sampled_from(LEAVES))
    kind = draw(st.sampled_from(["plain", "plain", "list", "large", "object"]))
    if kind == "plain":
        return make(draw(st.lists(st.none() | values, min_size=ROWS, max_size=ROWS)))
    lists = st.none() | st.lists(st.none() | values, max_size=3)
    return listed(draw(st.lists(lists, min_size=ROWS, max_size=ROWS)), make, kind)


names = st.text(string.ascii_letters + "_ .:ü", max_size=12) | st.sampled_from(
    ["caption", "text", "date", "taken", "tags", "latitude", "width", "id", "name", "color", "url_", "when"]
)
tables = st.dictionaries(names, columns(), max_size=4)


def write(path, columns, **fixed):
    pq.write_table(
        pa.table(fixed | {name: column for name, column in columns.items() if name not in fixed}), path
    )


def built(way, folder, parts, encoder):
    """The library of the tables `parts`, made in one of the three ways."""
    files = [picture(color, "PNG") for color in COLORS]
    target = folder / "library"
    if way == "import":
        write_embeddings(
            folder / "e", *[unit_rows(ROWS, dim=3, seed=n).astype("f4") for n in range(len(parts))]
        )
        for number, part in enumerate(parts):
            urls = [f"https://a.example/{number}-{row}.jpg" for row in range(ROWS)]
            write(folder / "e" / "metadata" / f"metadata_{number}.parquet", part, url=urls)
        return Library.import_vectors(folder / "e", target, encoder=encoder)
    if way == "table":
        (folder / "t").mkdir()
        for number, part in enumerate(parts):
            write(folder / "t" / f"{number}.parquet", part, image=pa.array(files, pa.binary()))
        return Library.build(folder / "t", target, encoder=encoder)
    sources = []
    for number, part in enumerate(parts):
        paths = [f"{number}-{row}.png" for row in range(ROWS)]
        for path, data in zip(paths, files, strict=True):
            (folder / path).write_bytes(data)
        write(folder / f"{number}.parquet", part, url=paths)
        sources.append(folder / f"{number}.parquet")
    return Library.build(sources, target, encoder=encoder)


def use(library, rows, folder):
    hits = list(library.browse(rows + 1))
    assert len(hits) == rows, library.failures()
    for hit in hits:
        json.dumps(hit.meta)
    for column in library.snapshot().kinds:
        assert len(library.browse(rows, where={column: {"exists": True}})) <= rows
    assert len(library.search("red", rows)) == rows
    library.search("red", rows, mode="words")
    library.suggestions()
    for kind in ("csv", "json", "jsonl", "parquet"):
        assert library.export(folder / f"all.{kind}") == rows
    json.loads((folder / "all.json").read_text())
    assert pq.read_table(folder / "all.parquet").num_rows == rows
    library.compact()
    assert library.verify() == []
    assert len(library.browse(rows + 1)) == rows


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=EXAMPLES, deadline=timedelta(minutes=1), suppress_health_check=list(HealthCheck))
@given(parts=st.lists(tables, min_size=1, max_size=2))
def test_no_answer_fails_because_of_a_value(way, encoder, parts):
    with TemporaryDirectory() as name:
        folder = Path(name)
        library = built(way, folder, parts, encoder)
        use(library, ROWS * len(parts), folder)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats()
    | st.text(max_size=8)
    | st.dates().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=EXAMPLES, deadline=timedelta(minutes=1), suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.dictionaries(names, json_values, max_size=4), min_size=ROWS, max_size=ROWS))
def test_no_answer_fails_because_of_a_value_in_jsonl(encoder, rows):
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number, color in enumerate(COLORS):
            (folder / f"{number}.png").write_bytes(picture(color, "PNG"))
        lines = [json.dumps(row | {"url": f"{number}.png"}) for number, row in enumerate(rows)]
        (folder / "l.jsonl").write_text("\n".join(lines))
        use(Library.build(folder / "l.jsonl", folder / "library", encoder=encoder), ROWS, folder)


@settings(max_examples=EXAMPLES, deadline=timedelta(minutes=1), suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=200), delimiter=st.sampled_from(",;\t|"))
def test_no_answer_fails_because_of_a_byte_in_csv(encoder, data, delimiter):
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.png").write_bytes(picture())
        head = f"url{delimiter}caption{delimiter}n\na.png{delimiter}x{delimiter}1\n"
        (folder / "l.csv").write_bytes(head.encode() + data)
        library = Library.build(folder / "l.csv", folder / "library", encoder=encoder)
        assert library.browse(1)[0].caption == "x"


@pytest.mark.parametrize("way", WAYS)
def test_a_column_that_is_text_in_one_table_is_text_in_all(way, tmp_path, encoder):
    parts = [{"n": pa.array([1, None, 3, 4])}, {"n": pa.array(["x", "2", None, ""])}]
    library = built(way, tmp_path, parts, encoder)
    found = sorted(str(hit.meta["n"]) for hit in library.browse(8))
    assert found == sorted(["1", "None", "3", "4", "x", "2", "None", ""])
    assert len(library.browse(8, where="n:3")) == 1


@pytest.mark.parametrize("way", WAYS)
def test_values_that_became_null_are_in_the_report(way, tmp_path, encoder):
    late = pa.array([2**60, 0, 2**59, None], pa.int64()).view(pa.timestamp("us", "UTC"))
    library = built(way, tmp_path, [{"when": late}], encoder)
    note = "column 'when': 2 values outside the range of records (years 1 to 9999) became null"
    assert note in library.report.notes


@pytest.mark.parametrize("way", WAYS)
def test_a_table_that_repeats_a_name_is_refused_with_a_sentence(way, tmp_path, encoder, monkeypatch):
    def write_twice(path, columns, **fixed):
        arrays = [pa.array(values) for values in fixed.values()]
        twice = [pa.array(range(ROWS))] * 2
        pq.write_table(pa.Table.from_arrays([*arrays, *twice], [*fixed, "n", "n"]), path)

    def build():
        if way != "table":
            return built(way, tmp_path, [{}], encoder)
        write_twice(tmp_path / "t.parquet", {}, image=[picture()] * ROWS)
        return Library.build(tmp_path / "t.parquet", tmp_path / "l", encoder=encoder)

    monkeypatch.setitem(globals(), "write", write_twice)
    with pytest.raises(InputError, match=r"columns with distinct names in .*got 'n' twice"):
        build()
