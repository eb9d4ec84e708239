"""`snapseek._core` against the NumPy oracle in `support/reference.py`, and against everything that could go
wrong."""

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import snapseek._core as core
from snapseek._core import FlatIndex, build_flat
from snapseek.errors import FormatError, InputError, StorageError
from tests.support import reference

FORMAT_PAGE = Path(__file__).parents[2] / "docs" / "FORMAT.md"


def unit_rows(n: int, dim: int, seed: int = 0) -> reference.F32:
    """Random unit rows, (n, dim) float32."""
    rows = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    unit: reference.F32 = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def write(path: Path, vectors: reference.F32) -> FlatIndex:
    build_flat(path, vectors)
    return FlatIndex.open(path)


@pytest.fixture
def shard(tmp_path: Path) -> FlatIndex:
    """300 rows of 37 dimensions."""
    return write(tmp_path / "a.snap", unit_rows(300, 37))


@st.composite
def vectors_and_queries(draw: st.DrawFn) -> tuple[reference.F32, reference.F32]:
    dim = draw(st.integers(1, 70))
    # Products stay in the range of float32; tests/unit/vectors/test_vector_scale.py goes beyond it.
    floats = st.floats(-8, 8, width=32).map(lambda value: value if abs(value) > 1e-15 else 0.0)
    values = floats | st.sampled_from([0.0, 1.0, -1.0, 1e-14, 3e14, -3e14])
    rows = draw(hnp.arrays(np.float32, (draw(st.integers(0, 40)), dim), elements=values))
    queries = draw(hnp.arrays(np.float32, (draw(st.integers(0, 20)), dim), elements=values))
    return rows, queries


# --- agreement with the oracle


