"""Request bodies, read while they arrive, within bounds of bytes and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import anyio
from starlette.exceptions import HTTPException

from snapseek.server.api.bounded_json import MAX_JSON_BYTES, parse_object
from snapseek.server.origin_guard import is_from_browser

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from starlette.datastructures import Headers
    from starlette.requests import Request

    from snapseek.server.budget import Reservation
    from snapseek.server.state import ServerState

T = TypeVar("T")

MAX_BODY_BYTES = 24 * 2**20
"""A picture of 16 MB in base64, and 1 MB of JSON."""

_DEADLINE_S = 30.0
_SILENCE_S = 10.0


async def read_object(
    request: Request, state: ServerState, reservation: Reservation, convert: Callable[[dict[str, Any]], T]
) -> T:
    """Return `convert` of the JSON object in the body, parsed and converted in a thread.

    Raises as `read_body`, `parse_object` and `convert` do.
    """
    data = await read_body(request, reservation)
    if len(data) > MAX_JSON_BYTES:  # pictures, which are decoded while their base64 is still in memory
        reservation.grow(len(data) * 3 // 4)
    return await state.readers.run(request, lambda: convert(parse_object(data)))


async def read_body(request: Request, reservation: Reservation) -> bytearray:
    """Read the whole body, whose bytes are added to `reservation`.

    Raises
    ------
    HTTPException
        413 for more than `MAX_BODY_BYTES`; 408 for a body that does not arrive in 30 seconds, or of which
        nothing arrives for 10; 415 for a compressed one, and for a media type that is not JSON, where a
        browser sent it; 503 where all requests together hold too many bytes.
    """
    check_media_type(request.headers)
    _check_length(request.headers)
    data = bytearray()
    try:
        with anyio.fail_after(_DEADLINE_S):
            parts = request.stream()
            while (part := await _next_part(parts)) is not None:
                _check_size(len(data) + len(part))
                reservation.grow(len(part))
                data += part
    except TimeoutError as error:
        raise HTTPException(
            408,
            f"expected the whole body within {_DEADLINE_S:.0f} seconds, and some of it every "
            f"{_SILENCE_S:.0f}; the connection is too slow, or the body has no end",
        ) from error
    return data


def check_media_type(headers: Headers) -> None:
    """Raise HTTPException, 415, for a body that is compressed or of a type that is not read.

    A page of another origin can send `text/plain` without a preflight, so a browser has to name JSON. Other
    clients may leave the type out, as clip-retrieval's ClipClient does.
    """
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise HTTPException(
            415, f"expected a body without Content-Encoding, found {encoding[:40]!r}; send it uncompressed"
        )
    found = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = found == "application/json" or found.endswith("+json")
    if not is_json and (is_from_browser(headers) or found.startswith("multipart/")):
        raise HTTPException(
            415,
            f"expected the Content-Type application/json, found {found[:40]!r}; send one JSON object, with "
            "pictures in base64",
        )


def check_json_type(headers: Headers) -> None:
    """Raise HTTPException, 415, for a body that is not declared as JSON, as no form of a page can."""
    found = headers.get("content-type", "").partition(";")[0].strip().lower()
    if found != "application/json":
        raise HTTPException(415, f"expected the Content-Type application/json, found {found[:40]!r}")


async def _next_part(parts: AsyncGenerator[bytes]) -> bytes | None:
    """Return the next bytes of the body; None at its end."""
    with anyio.fail_after(_SILENCE_S):
        return await anext(parts, None)


def _check_length(headers: Headers) -> None:
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and len(length) < 20:
        _check_size(int(length))


def _check_size(size: int) -> None:
    if size > MAX_BODY_BYTES:
        _refuse_size()


def _refuse_size() -> NoReturn:
    raise HTTPException(
        413,
        f"expected a body of at most {MAX_BODY_BYTES // 2**20} MB, found more; send a smaller picture",
    )
