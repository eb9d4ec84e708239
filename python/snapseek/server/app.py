"""The application: the routes of one library behind the guard, with failures answered as problems."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware

from snapseek.server.guard import LOOPBACK_HOSTS, Guard
from snapseek.server.page import BUILT_PAGE, Page
from snapseek.server.problems import HANDLERS
from snapseek.server.routes import Endpoints
from snapseek.server.security import REMOTE_PICTURE_HEADERS, SECURITY_HEADERS

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from snapseek.library import Library


def create_app(
    library: Library,
    *,
    allowed_hosts: Collection[str] | None = LOOPBACK_HOSTS,
    page_directory: Path = BUILT_PAGE,
) -> Starlette:
    """The ASGI application that shows `library`; it only reads.

    `allowed_hosts` are the names it answers to in a Host header, without ports; None answers to every name,
    which is for a server that others are meant to reach. `page_directory` holds the built page.
    """
    endpoints = Endpoints(library, Page(page_directory), own_version())
    headers = REMOTE_PICTURE_HEADERS if library.info().has_remote else SECURITY_HEADERS
    app = Starlette(
        routes=endpoints.routes(),
        middleware=[Middleware(Guard, allowed_hosts=allowed_hosts, headers=headers)],
        exception_handlers=HANDLERS,
    )
    # An address has one spelling: with a slash too many it is a 404, not a detour.
    app.router.redirect_slashes = False
    return app


def own_version() -> str:
    """The installed version of snapseek, `unknown` for a source tree that was never installed."""
    try:
        return version("snapseek")
    except PackageNotFoundError:
        return "unknown"
