"""Micro-benchmarks of the Python interface: `make bench`."""

from itertools import count

import numpy as np
import pytest

from snapseek import Encoder, Library
from snapseek._core import FlatIndex, build_flat
from snapseek.library.paths import DEMO_PICTURES
from snapseek.library.search.terms import parse

ROWS, DIM = 50_000, 396


@pytest.fixture(scope="module")
def encoder():
    return Encoder.load()


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "s.snap"
    vectors = np.random.default_rng(0).standard_normal((ROWS, DIM)).astype(np.float32)
    build_flat(path, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    return FlatIndex.open(path)


def test_scan_exactly(benchmark, shard):
    """One query over 50,000 x 396 int8, exact (recall 1), one thread."""
    query = shard.vector(7)
    rows, _ = benchmark(shard.search, query, 60)
    assert rows[0, 0] == 7


def test_scan_one_row_in_a_hundred(benchmark, shard):
    allow = np.zeros(ROWS, bool)
    allow[::100] = True
    rows, _ = benchmark(shard.search, shard.vector(700), 60, allow=allow)
    assert rows[0, 0] == 700


def test_embed_a_query(benchmark, encoder):
    """Every query is another, as if typed for the first time."""
    numbers = count()
    assert benchmark(lambda: encoder.embed_texts([f"two dogs on a beach {next(numbers)}"])).shape == (
        1,
        encoder.dim,
    )


def test_embed_a_cached_query(benchmark, encoder):
    assert benchmark(encoder.embed_texts, ["two dogs on a beach"]).shape == (1, encoder.dim)


def test_search_the_demo(benchmark, encoder, tmp_path_factory):
    """Cached query to 60 hits with previews, over the pictures of the package."""
    library = Library.build(DEMO_PICTURES, tmp_path_factory.mktemp("bench") / "l", encoder=encoder)
    assert len(benchmark(library.search, "a dog", limit=60)) == 60


def test_parse_a_query(benchmark):
    """The example of the query language; a plain sentence costs less."""
    assert len(benchmark(parse, 'horse + stripes - "2:snow"')) == 3
