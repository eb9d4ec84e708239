"""A web server on the loopback interface with scripted faults."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Self

Writer = asyncio.StreamWriter
Behaviour = Callable[[Writer, int], Awaitable[None]]


def answer(status: int = 200, body: bytes = b"", **headers: object) -> Behaviour:
    """Return a behaviour that sends a complete response; `_` in header names stands for `-`."""

    async def behave(writer: Writer, nth: int) -> None:
        writer.write(head(status, {"Content_Length": len(body), **headers}) + body)

    return behave


def head(status: int, headers: dict[str, object]) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Word", "Connection: close", *lines, "", ""]).encode()


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Return a behaviour that uses `behaviours` in order, one a request, and then repeats the last."""

    async def behave(writer: Writer, nth: int) -> None:
        await behaviours[min(nth, len(behaviours)) - 1](writer, nth)

    return behave


async def silent(writer: Writer, nth: int) -> None:
    await asyncio.sleep(3600)


async def rude(writer: Writer, nth: int) -> None:
    """Close the connection without a response."""


def dripping(body: bytes, pause_s: float) -> Behaviour:
    async def behave(writer: Writer, nth: int) -> None:
        writer.write(head(200, {"Content-Length": len(body)}))
        for byte in body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(pause_s)

    return behave


def endless(chunk: bytes = b"x" * 65536) -> Behaviour:
    async def behave(writer: Writer, nth: int) -> None:
        writer.write(head(200, {}))
        while True:
            writer.write(chunk)
            await writer.drain()

    return behave


class Loopback:
    """The server, in its own thread. `routes` may change while it runs; `request_counts` counts requests by
    path.
    """

    def __init__(self, routes: dict[str, Behaviour] | None = None) -> None:
        self.routes = dict(routes or {})
        self.request_counts: Counter[str] = Counter()
        self.open = 0
        self.most_open = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result(60)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            path = request.split(b" ", 2)[1].decode().lstrip("/").partition("?")[0]
            self.request_counts[path] += 1
            behave = self.routes.get(path) or answer(404)
            await behave(writer, self.request_counts[path])
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            writer.close()