@settings(deadline=None)
@given(pair=vectors_and_queries(), k=st.integers(0, 50), data=st.data())
def test_search_agrees_with_the_oracle(
    pair: tuple[reference.F32, reference.F32],
    k: int,
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    vectors, queries = pair
    allow = data.draw(st.none() | hnp.arrays(np.bool_, len(vectors)))
    shard = write(tmp_path_factory.mktemp("shard") / "a.snap", vectors)
    with np.errstate(over="ignore"):
        expected_rows, expected_scores = reference.search(vectors, queries, k, allow)
    rows, scores = shard.search(queries, k, allow=allow)
    np.testing.assert_array_equal(rows, expected_rows)
    limited = np.clip(expected_scores, -1, 1)  # of unit vectors
    is_rounding = (np.abs(expected_scores) < 1.01) & (scores == limited)
    np.testing.assert_array_equal(np.where(is_rounding, scores, expected_scores), scores)
    assert (rows.dtype, scores.dtype) == (np.dtype(np.int64), np.dtype(np.float32))


@pytest.mark.parametrize("dim", [1, 15, 16, 17, 396, 512, 513, 768, 1152, 4096])
def test_dimensions_of_real_models(tmp_path: Path, dim: int) -> None:
    vectors, queries = unit_rows(331, dim, 1), unit_rows(21, dim, 2)
    shard = write(tmp_path / "a.snap", vectors)
    assert (shard.rows, shard.dim) == (331, dim)
    rows, scores = shard.search(queries, 40)
    expected_rows, expected_scores = reference.search(vectors, queries, 40)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(scores, expected_scores)


def test_scores_are_close_to_the_inner_products(tmp_path: Path) -> None:
    vectors, query = unit_rows(500, 512, 3), unit_rows(1, 512, 4)
    rows, scores = write(tmp_path / "a.snap", vectors).search(query, 500)
    exact = (vectors @ query[0])[rows[0]]
    # Independent rounding errors of up to half a scale: 6 standard deviations of their sum.
    scale = np.abs(vectors).max() / reference.ROW_LIMIT
    assert np.abs(scores[0] - exact).max() < 6 * scale / np.sqrt(12)


def test_vector_returns_the_vector_of_the_oracle(tmp_path: Path) -> None:
    vectors = unit_rows(5, 21)
    shard = write(tmp_path / "a.snap", vectors)
    stored = np.stack([shard.vector(row) for row in range(5)])
    np.testing.assert_array_equal(stored, reference.decode(*reference.encode(vectors, reference.ROW_LIMIT)))


def test_results_for_k_are_a_prefix_of_results_for_more(tmp_path: Path) -> None:
    # Seven different rows, so most scores are tied.
    vectors = np.tile(unit_rows(7, 20), (60, 1))
    shard = write(tmp_path / "a.snap", vectors)
    all_rows, all_scores = shard.search(vectors[3], 420)
    for k in (0, 1, 2, 59, 60, 61, 300):
        rows, scores = shard.search(vectors[3], k)
        np.testing.assert_array_equal(rows, all_rows[:, :k])
        np.testing.assert_array_equal(scores, all_scores[:, :k])
    assert all_rows[0, :3].tolist() == [3, 10, 17]


# --- shapes


def test_one_query_may_be_flat(shard: FlatIndex) -> None:
    query = unit_rows(1, 37, 9)
    flat, rows = shard.search(query[0], 5), shard.search(query, 5)
    assert flat[0].shape == flat[1].shape == (1, 5)
    np.testing.assert_array_equal(flat[0], rows[0])


@pytest.mark.parametrize(("q", "k", "shape"), [(0, 5, (0, 5)), (3, 0, (3, 0)), (2, 10**12, (2, 300))])
def test_empty_and_oversized_requests(shard: FlatIndex, q: int, k: int, shape: tuple[int, int]) -> None:
    rows, scores = shard.search(np.ones((q, 37), np.float32), k)
    assert rows.shape == scores.shape == shape


def test_a_shard_may_have_no_rows(tmp_path: Path) -> None:
    shard = write(tmp_path / "a.snap", np.zeros((0, 8), np.float32))
    shard.verify()
    assert shard.search(np.ones((2, 8), np.float32), 5)[0].shape == (2, 0)
    with pytest.raises(InputError, match="no row 0"):
        shard.vector(0)


@pytest.mark.parametrize("kept", [0, 1, 150, 300])
def test_allow_keeps_exactly_the_allowed_rows(shard: FlatIndex, kept: int) -> None:
    allow = np.zeros(300, np.bool_)
    allow[np.random.default_rng(kept).permutation(300)[:kept]] = True
    rows, _ = shard.search(np.ones(37, np.float32), 300, allow=allow)
    assert sorted(rows[0].tolist()) == np.flatnonzero(allow).tolist()


def test_any_memory_layout_is_read(tmp_path: Path) -> None:
    vectors = unit_rows(40, 6)
    wide = np.zeros((80, 12), np.float32)
    wide[::2, ::2] = vectors
    frozen = vectors.copy()
    frozen.flags.writeable = False
    unaligned = np.frombuffer(b"x" + vectors.tobytes(), np.uint8)[1:].view(np.float32).reshape(40, 6)
    layouts = [np.asfortranarray(vectors), wide[::2, ::2], vectors[::-1][::-1], frozen, unaligned]
    expected = write(tmp_path / "a.snap", vectors).search(vectors, 9)
    for number, layout in enumerate(layouts):
        shard = write(tmp_path / f"{number}.snap", layout)
        for queries in layouts:
            rows, scores = shard.search(queries, 9)
            np.testing.assert_array_equal(rows, expected[0])
            np.testing.assert_array_equal(scores, expected[1])


def test_allow_may_be_strided_or_hold_odd_bytes(shard: FlatIndex) -> None:
    odd = (np.arange(600) % 3).astype(np.uint8).view(np.bool_)
    rows, _ = shard.search(np.ones(37, np.float32), 300, allow=odd[::2])
    assert sorted(rows[0].tolist()) == np.flatnonzero(odd[::2].view(np.uint8)).tolist()


def test_a_prepared_bitmap_finds_what_its_flags_find(shard: FlatIndex) -> None:
    for share in (0.01, 0.3, 1.0):
        flags = np.random.default_rng(3).random(300) < share
        prepared = FlatIndex.filter(flags)
        assert prepared.allowed == flags.sum()
        for queries in (np.ones(37, np.float32), unit_rows(20, 37)):
            by_flags, by_bitmap = (shard.search(queries, 300, allow=allow) for allow in (flags, prepared))
            np.testing.assert_array_equal(by_flags[0], by_bitmap[0])
            np.testing.assert_array_equal(by_flags[1], by_bitmap[1])
    with pytest.raises(InputError, match="each of the 300 rows, it holds 299"):
        shard.search(np.ones(37, np.float32), 5, allow=FlatIndex.filter(flags[:299]))


# --- bad input, by name

BAD_VECTORS: dict[str, tuple[Any, str]] = {
    "float64": (np.ones((1, 37)), "array of float64"),
    "float16": (np.ones((1, 37), np.float16), "numpy.float32"),
    "byte-swapped": (np.ones((1, 37), ">f4"), "array of >f4"),
    "integers": (np.ones((1, 37), np.int64), "array of int64"),
    "objects": (np.full((1, 37), None), "array of object"),
    "a list": ([[1.0] * 37], "class 'list'"),
    "None": (None, "NoneType"),
    "narrow": (np.ones((1, 36), np.float32), "expected vectors of 37 dimensions, got 36"),
    "wide": (np.ones((1, 38), np.float32), "got 38"),
    "zero wide": (np.ones((3, 0), np.float32), "these have 0"),
    "cubic": (np.ones((1, 1, 37), np.float32), r"shape \[1, 1, 37\]"),
    "scalar": (np.array(1, np.float32), r"shape \[\]"),
    "NaN": (np.full((1, 37), np.nan, np.float32), "found NaN at row 0, column 0"),
    "infinity": (np.full((1, 37), -np.inf, np.float32), "found -inf"),
}


@pytest.mark.parametrize("name", BAD_VECTORS)
def test_bad_queries_are_refused(shard: FlatIndex, name: str) -> None:
    queries, message = BAD_VECTORS[name]
    with pytest.raises(InputError, match=message):
        shard.search(queries, 5)


@pytest.mark.parametrize("name", [*sorted(set(BAD_VECTORS) - {"float16", "narrow", "wide"}), "flat"])
def test_bad_vectors_are_refused_and_leave_no_file(tmp_path: Path, name: str) -> None:
    vectors, message = BAD_VECTORS.get(name, (np.ones(37, np.float32), r"shape \[37\]"))
    with pytest.raises(InputError, match=message):
        build_flat(tmp_path / "a.snap", vectors)
    assert not list(tmp_path.iterdir())


def test_the_place_of_a_bad_value_is_named(tmp_path: Path) -> None:
    vectors = np.ones((50, 4), np.float32)
    vectors[41, 2] = np.inf
    with pytest.raises(InputError, match="row 41, column 2"):
        build_flat(tmp_path / "a.snap", vectors)


BAD_ALLOW: dict[str, tuple[Any, str]] = {
    "short": (np.ones(299, np.bool_), "each of the 300 rows, it holds 299"),
    "long": (np.ones(301, np.bool_), "it holds 301"),
    "square": (np.ones((300, 1), np.bool_), r"shape \[300, 1\]"),
    "bytes": (np.ones(300, np.uint8), "numpy.bool"),
    "row numbers": (np.arange(300), "array of int64"),
    "a list": ([True] * 300, "class 'list'"),
}


@pytest.mark.parametrize("name", BAD_ALLOW)
def test_bad_filters_are_refused(shard: FlatIndex, name: str) -> None:
    allow, message = BAD_ALLOW[name]
    with pytest.raises(InputError, match=message):
        shard.search(np.ones(37, np.float32), 5, allow=allow)


@pytest.mark.parametrize("number", [-1, 2**70, 1.5, "5", None])
def test_bad_numbers_are_refused(shard: FlatIndex, number: Any) -> None:
    with pytest.raises(InputError, match=f"k must be a whole number, 0 or more, got {number!r}"):
        shard.search(np.ones(37, np.float32), number)
    with pytest.raises(InputError, match="row must be a whole number"):
        shard.vector(number)


@pytest.mark.parametrize("dim", [0, 4097])
def test_impossible_dimensions_are_refused(tmp_path: Path, dim: int) -> None:
    with pytest.raises(InputError, match="1 to 4096 dimensions"):
        build_flat(tmp_path / "a.snap", np.zeros((1, dim), np.float32))
    assert not list(tmp_path.iterdir())


def test_rows_past_the_end_are_refused(shard: FlatIndex) -> None:
    with pytest.raises(InputError, match="300 rows, so there is no row 300"):
        shard.vector(300)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    for path in (tmp_path / "none.snap", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(StorageError, match="could not open"):
            FlatIndex.open(path)
    with pytest.raises(StorageError, match="could not create"):
        build_flat(tmp_path / "none" / "a.snap", unit_rows(1, 2))
    with pytest.raises(InputError, match="add a file name"):
        build_flat("/", unit_rows(1, 2))
    with pytest.raises(TypeError):
        FlatIndex.open(3)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a named pipe")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="not a regular file"):
        FlatIndex.open(tmp_path / "pipe")


# --- the file


def test_a_file_is_what_the_format_page_says(tmp_path: Path) -> None:
    # 1100 rows of 1008 codes: the codes are longer than 1 MiB, so they have two chunks.
    vectors = unit_rows(1100, 1000, 5)
    write(tmp_path / "a.snap", vectors)
    data = (tmp_path / "a.snap").read_bytes()
    header, entry = reference.format_tables(FORMAT_PAGE)
    fields = {field.name: field.read(data) for field in header}
    assert fields == {
        "magic": b"\x89SNAP\r\n\x1a",
        "version": 1,
        "header_bytes": 52 + 32 * 3,
        "kind": 1,
        "section_count": 3,
        "rows": 1100,
        "dim": 1000,
        "reserved": 0,
        "file_bytes": len(data),
    }
    table_end = 48 + 32 * 3
    assert int.from_bytes(data[table_end : table_end + 4], "little") == reference.crc32c(data[:table_end])
    end, sections = table_end + 4, {}
    for start in range(48, table_end, 32):
        line = {field.name: field.read(data[start : start + 32]) for field in entry}
        assert line["offset"] == -(-end // 64) * 64
        assert not any(data[end : line["offset"]])
        end = line["offset"] + line["size"]
        section = data[line["offset"] : end]
        assert line["crc"] == reference.crc32c(section)
        sections[line["tag"].rstrip(b"\0").decode()] = section
    assert end == len(data)
    codes, scales = reference.encode(vectors, reference.ROW_LIMIT)
    padded = np.zeros((1100, 1008), np.int8)
    padded[:, :1000] = codes
    assert sections["codes"] == padded.tobytes()
    assert sections["scales"] == scales.tobytes()
    parts = [padded.tobytes()[: 1 << 20], padded.tobytes()[1 << 20 :]]
    assert sections["chunks"] == b"".join(reference.crc32c(part).to_bytes(4, "little") for part in parts)


def test_the_oracle_knows_the_checksum() -> None:
    assert reference.crc32c(b"123456789") == 0xE3069283


def test_damage_is_found_and_placed(tmp_path: Path) -> None:
    path = tmp_path / "a.snap"
    write(path, unit_rows(3000, 512))
    data = bytearray(path.read_bytes())
    data[192 + (1 << 20) + 7] ^= 4
    path.write_bytes(data)
    damaged = FlatIndex.open(path)
    with pytest.raises(
        FormatError, match=r"a\.snap cannot be read as an index: the chunk at byte 1048576 of section codes"
    ):
        damaged.verify()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated"),
        (b"\x89SNAP\r\n\x1a", "truncated"),
        (b"PK\x03\x04" + bytes(100), "does not begin"),
        (b"\x89SNAP\n\x1a" + bytes(100), "does not begin"),
        (b"\x89SNAP\r\n\x1a" + b"\xff" * 200, "header must be"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.snap").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        FlatIndex.open(tmp_path / "a.snap")


def test_a_newer_version_is_not_reported_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.snap"
    write(path, unit_rows(3, 4))
    data = bytearray(path.read_bytes())
    data[8] = 2
    path.write_bytes(data)
    with pytest.raises(FormatError, match="header has checksum"):
        FlatIndex.open(path)
    data[144:148] = reference.crc32c(bytes(data[:144])).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"format version 2 .* install a newer snapseek"):
        FlatIndex.open(path)


# --- all or nothing


def test_an_open_shard_outlives_its_replacement(tmp_path: Path) -> None:
    old = write(tmp_path / "a.snap", unit_rows(10, 8, 1))
    before = old.search(np.ones(8, np.float32), 10)
    new = write(tmp_path / "a.snap", unit_rows(20, 8, 2))
    assert (old.rows, new.rows) == (10, 20)
    np.testing.assert_array_equal(old.search(np.ones(8, np.float32), 10), before)


FULL_DISK = """
    import resource, sys
    import numpy as np
    from snapseek._core import build_flat
    from snapseek.errors import StorageError

    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
    try:
        build_flat(sys.argv[1], np.ones((1000 * int(sys.argv[2]), 512), np.float32))
    except StorageError as error:
        print("refused:", error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("batches", [6, 20])
def test_a_full_disk_leaves_nothing(tmp_path: Path, batches: int) -> None:
    # 6 batches meet the limit in the last section, 20 while rows are written.
    script = textwrap.dedent(FULL_DISK)
    command = [sys.executable, "-c", script, str(tmp_path / "a.snap"), str(batches)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert "refused: could not write" in done.stdout
    assert not list(tmp_path.iterdir())


# --- threads


def test_many_threads_search_one_shard(tmp_path: Path) -> None:
    vectors = unit_rows(2000, 64)
    shard = write(tmp_path / "a.snap", vectors)
    found: dict[int, Any] = {}

    def search(first: int) -> None:
        found[first] = shard.search(vectors[first : first + 50], 7)[0]

    threads = [threading.Thread(target=search, args=(first,)) for first in range(0, 2000, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected, _ = reference.search(vectors, vectors, 7)
    np.testing.assert_array_equal(np.concatenate([found[first] for first in sorted(found)]), expected)


STOP_A_CALL = """
    import signal, sys, time
    import numpy as np
    from snapseek import VectorIndex

    path, expression = sys.argv[1:]
    call = eval("lambda: " + expression)
    index = VectorIndex.open(path)
    many = np.ones((20_000_000 // index.dim, index.dim), np.float32)
    rows = np.zeros(10_000_000, np.int64)
    raised = 0.0

    def interrupt(number, frame):
        global raised
        raised = time.monotonic()
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    sent = time.monotonic() + 0.3
    try:
        while True:
            call()
    except KeyboardInterrupt:
        print(raised - sent, time.monotonic() - raised)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a timer signal")
@pytest.mark.parametrize(
    ("kind", "call"),
    [
        ("flat", "index.search(many)"),
        ("flat", "index._core.search(many, 10)"),
        ("ivf", "index.search(many)"),
        ("ivf", "index.search(many, exact=True)"),
        ("ivf", "index.search(many, allow=rows)"),
        ("ivf", "index.vectors(rows)"),
    ],
)
def test_ctrl_c_stops_a_long_call_within_a_second(tmp_path: Path, kind: str, call: str) -> None:
    vectors = unit_rows(100_000 if kind == "flat" else 4000, 16)
    if kind == "flat":
        core.build_flat(tmp_path / "a.snap", vectors)
    else:
        core.build_ivf(tmp_path / "a.snap", vectors, nlist=40)
    command = [sys.executable, "-c", textwrap.dedent(STOP_A_CALL), str(tmp_path / "a.snap"), call]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    until_raised, until_stopped = map(float, done.stdout.split())
    assert until_raised < 1.0, "the handler ran late"
    assert until_stopped < 1.0, "the call went on after its handler had raised"


STOP_A_BUILD = """
    import signal, sys, time
    import numpy as np
    from snapseek import _core

    path, stage = sys.argv[1:]
    vectors = np.random.default_rng(0).standard_normal((12_000, 2048), np.float32)
    sent = 0.0

    def interrupt(number, frame):
        raise KeyboardInterrupt

    def send(name, share):
        global sent
        if name == stage and not sent:
            sent = time.monotonic() + 0.02
            signal.setitimer(signal.ITIMER_REAL, 0.02)

    signal.signal(signal.SIGALRM, interrupt)
    try:
        _core.build_ivf(path, vectors, nlist=100, refine="tcq2", threads=2, progress=send)
    except KeyboardInterrupt:
        print(time.monotonic() - sent)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a timer signal")
@pytest.mark.parametrize("stage", ["lists", "assign", "codes"])
def test_ctrl_c_ends_a_build_within_a_second(tmp_path: Path, stage: str) -> None:
    """Pieces of work of 2048 dimensions take seconds, so workers must check inside them."""
    command = [sys.executable, "-c", textwrap.dedent(STOP_A_BUILD), str(tmp_path / "a.snap"), stage]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert float(done.stdout) < 1.0
    assert list(tmp_path.iterdir()) == []


def test_the_kernel_and_the_version_are_named(shard: FlatIndex) -> None:
    assert shard.kernel in {"avx512", "avx2", "neon", "scalar"}
    manifest = (FORMAT_PAGE.parent.parent / "Cargo.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{core.__version__}"\n' in manifest
