"""A client that calls an ASGI application directly, also with paths and headers that no client sends."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

LOCALHOST = (b"host", b"localhost:8000")


@dataclass
class Reply:
    """Status, headers (lower-case names) and body of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, which has to be strict JSON."""
        return json.loads(self.body, parse_constant=lambda name: 1 / 0)


def ask(
    app: ASGIApp,
    path: str,
    query: bytes | str = b"",
    *,
    method: str = "GET",
    headers: Sequence[tuple[bytes, bytes]] = (LOCALHOST,),
    gone: bool = False,
    body: bytes = b"",
    client: str = "127.0.0.1",
) -> Reply:
    """Return the response of `app` to one request. Drop an error that the application raises after it.

    `body` arrives in two parts. `gone`: the client has closed the connection before anything was computed
    for it.
    """
    query = query.encode() if isinstance(query, str) else query
    return asyncio.run(_ask(app, path, query, method, headers, gone, body, client))


async def _ask(
    app: ASGIApp,
    path: str,
    query: bytes,
    method: str,
    headers: Sequence[tuple[bytes, bytes]],
    gone: bool,
    body: bytes,
    client: str,
) -> Reply:
    parts = [body[:7], body[7:]]
    sent: list[Any] = []

    async def receive() -> Any:
        if gone:
            return {"type": "http.disconnect"}
        if not parts:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": parts.pop(0), "more_body": len(parts) > 0}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": b"",
        "query_string": query,
        "root_path": "",
        "headers": list(headers),
        "server": ("127.0.0.1", 8000),
        "client": (client, 50000),
    }
    try:
        await app(scope, receive, send)
    except RuntimeError:
        assert sent, "the application raised without an answer"
    start, body = sent[0], b"".join(message.get("body", b"") for message in sent[1:])
    fields = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], fields, body)
