"""The HTTP server of one library: a Starlette application that serves the API, the pictures and the page.

    request ─> middleware ─> endpoints ─> Workers (threads) ─> Library
               metrics       api/         search, entries, OpenAPI, clip-retrieval
               headers       images/      originals and previews, by id
               host_guard    page         the built page
               origin_guard
               rate_limit
               auth

`create_app(library)` returns the ASGI application. `serve(library)` opens a port and serves it until Ctrl-C.
Everything is read-only. A request names a picture by its id, never by a path. Errors are problem documents
(RFC 9457, module `problems`). docs/HTTP.md describes the API; `/api/openapi.json` describes it to programs.

    from snapseek import Library
    from snapseek.server import serve

    serve(Library.open("holiday.snapseek"), port=0, on_ready=print)
"""

from snapseek.server.app import create_app
from snapseek.server.run import serve

__all__ = ["create_app", "serve"]
