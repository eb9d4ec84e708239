"""snapseek.server.workers."""

import threading
from typing import Any

import anyio
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from snapseek.server.workers import Workers


def request_of(*, gone: bool = False) -> Request:
    async def receive() -> Any:
        if gone:
            return {"type": "http.disconnect"}
        return await anyio.sleep_forever()

    return Request({"type": "http", "method": "GET", "headers": []}, receive)


def test_work_is_done_in_another_thread():
    async def scenario() -> int:
        return await Workers(1).run(request_of(), threading.get_ident)

    assert anyio.run(scenario) != threading.get_ident()


def test_an_error_of_the_work_comes_back():
    def fail() -> None:
        raise KeyError("broken")

    async def scenario() -> None:
        await Workers(1).run(request_of(), fail)

    with pytest.raises(KeyError, match="broken"):
        anyio.run(scenario)


def test_no_more_than_the_given_number_work_at_a_time():
    running, most = 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.02)
        with lock:
            running -= 1

    async def scenario() -> None:
        workers = Workers(2)
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(workers.run, request_of(), work)

    anyio.run(scenario)
    assert most == 2


def test_nothing_is_done_for_a_client_that_left_while_it_waited():
    done: list[str] = []

    async def scenario() -> None:
        await Workers(1).run(request_of(gone=True), lambda: done.append("work"))

    with pytest.raises(ClientDisconnect):
        anyio.run(scenario)
    assert done == []


def test_a_cancelled_request_keeps_its_place_until_its_thread_is_done():
    events: list[str] = []
    release = threading.Event()

    def slow() -> None:
        release.wait(5)
        events.append("slow done")

    async def scenario() -> None:
        workers = Workers(1)
        async with anyio.create_task_group() as group:
            group.start_soon(workers.run, request_of(), slow)
            await anyio.sleep(0.05)
            group.cancel_scope.cancel()
            release.set()
        await workers.run(request_of(), lambda: events.append("next done"))

    anyio.run(scenario)
    assert events == ["slow done", "next done"]


def test_no_more_than_the_given_number_wait():
    release = threading.Event()
    statuses: list[int] = []
    retry_after: list[str] = []

    async def ask(workers: Workers) -> None:
        try:
            await workers.run(request_of(), lambda: release.wait(5))
            statuses.append(200)
        except HTTPException as refused:
            statuses.append(refused.status_code)
            retry_after.append((refused.headers or {})["retry-after"])

    async def scenario() -> None:
        workers = Workers(1, most_waiting=3)
        async with anyio.create_task_group() as group:
            for _ in range(9):
                group.start_soon(ask, workers)
            await anyio.sleep(0.05)
            assert workers.waiting == 3
            release.set()
        assert workers.waiting == 0

    anyio.run(scenario)
    assert sorted(statuses) == [200] * 4 + [503] * 5
    assert retry_after == ["1"] * 5


def test_who_leaves_while_it_waits_makes_room():
    release, left = threading.Event(), anyio.Event()

    async def receive() -> Any:
        await left.wait()
        return {"type": "http.disconnect"}

    async def leave(workers: Workers) -> None:
        with pytest.raises(ClientDisconnect):
            await workers.run(Request({"type": "http", "method": "GET", "headers": []}, receive), list)

    async def scenario() -> None:
        workers = Workers(1)
        async with anyio.create_task_group() as group:
            group.start_soon(workers.run, request_of(), lambda: release.wait(5))
            await anyio.sleep(0.02)
            group.start_soon(leave, workers)
            await anyio.sleep(0.02)
            assert workers.waiting == 1
            left.set()
            await anyio.sleep(0.02)
            assert workers.waiting == 0
            release.set()
        assert await workers.run(request_of(), lambda: "next") == "next"

    anyio.run(scenario)
