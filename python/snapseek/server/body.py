"""Bodies of requests: read while they arrive, no further than a bound, and taken as one JSON object."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

import anyio
from starlette.exceptions import HTTPException

from snapseek.errors import InputError

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BODY_BYTES = 24 * 2**20
"""A picture of 16 MB in base64, and room for the rest."""

_DEADLINE_S = 30.0


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object in the body, whatever its media type says.

    Raises InputError when it is none; HTTPException: 413 for more than `MAX_BODY_BYTES`, 408 for a body that
    does not come to its end in 30 seconds.
    """
    try:
        with anyio.fail_after(_DEADLINE_S):
            data = await _read(request)
    except TimeoutError as error:
        raise HTTPException(408, f"the body did not arrive within {_DEADLINE_S:.0f} seconds") from error
    return parse_object(data)


def parse_object(data: bytes) -> dict[str, Any]:
    """The object that a JSON text is. Raises InputError."""
    try:
        found = json.loads(data, parse_constant=_refuse_constant)
        if b"\\u" in data:  # an escape may name half a character, which no model can read
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError as error:
        raise InputError("expected a JSON object in the body, found one nested too deeply") from error
    except ValueError as error:  # also bytes that are no text, and numbers of thousands of digits
        raise InputError(f"expected a JSON object in the body, found {_reason(error)}") from error
    if not isinstance(found, dict):
        raise InputError(f"expected a JSON object in the body, found {_kind(found)}")
    return found


async def _read(request: Request) -> bytes:
    told = request.headers.get("content-length", "")
    if told.isascii() and told.isdigit() and len(told) < 20 and int(told) > MAX_BODY_BYTES:
        _refuse_size()
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_BODY_BYTES:
            _refuse_size()
    return bytes(data)


def _refuse_size() -> NoReturn:
    raise HTTPException(413, f"a body may have {MAX_BODY_BYTES // 2**20} MB at most; send a smaller picture")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name}, which is no JSON")


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"something else at character {error.pos + 1}: {error.msg}"
    if isinstance(error, UnicodeEncodeError):
        return "half a character, a surrogate without its other half"
    return "bytes that are no text" if isinstance(error, UnicodeError) else str(error)


def _kind(found: object) -> str:
    names = {list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(found), "a number")
