"""Hostile bodies and silent connections against a real server: the short form of `make hostile-requests`."""

import sys
from collections.abc import Iterator

import pytest

from snapseek.library import Library

if sys.platform != "linux":
    pytest.skip("needs addresses of the loopback beyond 127.0.0.1, and /proc", allow_module_level=True)

from benches import hostile_load
from benches.hostile_kinds import KINDS
from benches.million_library import memory_mb

KEPT_MB = 250
"""Freed memory that the C library keeps, and the picture model, which is loaded with the first picture."""

QUICK = (
    "24 MB of empty filters",
    "24 MB of escapes",
    "24 MB of base64",
    "a picture of 16 MB",
    "1 MB of",
    "a page elsewhere",
    "a gzip",
    "256 conditions",
)


@pytest.fixture
def server(library: Library) -> Iterator[tuple[int, int]]:
    with hostile_load.served_library(library.info().path) as (port, pid):
        yield port, pid


def test_hostile_bodies_are_refused_while_others_are_answered(
    server: tuple[int, int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hostile_load, "IDLE_S", 0.2)
    port, pid = server
    before = memory_mb(pid)[1]
    kinds = [kind for kind in KINDS if kind.name.startswith(QUICK)]
    assert len(kinds) > 10
    health, wrong = hostile_load.run_bodies(port, pid, kinds, unfinished=0)
    assert wrong == []
    assert len(health.times_ms) > 10
    assert max(health.times_ms) < 10_000  # seconds, on a machine that is busy with other tests
    assert memory_mb(pid)[1] - before < KEPT_MB


def test_silent_connections_do_not_reset_others(server: tuple[int, int]):
    seen = hostile_load.run_connections(server[0], 4, honest=40, silent=1100)
    assert seen["reset"] == 0
    assert seen["served to the end"] == 40
    assert set(seen) == {"200", "served to the end"}
