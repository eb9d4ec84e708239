"""snapseek.cancellation: work that nobody waits for any more comes to its end."""

import threading
import time
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.requests import ClientDisconnect, Request

from snapseek.cancellation import OperationCancelledError, cancelled_when, check_cancelled
from snapseek.library import Library
from snapseek.library.storage import selection
from snapseek.server.workers import Workers


def test_work_is_cancelled_only_in_its_context():
    check_cancelled()
    with cancelled_when(lambda: False):
        check_cancelled()
    with cancelled_when(lambda: True), pytest.raises(OperationCancelledError):
        check_cancelled()
    check_cancelled()


def test_work_of_a_disconnected_client_stops():
    begun, ended, left = threading.Event(), threading.Event(), anyio.Event()

    def work() -> None:
        begun.set()
        try:
            for _ in range(6000):
                check_cancelled()
                time.sleep(0.01)
        finally:
            ended.set()

    async def receive() -> Any:
        await left.wait()
        return {"type": "http.disconnect"}

    async def ask(workers: Workers) -> None:
        request = Request({"type": "http", "method": "GET", "headers": []}, receive)
        with pytest.raises(ClientDisconnect):
            await workers.run(request, work)

    async def scene() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, Workers(1))
            await anyio.to_thread.run_sync(begun.wait, 60)
            left.set()

    anyio.run(scene)
    assert ended.wait(10)


def test_a_filter_stops_between_its_conditions(library: Library, monkeypatch: pytest.MonkeyPatch):
    seen = 0
    mask_of = selection.mask_of

    def counted(*arguments: Any) -> Any:
        nonlocal seen
        seen += 1
        return mask_of(*arguments)

    monkeypatch.setattr(selection, "mask_of", counted)
    where = {"any": [{"id": number} for number in range(200)]}
    with cancelled_when(lambda: seen > 50), pytest.raises(OperationCancelledError):
        library.browse(5, where=where)
    assert 50 < seen < 60
    assert len(library.browse(5, where=where)) > 0


def test_a_slow_search_of_a_disconnected_client_stops(library: Library, tmp_path: Path):
    """Over the real application: the thread is free soon after the connection is closed."""
    from snapseek.server import create_app
    from tests.support.asgi_client import LOCALHOST

    app = create_app(library)
    stopped = threading.Event()

    def slow(*_arguments: object, **_options: object) -> None:
        try:
            for _ in range(6000):
                check_cancelled()
                time.sleep(0.01)
        finally:
            stopped.set()

    async def scene() -> None:
        parts = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Any:
            if parts:
                return parts.pop()
            await anyio.sleep(0.2)
            return {"type": "http.disconnect"}

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "path": "/api/items",
            "query_string": b"",
            "headers": [LOCALHOST],
            "client": ("127.0.0.1", 1),
        }
        await app(scope, receive, send)
        assert sent[0]["status"] == 499

    library.browse = slow  # type: ignore[method-assign, assignment]
    try:
        anyio.run(scene)
    finally:
        del library.browse
    assert stopped.wait(10)
