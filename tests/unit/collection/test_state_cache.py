"""The newest state of a collection: looked for before it is due, and waited for only after a pause."""

import threading
import time

import numpy as np
import pytest

from snapseek.collection import Collection, create_collection, state_cache
from tests.support.partition_servers import only, partition_servers
from tests.support.partitions import pictures, write_library

ROWS = 10


@pytest.fixture
def served(tmp_path, encoder):
    vectors, columns = pictures(np.random.default_rng(3), ROWS, encoder.dim)
    library = write_library(tmp_path / "part", encoder, vectors, columns)
    with partition_servers(library) as (server,):
        create_collection(tmp_path / "c.json", [[server.address]], deadline_s=60)
        yield server, Collection.open(tmp_path / "c.json", encoder=encoder)


def test_a_search_under_load_does_not_wait_for_a_look(served, monkeypatch):
    monkeypatch.setattr(state_cache, "_MAX_WAIT_S", 60)
    server, collection = served
    is_released, has_looked = threading.Event(), threading.Event()

    def slow(_request, answer):
        has_looked.set()
        is_released.wait(60)
        return answer

    server.behave = only("describe", slow)
    cache = collection._cache
    cache._checked_s = time.monotonic() - 0.8  # sooner than a second, as between many searches
    try:
        state = cache.now()
        assert not is_released.is_set()
        assert has_looked.wait(60)
        assert cache.now() is state
    finally:
        is_released.set()


def test_a_search_after_a_pause_sees_what_has_changed(served, tmp_path, monkeypatch):
    monkeypatch.setattr(state_cache, "_MAX_WAIT_S", 60)
    _, collection = served
    manifest = tmp_path / "c.json"
    manifest.write_text(manifest.read_text().replace('"name": "library"', '"name": "renamed"'))
    cache = collection._cache
    cache._checked_s = time.monotonic() - 2
    assert [entry.name for entry in cache.now().manifest.partitions] == ["renamed"]
