"""Records that come with a ranking: enough of them for most pages, and a second round for the rest."""

import numpy as np
import pytest

from snapseek.collection import Collection, create_collection, partition_ranker
from snapseek.collection.partition_ranker import early_count
from snapseek.collection.partition_state import MAX_EARLY
from tests.support.partition_servers import only, partition_servers, with_arrays
from tests.support.partitions import pictures, split_columns, write_library

PARTS = 2
ROWS = 40
LIMIT = 10


@pytest.mark.parametrize(("limit", "parts"), [(60, 4), (60, 8), (60, 64), (20, 64), (60, 1000), (1, 4)])
def test_few_pages_need_a_second_round(limit, parts):
    count = early_count(limit, parts)
    rng = np.random.default_rng(0)
    owners = rng.multinomial(limit, [1 / parts] * parts, size=2000)
    needed = (owners > count).any(axis=1).mean()
    assert needed <= 0.07, "a twentieth, and the error of the sample"
    assert count < limit or limit == 1


def test_a_partition_sends_no_more_than_it_may():
    assert early_count(10_000, 4) == MAX_EARLY


@pytest.fixture
def served(tmp_path, encoder, monkeypatch):
    """Two servers that send records with their rankings, and their collection."""
    monkeypatch.setattr(partition_ranker, "_MIN_EARLY_PARTITIONS", 1)
    vectors, columns = pictures(np.random.default_rng(3), ROWS, encoder.dim)
    libraries = []
    for part in range(PARTS):
        rows = range(part, ROWS, PARTS)
        own = split_columns(columns, rows)
        libraries.append(write_library(tmp_path / str(part), encoder, vectors[rows], own))
    with partition_servers(*libraries) as servers:
        create_collection(tmp_path / "c.json", [[server.address] for server in servers], deadline_s=5)
        yield servers, Collection.open(tmp_path / "c.json", encoder=encoder)


def test_one_round_is_enough_for_a_page(served):
    servers, collection = served
    assert len(collection.search("red gate", LIMIT)) == LIMIT
    for server in servers:
        assert server.operations.count("rank") == 1
        assert "records" not in server.operations


@pytest.mark.parametrize("name", ["records", "record_ends", "previews", "ends"])
def test_records_that_cannot_be_read_are_requested_again(name, served):
    servers, collection = served
    expected = list(collection.search("red gate", LIMIT))
    servers[1].behave = only("rank", with_arrays(**{name: np.zeros(1, np.int64)}))
    found = collection.search("red gate", LIMIT)
    assert list(found) == expected
    assert found.partitions.missing == ()
    assert "records" in servers[1].operations
