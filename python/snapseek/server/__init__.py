"""The room where a library is shown: one Starlette application, one port, one page.

    browser ──> Guard ──> routes ──> Workers ──> Library
                  │          │
                  │          ├── answers     hits and facts as JSON
                  │          ├── originals   the pictures themselves, by id
                  │          └── page        the built page
                  └── who may ask, and the headers of every answer

`create_app(library)` gives the ASGI application, `serve(library)` opens a port for it and blocks until
Ctrl-C. Everything is read-only. Pictures are asked for by their id; no request ever names a path of the disk.
Failures are answered as problem documents (RFC 9457), see `problems`. The contract for a client is
docs/HTTP.md, and the same for machines at `/api/openapi.json`.

    from snapseek import Library
    from snapseek.server import serve

    serve(Library.open("holiday.snapseek"), port=0, on_ready=print)
"""

from snapseek.server.app import create_app
from snapseek.server.run import serve

__all__ = ["create_app", "serve"]
