"""The application: the routes of one library behind the guard, with failures answered as problems."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from snapseek.server.auth import Access
from snapseek.server.backpressure import Backpressure
from snapseek.server.headers import REMOTE_PICTURE_HEADERS, SECURITY_HEADERS
from snapseek.server.host_guard import LOOPBACK_HOSTS, HostGuard
from snapseek.server.metrics import Measured, Metrics
from snapseek.server.origin import OriginGuard
from snapseek.server.page import BUILT_PAGE, Page
from snapseek.server.problems import HANDLERS
from snapseek.server.rate_limit import RateLimiter
from snapseek.server.routes import routes
from snapseek.server.state import ServerState

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from snapseek.library import Library

_GZIP_FROM_BYTES = 1024
_GZIP_LEVEL = 4  # previews do not shrink any more; what is around them does at any level


def create_app(
    library: Library,
    *,
    allowed_hosts: Collection[str] | None = LOOPBACK_HOSTS,
    page_directory: Path = BUILT_PAGE,
    token: str | None = None,
    allowed_origins: Collection[str] = (),
) -> Starlette:
    """The ASGI application that shows `library`; it only reads.

    `allowed_hosts` are the names it answers to in a Host header, without ports; None answers to every name,
    which is for a server that others are meant to reach. Then answers are compressed, a client may not ask
    too often, and no picture is fetched from a url for anybody. `page_directory` holds the built page. With a
    `token` only who has it is answered. Pages of `allowed_origins`, such as `https://example.org`, may ask
    too.
    """
    is_local = allowed_hosts is not None
    service = ServerState(library, own_version(), fetches=is_local)
    metrics = Metrics()
    headers = REMOTE_PICTURE_HEADERS if library.info().has_remote else SECURITY_HEADERS
    doors = [
        Middleware(Backpressure, budget=service.budget),
        Middleware(Measured, metrics=metrics),
        Middleware(HostGuard, allowed_hosts=allowed_hosts, headers=headers),
        Middleware(OriginGuard, allowed_origins=allowed_origins),
    ]
    if allowed_origins:
        doors.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(allowed_origins),
                allow_methods=["GET", "POST"],
                allow_headers=["authorization", "content-type"],
            )
        )
    doors.append(Middleware(Access, token=token, rate_limiter=None if is_local else RateLimiter()))
    if not is_local:
        doors.append(Middleware(GZipMiddleware, minimum_size=_GZIP_FROM_BYTES, compresslevel=_GZIP_LEVEL))
    app = Starlette(
        routes=routes(service, Page(page_directory), metrics), middleware=doors, exception_handlers=HANDLERS
    )
    app.state.budget = service.budget  # connections count their buffers there, too
    # An address has one spelling: with a slash too many it is a 404, not a detour.
    app.router.redirect_slashes = False
    return app


def own_version() -> str:
    """The installed version of snapseek, `unknown` for a source tree that was never installed."""
    try:
        return version("snapseek")
    except PackageNotFoundError:
        return "unknown"
