"""snapseek.server.workers."""

import threading
from collections.abc import Callable, Sequence
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


def test_calls_run_in_another_thread():
    async def scenario() -> int:
        return await Workers(1).run(request_of(), threading.get_ident)

    assert anyio.run(scenario) != threading.get_ident()


def test_an_error_of_the_call_is_raised():
    def fail() -> None:
        raise KeyError("broken")

    async def scenario() -> None:
        await Workers(1).run(request_of(), fail)

    with pytest.raises(KeyError, match="broken"):
        anyio.run(scenario)


def test_the_number_of_running_calls_is_bounded():
    running, max_running = 0, 0
    lock = threading.Lock()
    both_work = threading.Barrier(2, timeout=60)

    def work() -> None:
        nonlocal running, max_running
        with lock:
            running += 1
            max_running = max(max_running, running)
        both_work.wait()
        with lock:
            running -= 1

    async def scenario() -> None:
        workers = Workers(2)
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(workers.run, request_of(), work)

    anyio.run(scenario)
    assert max_running == 2


def test_a_call_of_a_disconnected_client_does_not_run():
    done: list[str] = []

    async def scenario() -> None:
        await Workers(1).run(request_of(gone=True), lambda: done.append("work"))

    with pytest.raises(ClientDisconnect):
        anyio.run(scenario)
    assert done == []


def test_a_cancelled_call_keeps_its_thread_busy_until_it_ends():
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


def test_the_number_of_waiting_calls_is_bounded():
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
        workers = Workers(1, max_waiting=3)
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


def test_a_call_of_a_disconnected_client_leaves_the_queue():
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


def together(
    prepare: Callable[[Sequence[Any]], None], waiting: Sequence[str | None], leaving: int | None = None
) -> list[str]:
    """Submit calls while the only thread is busy. Return the order in which they ran."""
    done: list[str] = []
    begun, release = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        release.wait(5)

    async def scenario() -> None:
        workers = Workers(1, prepare=prepare)
        scopes = [anyio.CancelScope() for _ in waiting]

        async def ask(number: int, unprepared: str | None) -> None:
            with scopes[number]:
                await workers.run(request_of(), lambda: done.append(f"{number}"), unprepared)

        async with anyio.create_task_group() as group:
            group.start_soon(workers.run, request_of(), hold)
            await anyio.to_thread.run_sync(begun.wait)
            for number, unprepared in enumerate(waiting):
                group.start_soon(ask, number, unprepared)
            while workers.waiting < len(waiting):
                await anyio.sleep(0.001)
            if leaving is not None:
                scopes[leaving].cancel()
                while workers.waiting == len(waiting):
                    await anyio.sleep(0.001)
            release.set()
        assert await workers.run(request_of(), lambda: "next") == "next"

    anyio.run(scenario)
    return done


def test_waiting_calls_are_prepared_together_and_run_in_order():
    prepared: list[list[str]] = []
    done = together(lambda batch: prepared.append(list(batch)), ["a", None, "b", "c", None])
    assert prepared == [["a", "b", "c"]]
    assert sorted(done) == ["0", "1", "2", "3", "4"]
    assert done[0] == "0"
    assert [number for number in done if number in "14"] == ["1", "4"]


def test_at_most_sixteen_calls_are_prepared_together():
    prepared: list[list[str]] = []
    names = [f"{number}" for number in range(40)]
    assert together(lambda batch: prepared.append(list(batch)), names) == names
    assert [len(batch) for batch in prepared] == [16, 16, 8]


def test_a_call_that_waits_alone_is_not_prepared():
    prepared: list[list[str]] = []
    assert together(lambda batch: prepared.append(list(batch)), [None, "a"]) == ["0", "1"]
    assert prepared == []


def test_a_call_of_a_disconnected_client_is_not_prepared():
    prepared: list[list[str]] = []
    assert together(lambda batch: prepared.append(list(batch)), ["a", "b", "c"], leaving=0) == ["1", "2"]
    assert prepared == [["b", "c"]]


def test_calls_run_if_their_preparation_fails():
    def fail(_: Sequence[Any]) -> None:
        raise KeyError("broken")

    assert together(fail, ["a", "b", "c"]) == ["0", "1", "2"]


def test_no_call_is_lost_with_many_threads():
    async def scenario() -> list[int]:
        workers, done = Workers(3, prepare=lambda _: None), []

        async def ask(number: int) -> None:
            done.append(await workers.run(request_of(), lambda: number, number if number % 3 else None))

        async with anyio.create_task_group() as group:
            for number in range(200):
                group.start_soon(ask, number)
        return done

    assert sorted(anyio.run(scenario)) == list(range(200))
