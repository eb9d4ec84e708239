"""snapseek.server.connection: who is slow with a head is let go, who asks is not."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from snapseek.server import connection, run

DEADLINE_S = 0.3
PATIENCE_S = 60.0
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def slow(_request: Request) -> PlainTextResponse:
    await asyncio.sleep(3 * DEADLINE_S)
    return PlainTextResponse("done")


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    app = Starlette(routes=[Route("/", slow)])
    server = run._Server(app, lambda: None)
    assert server.config.http is connection.Connection
    with run.open_port("127.0.0.1", 0) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        yield reader, writer
        writer.close()
        server.should_exit = True
        await serving


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "HEAD_DEADLINE_S", DEADLINE_S)
    monkeypatch.setattr(uvicorn.Server, "capture_signals", lambda self: contextlib.nullcontext())


async def drip(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        for byte in itertools.cycle(REQUEST[:-2]):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)


def test_a_head_that_does_not_end_is_not_waited_for():
    async def scene() -> None:
        async with opened() as (reader, writer):
            dripping = asyncio.create_task(drip(writer))
            assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
            dripping.cancel()

    asyncio.run(scene())


def test_a_second_head_that_does_not_end_is_not_waited_for():
    async def scene() -> None:
        async with opened() as (reader, writer):
            writer.write(REQUEST)
            await reader.readuntil(b"done")
            writer.write(b"GET ")
            assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""

    asyncio.run(scene())


def test_an_answer_may_take_longer_than_a_head():
    async def scene() -> None:
        async with opened() as (reader, writer):
            for _ in range(2):
                writer.write(REQUEST)
                assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")

    asyncio.run(scene())


def test_one_connection_too_many_is_closed_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "MOST_OPEN", 2)
    monkeypatch.setattr(
        connection, "HEAD_DEADLINE_S", 2 * PATIENCE_S
    )  # no connection is closed for being slow

    async def scene() -> None:
        async with opened() as (first, writer):
            address = writer.get_extra_info("peername")
            second, another = await asyncio.open_connection(*address)
            third, one_too_many = await asyncio.open_connection(*address)
            assert await asyncio.wait_for(third.read(), PATIENCE_S) == b""
            one_too_many.close()
            for kept in (writer, another):
                kept.write(REQUEST)
            for reader in (first, second):
                assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
            another.close()

    asyncio.run(scene())
