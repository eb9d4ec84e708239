"""Error responses as problem documents: `application/problem+json`, RFC 9457.

InputError            400   the request is invalid
ItemNotFoundError     404   no such picture, or its original is missing
ModelMismatchError    409   the library needs another model than the one loaded
PictureError          415   the original exists, but cannot be read as a picture
PartitionError        503   no partition of the collection answers
LibraryBusyError      503   a job writes to the library, so nothing else can
other SnapseekError   500   the response has its message, the log has the traceback
any other exception   500   the response has a fixed message, the log has the traceback

The document of a SnapseekError also has its fields: `code`, and `expected`, `got` and `hint` if they are set.
"""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from snapseek.cancellation import OperationCancelledError
from snapseek.errors import (
    InputError,
    ItemNotFoundError,
    LibraryBusyError,
    ModelMismatchError,
    PartitionError,
    PictureError,
    SnapseekError,
)
from snapseek.server.headers import SECURITY_HEADERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    Handler = Callable[[Request, Exception], Awaitable[Response]]

PROBLEM_TYPE = "application/problem+json"
CLIENT_CLOSED_REQUEST = 499  # never sent: the client has closed the connection

_STATUS_OF = (
    (InputError, 400),
    (ItemNotFoundError, 404),
    (ModelMismatchError, 409),
    (PictureError, 415),
    (PartitionError, 503),
    (LibraryBusyError, 503),
)
_UNEXPECTED = "something failed inside the server; its log has the details"

_log = logging.getLogger("snapseek.server")


def problem(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    *,
    fields: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document.

    Parameters
    ----------
    status
        4xx or 5xx.
    detail
        The message for the user.
    headers
        Further headers.
    fields
        Further members, such as those of `fields_of`.
    """
    title = HTTPStatus(status).phrase
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail, **(fields or {})}
    body = json.dumps(document, separators=(",", ":"))
    return Response(body, status, {"cache-control": "no-store", **(headers or {})}, media_type=PROBLEM_TYPE)


def rejection(
    status: int,
    headers: Mapping[str, str] | None = None,
    *,
    expected: str,
    got: str | None = None,
    hint: str | None = None,
) -> Response:
    """Return the problem document of a request that a middleware rejects.

    Parameters
    ----------
    status
        4xx.
    headers
        Further headers.
    expected, got, hint
        The fields of a `SnapseekError`.
    """
    fields = {name: text for name, text in (("expected", expected), ("got", got), ("hint", hint)) if text}
    return problem(status, str(SnapseekError(expected=expected, got=got, hint=hint)), headers, fields=fields)


def status_of(error: SnapseekError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in _STATUS_OF if isinstance(error, kind)), 500)


def fields_of(error: SnapseekError) -> dict[str, str]:
    """Return the code of an error, and those of `expected`, `got` and `hint` that it has."""
    fields = {"code": error.code, "expected": error.expected, "got": error.got, "hint": error.hint}
    return {name: value for name, value in fields.items() if value is not None}


async def answer_snapseek_error(request: Request, error: Exception) -> Response:
    """Return the response to an error that snapseek raised on purpose: its message is meant for the user."""
    assert isinstance(error, SnapseekError)
    status = status_of(error)
    if status >= 500 and not isinstance(error, LibraryBusyError):
        _log.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
    headers = {"retry-after": "5"} if isinstance(error, LibraryBusyError) else None
    return problem(status, str(error), headers, fields=fields_of(error))


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Return the response to an HTTPException of the router (404, 405), a middleware or an endpoint."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = sorted(name.strip() for name in headers.pop("Allow", "GET, HEAD").split(","))
        headers["allow"] = ", ".join(allowed)
        listed = " or ".join(allowed)
        return problem(405, f"expected the method {listed}, got {request.method[:20]}", headers)
    if error.detail == HTTPStatus.NOT_FOUND.phrase:
        return problem(
            404, "expected an address of this server; /api/openapi.json lists all of them", headers
        )
    return problem(error.status_code, error.detail, headers)


async def answer_unexpected(_request: Request, _error: Exception) -> Response:
    """Return the response to a defect of the server. Starlette then raises it again, so that it is logged.

    No middleware sees this response, so it gets the security headers here.
    """
    return problem(500, _UNEXPECTED, SECURITY_HEADERS)


async def answer_disconnect(_request: Request, _error: Exception) -> Response:
    """Return the response that ends the request of a client that has disconnected."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)


HANDLERS: dict[type[Exception], Handler] = {
    SnapseekError: answer_snapseek_error,
    HTTPException: answer_http_exception,
    ClientDisconnect: answer_disconnect,
    OperationCancelledError: answer_disconnect,
    Exception: answer_unexpected,
}
