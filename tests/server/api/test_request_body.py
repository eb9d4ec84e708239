"""snapseek.server.api.request_body."""

import time
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from snapseek.server.api import request_body
from snapseek.server.api.request_body import MAX_BODY_BYTES, read_object
from snapseek.server.budget import ByteBudget
from snapseek.server.workers import Workers


def request_of(parts: list[bytes], *, stalls: bool = False, **headers: str) -> Request:
    async def receive() -> Any:
        if not parts:
            await anyio.sleep_forever()
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts) or stalls}

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": pairs}, receive)


def read(request: Request, budget: ByteBudget | None = None) -> dict[str, Any]:
    service: Any = SimpleNamespace(readers=Workers(1))
    budget = budget or ByteBudget()

    async def scene() -> dict[str, Any]:
        with budget.reserve() as reservation:
            return await read_object(request, service, reservation, dict)

    try:
        return anyio.run(scene)
    finally:
        assert budget.used == 0


def refusal(request: Request, budget: ByteBudget | None = None) -> int:
    with pytest.raises(HTTPException) as refused:
        read(request, budget)
    return refused.value.status_code


def test_an_object_is_read_whatever_parts_it_comes_in():
    assert read(request_of([b'{"a":', b"", b" [1, ", b'"\xc3\xa4"]}'])) == {"a": [1, "ä"]}


def test_a_body_that_says_that_it_is_too_large_is_not_read():
    parts = [b"{}"]
    assert refusal(request_of(parts, content_length=str(MAX_BODY_BYTES + 1))) == 413
    assert parts == [b"{}"]


def test_a_body_that_is_too_large_is_read_no_further(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(request_body, "MAX_BODY_BYTES", 100)
    parts = [b" " * 60, b" " * 60, b"{}"]
    assert refusal(request_of(parts)) == 413
    assert parts == [b"{}"]


@pytest.mark.parametrize("name", ["_DEADLINE_S", "_SILENCE_S"])
def test_a_body_that_does_not_come_to_its_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setattr(request_body, name, 0.05)
    began = time.monotonic()
    assert refusal(request_of([b"{"], stalls=True)) == 408
    assert time.monotonic() - began < 5


def test_all_bodies_together_have_a_bound():
    budget = ByteBudget(limit=100_000, reserved=0)
    with budget.reserve() as other:
        other.grow(99_990)
        assert read(request_of([b'{"a": 1}']), ByteBudget(limit=8, reserved=0)) == {"a": 1}
        with pytest.raises(HTTPException) as refused, budget.reserve() as reservation:
            reservation.grow(11)
    assert (refused.value.status_code, (refused.value.headers or {})["retry-after"]) == (503, "2")
    assert refusal(request_of([b'{"a": 1}']), ByteBudget(limit=7, reserved=0)) == 503


@pytest.mark.parametrize(
    "headers",
    [
        {"content_encoding": "gzip"},
        {"content_encoding": "br, gzip"},
        {"content_type": "multipart/form-data; boundary=x"},
        {"origin": "http://localhost"},
        {"origin": "http://localhost", "content_type": "text/plain"},
        {"sec_fetch_site": "same-origin", "content_type": "application/x-www-form-urlencoded"},
        {"sec_fetch_site": "none", "content_type": "text/plain;application/json"},
    ],
)
def test_a_body_of_another_type_is_not_read(headers: dict[str, str]):
    parts = [b"{}"]
    assert refusal(request_of(parts, **headers)) == 415
    assert parts == [b"{}"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_encoding": "identity"},
        {"origin": "http://localhost", "content_type": "Application/JSON; charset=utf-8"},
        {"sec_fetch_site": "same-origin", "content_type": "application/json"},
    ],
)
def test_programs_need_no_type_and_browsers_name_json(headers: dict[str, str]):
    assert read(request_of([b"{}"], **headers)) == {}
