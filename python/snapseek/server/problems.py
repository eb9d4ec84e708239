"""Failures as problem documents: `application/problem+json`, RFC 9457.

InputError            400   the request cannot be understood as given
ItemNotFoundError     404   no such picture, or its original is gone
ModelMismatchError    409   the library needs another model than the one loaded
PictureError          415   the original is there, but cannot be read as a picture
other SnapseekError   500   the sentence is sent, the traceback is logged
anything else         500   a fixed sentence is sent, the traceback is logged

A SnapseekError sends its fields, too: `code` always, `expected`, `got` and `hint` where it has them.
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
from snapseek.errors import InputError, ItemNotFoundError, ModelMismatchError, PictureError, SnapseekError
from snapseek.server.headers import SECURITY_HEADERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    Handler = Callable[[Request, Exception], Awaitable[Response]]

PROBLEM_TYPE = "application/problem+json"
CLIENT_GONE = 499  # nobody reads this answer: the browser closed the connection while it waited

_STATUS_OF = (
    (InputError, 400),
    (ItemNotFoundError, 404),
    (ModelMismatchError, 409),
    (PictureError, 415),
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


def status_of(error: SnapseekError) -> int:
    """The HTTP status that stands for this error."""
    return next((status for kind, status in _STATUS_OF if isinstance(error, kind)), 500)


def fields_of(error: SnapseekError) -> dict[str, str]:
    """Return the code of this error, and what it says was expected, was got and is to be done."""
    fields = {"code": error.code, "expected": error.expected, "got": error.got, "hint": error.hint}
    return {name: value for name, value in fields.items() if value is not None}


async def answer_snapseek_error(request: Request, error: Exception) -> Response:
    """What snapseek raised on purpose: its sentence is meant for the user."""
    assert isinstance(error, SnapseekError)
    status = status_of(error)
    if status >= 500:
        _log.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
    return problem(status, str(error), fields=fields_of(error))


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """What the router refused (no such address, no such method), or an endpoint refused itself."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = sorted(name.strip() for name in headers.pop("Allow", "GET, HEAD").split(","))
        headers["allow"] = ", ".join(allowed)
        listed = " and ".join(allowed)
        return problem(405, f"only {listed} are answered here, not {request.method[:20]}", headers)
    if error.detail == HTTPStatus.NOT_FOUND.phrase:
        return problem(
            404, "there is nothing at this address; /api/openapi.json lists what there is", headers
        )
    return problem(error.status_code, error.detail, headers)


async def answer_unexpected(_request: Request, _error: Exception) -> Response:
    """A defect of the server. Starlette raises it again after this answer, so that the log gets it.

    This answer is made outside the guard, so it brings the guard's headers itself.
    """
    return problem(500, _UNEXPECTED, SECURITY_HEADERS)


async def answer_disconnect(_request: Request, _error: Exception) -> Response:
    """The client went away: its work was dropped or stopped."""
    return Response(status_code=CLIENT_GONE)


HANDLERS: dict[type[Exception], Handler] = {
    SnapseekError: answer_snapseek_error,
    HTTPException: answer_http_exception,
    ClientDisconnect: answer_disconnect,
    OperationCancelledError: answer_disconnect,
    Exception: answer_unexpected,
}
