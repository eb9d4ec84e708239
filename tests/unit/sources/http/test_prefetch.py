"""snapseek.sources.http.prefetch: many downloads at a time, results one by one."""

import asyncio
import threading
from pathlib import Path

import pytest

from snapseek.sources import FetchLimits, Picture
from snapseek.sources.http import prefetch as module
from snapseek.sources.http.fetch import Fetcher
from snapseek.sources.http.prefetch import fetch_all
from tests.support.loopback import Loopback, answer, silent

HERE = FetchLimits(allow_private=True, pause_s=0.01, connections=4)


@pytest.fixture
def web():
    with Loopback({f"{number}": answer(body=bytes([number]) * 1000) for number in range(100)}) as server:
        yield server


def wanted(web, numbers=range(100)):
    return [Picture(Path("/list"), f"{number}", address=web.url(f"{number}")) for number in numbers]


def test_each_comes_once_with_its_own_bytes(web):
    found = list(fetch_all(wanted(web), HERE))
    assert sorted(int(one.within) for one in found) == list(range(100))
    assert all(one.data == bytes([int(one.within)]) * 1000 for one in found)


def test_a_slow_picture_does_not_delay_others(web):
    """Respond after the other pictures."""

    async def after_others(writer, request):
        while web.request_counts.total() < 90:
            await asyncio.sleep(0.01)
        await answer(body=b"late")(writer, request)

    web.routes["0"] = after_others
    found = [one.within for one in fetch_all(wanted(web), HERE)]
    assert len(found) == 100
    assert found.index("0") > 50


def test_pictures_with_a_problem_or_without_address_pass_through(web):
    others = [Picture(Path("/list"), "a", problem="broken"), Picture(Path("/list"), "b")]
    found = {one.within: one for one in fetch_all([others[0], *wanted(web, [1]), others[1]], HERE)}
    assert (found["a"], found["b"]) == (others[0], others[1])
    assert found["1"].data == b"\1" * 1000


def test_downloads_are_bounded_by_waiting_bytes(web, monkeypatch):
    monkeypatch.setattr(module, "_MAX_WAITING_BYTES", 500)
    taken = []

    def pictures():
        for picture in wanted(web):
            taken.append(picture)
            yield picture

    arriving = fetch_all(pictures(), HERE)
    next(arriving)
    assert len(taken) <= module._PREFETCH_PER_CONNECTION * HERE.connections
    assert len(list(arriving)) == 99


def test_closing_early_stops_the_thread(web):
    web.routes["5"] = silent
    arriving = fetch_all(wanted(web), HERE)
    next(arriving)
    arriving.close()
    assert "fetch" not in {thread.name for thread in threading.enumerate()}


def test_an_unexpected_error_affects_one_picture(web, monkeypatch):
    get = Fetcher.get

    async def odd(self, url):
        if url.endswith("/7"):
            raise RuntimeError("odd\nvery odd")
        return await get(self, url)

    monkeypatch.setattr(Fetcher, "get", odd)
    found = {one.within: one for one in fetch_all(wanted(web), HERE)}
    assert found["7"].problem == "the picture cannot be fetched: odd"
    assert sum(one.data is not None for one in found.values()) == 99


def test_downloads_that_began_wait_for_memory(web, monkeypatch):
    """All requests are submitted before the first response: those without a connection wait for memory."""
    monkeypatch.setattr(module, "_MAX_WAITING_BYTES", 500)
    found = fetch_all(wanted(web, range(16)), HERE)
    next(found)
    assert web.request_counts.total() <= HERE.connections + 2
    assert len(list(found)) == 15
