"""`create_app`: the ASGI application of one library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from snapseek._core import __version__
from snapseek.server.api.clip_retrieval import ClipRetrievalEndpoints
from snapseek.server.api.concepts import ConceptEndpoints
from snapseek.server.api.docs_page import DocsPageEndpoints
from snapseek.server.api.duplicates import DuplicateEndpoints
from snapseek.server.api.jobs import JobEndpoints
from snapseek.server.api.library import LibraryEndpoints
from snapseek.server.api.local_files import LocalFileEndpoints
from snapseek.server.api.overview import OverviewEndpoints
from snapseek.server.api.partition import PartitionEndpoints
from snapseek.server.api.search import SearchEndpoints
from snapseek.server.api.system import SystemEndpoints
from snapseek.server.auth import TokenAuth
from snapseek.server.budget import Backpressure
from snapseek.server.headers import REMOTE_PICTURE_HEADERS, SECURITY_HEADERS, SecurityHeaders
from snapseek.server.host_guard import LOOPBACK_HOSTS, HostGuard, is_loopback_name
from snapseek.server.images.image_endpoints import ImageEndpoints
from snapseek.server.metrics import Metrics, MetricsMiddleware
from snapseek.server.origin_guard import OriginGuard
from snapseek.server.page import BUILT_PAGE, Page, PageEndpoints
from snapseek.server.problems import HANDLERS
from snapseek.server.proxy import ProxyHeaders, TrustedProxies, checked_root_path
from snapseek.server.rate_limit import RateLimit
from snapseek.server.state import ServerState

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from starlette.routing import Route

    from snapseek.library import Library
    from snapseek.server.jobs import JobRunner
    from snapseek.server.library_servers import LibraryServers

_GZIP_MIN_BYTES = 1024
_GZIP_LEVEL = 4  # previews are compressed already; the text around them shrinks at any level


def create_app(
    library: Library,
    *,
    allowed_hosts: Collection[str] | None = LOOPBACK_HOSTS,
    page_directory: Path = BUILT_PAGE,
    token: str | None = None,
    allowed_origins: Collection[str] = (),
    trusted_proxies: Collection[str] = (),
    root_path: str = "",
    jobs: JobRunner | None = None,
    servers: LibraryServers | None = None,
) -> Starlette:
    """Return the ASGI application that serves a library. It reads, starts jobs and teaches words.

    Parameters
    ----------
    library
        The library to serve.
    allowed_hosts
        Names that a `Host` header may have, without ports. None allows every name. Other machines can reach a
        server with None, with a name that is not of this machine, or with trusted proxies: such a server
        compresses responses, limits the rate of each client, and fetches no picture from a url.
    page_directory
        The built page: `index.html` and `assets/`.
    token
        Every request needs this access token; None needs none.
    allowed_origins
        Origins of other web pages that may send requests, such as `https://example.org`.
    trusted_proxies
        Addresses of reverse proxies whose forwarded addresses count.
    root_path
        The path of the page at the proxy, such as `/pictures`.
    jobs
        What writes to the library meanwhile, for `/api/jobs`.
    servers
        What serves the other libraries of this user, for `/api/libraries`.
    """
    proxies = TrustedProxies(trusted_proxies)
    is_local = not proxies and allowed_hosts is not None and all(map(is_loopback_name, allowed_hosts))
    state = ServerState(library, __version__, fetches=is_local, has_token=token is not None)
    metrics = Metrics()
    app = Starlette(
        routes=_routes(state, Page(page_directory), metrics, jobs, servers),
        middleware=_middleware(
            state,
            metrics,
            REMOTE_PICTURE_HEADERS if library.info().has_remote else SECURITY_HEADERS,
            allowed_hosts,
            allowed_origins,
            token,
            proxy=Middleware(ProxyHeaders, trusted=proxies, root_path=checked_root_path(root_path)),
            is_local=is_local,
        ),
        exception_handlers=HANDLERS,
    )
    app.state.budget = state.budget  # connections count their buffers in the same budget
    app.state.trusted_proxies = proxies  # whose connections are those of many clients
    app.router.redirect_slashes = False  # each address has one spelling; any other is a 404
    return app


def _routes(
    state: ServerState,
    page: Page,
    metrics: Metrics,
    jobs: JobRunner | None,
    servers: LibraryServers | None,
) -> list[Route]:
    return [
        *SearchEndpoints(state).routes(),
        *OverviewEndpoints(state).routes(),
        *LocalFileEndpoints(state).routes(),
        *ImageEndpoints(state).routes(),
        *SystemEndpoints(state, metrics).routes(),
        *JobEndpoints(state, jobs).routes(),
        *LibraryEndpoints(state, servers, has_jobs=jobs is not None).routes(),
        *ConceptEndpoints(state).routes(),
        *DuplicateEndpoints(state).routes(),
        *ClipRetrievalEndpoints(state).routes(),
        *PartitionEndpoints(state).routes(),
        *DocsPageEndpoints().routes(),
        *PageEndpoints(page).routes(),  # last, because it matches every name
    ]


def _middleware(
    state: ServerState,
    metrics: Metrics,
    headers: dict[str, str],
    allowed_hosts: Collection[str] | None,
    allowed_origins: Collection[str],
    token: str | None,
    *,
    proxy: Middleware,
    is_local: bool,
) -> list[Middleware]:
    """Return the middleware, outermost first."""
    stack = [
        proxy,
        Middleware(Backpressure, budget=state.budget),
        Middleware(MetricsMiddleware, metrics=metrics),
        Middleware(SecurityHeaders, headers=headers),
        Middleware(HostGuard, allowed_hosts=allowed_hosts),
        Middleware(OriginGuard, allowed_origins=allowed_origins),
    ]
    if allowed_origins:
        stack.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(allowed_origins),
                allow_methods=["GET", "POST"],
                allow_headers=["authorization", "content-type"],
            )
        )
    if not is_local:
        stack.append(Middleware(RateLimit, token=token))
    if token is not None:
        stack.append(Middleware(TokenAuth, token=token))
    if not is_local:
        stack.append(Middleware(GZipMiddleware, minimum_size=_GZIP_MIN_BYTES, compresslevel=_GZIP_LEVEL))
    return stack
