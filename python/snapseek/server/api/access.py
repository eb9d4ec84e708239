"""Who may change the library: this machine, or who has the access token, and only the server's own page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from snapseek.server.origin_guard import is_own_page
from snapseek.server.proxy import is_local

if TYPE_CHECKING:
    from starlette.requests import Request

    from snapseek.server.state import ServerState


def is_local_request(state: ServerState, request: Request) -> bool:
    """Return whether a request comes from this machine, from a program or from the server's own page."""
    return state.fetches and is_local(request.scope) and is_own_page(request.scope)


def may_sync(state: ServerState, request: Request) -> bool:
    """Return whether a request may start a sync or an upgrade: it is local, or has the access token."""
    return is_local_request(state, request) or (state.has_token and is_own_page(request.scope))


def check_local(state: ServerState, request: Request) -> None:
    """Raise HTTPException, 403, unless a request is local."""
    if not is_local_request(state, request):
        raise HTTPException(
            403,
            "expected a request of this machine, from this server's own page: folders, libraries and what is "
            "removed are no matter of the access token",
        )


def check_may_change(state: ServerState, request: Request) -> None:
    """Raise HTTPException unless a request may sync, and is none that a form of another page can send."""
    if not may_sync(state, request):
        raise HTTPException(
            403, "expected a request of this machine or with the access token, from this server's own page"
        )
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, f"expected the Content-Type application/json, found {kind[:40]!r}")
