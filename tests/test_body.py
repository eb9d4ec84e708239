"""snapseek.server.body."""

import time
from typing import Any

import anyio
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from snapseek.errors import InputError
from snapseek.server import body
from snapseek.server.body import MAX_BODY_BYTES, parse_object, read_object


def request_of(parts: list[bytes], *, told: bytes | None = None, stalls: bool = False) -> Request:
    async def receive() -> Any:
        if not parts and stalls:
            await anyio.sleep_forever()
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts) or stalls}

    headers = [] if told is None else [(b"content-length", told)]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def read(request: Request) -> dict[str, Any]:
    return anyio.run(read_object, request)


def test_an_object_is_read_whatever_parts_it_comes_in():
    assert read(request_of([b'{"a":', b" [1, ", b'"\xc3\xa4"]}'])) == {"a": [1, "ä"]}


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "something else at character 1"),
        (b"[1]", "a list"),
        (b"null", "null"),
        (b"true", "true or false"),
        (b"7", "a number"),
        (b'"a"', "a string"),
        (b'{"a": NaN}', "NaN, which is no JSON"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "limit"),
        (b"\xff\xfe\xfd", "bytes that are no text"),
        (b'{"a": ' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_object_is_refused(data: bytes, found: str):
    with pytest.raises(InputError, match=f"expected a JSON object in the body, found .*{found}"):
        parse_object(data)


def test_a_body_that_says_that_it_is_too_large_is_not_read():
    parts = [b"{}"]
    with pytest.raises(HTTPException) as refused:
        read(request_of(parts, told=str(MAX_BODY_BYTES + 1).encode()))
    assert (refused.value.status_code, parts) == (413, [b"{}"])


def test_a_body_that_is_too_large_is_read_no_further(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(body, "MAX_BODY_BYTES", 100)
    parts = [b" " * 60, b" " * 60, b"{}"]
    with pytest.raises(HTTPException) as refused:
        read(request_of(parts))
    assert (refused.value.status_code, parts) == (413, [b"{}"])


def test_a_body_that_does_not_come_to_its_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(body, "_DEADLINE_S", 0.05)
    began = time.monotonic()
    with pytest.raises(HTTPException) as refused:
        read(request_of([b"{"], stalls=True))
    assert refused.value.status_code == 408
    assert time.monotonic() - began < 5
