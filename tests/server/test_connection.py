"""snapseek.server.connection: who is slow with a head is let go, who asks is not."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import pytest
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
    monkeypatch.setattr(run._Server, "capture_signals", lambda self: contextlib.nullcontext())


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Wait for the end of the connection; it is a reset if bytes of the client were still unread."""
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
    except ConnectionResetError:
        return True


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
            assert await is_closed(reader)
            dripping.cancel()

    asyncio.run(scene())


def test_a_second_head_that_does_not_end_is_not_waited_for():
    async def scene() -> None:
        async with opened() as (reader, writer):
            writer.write(REQUEST)
            await reader.readuntil(b"done")
            writer.write(b"GET ")
            assert await is_closed(reader)

    asyncio.run(scene())


def test_an_answer_may_take_longer_than_a_head():
    async def scene() -> None:
        async with opened() as (reader, writer):
            for _ in range(2):
                writer.write(REQUEST)
                assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")

    asyncio.run(scene())


async def is_answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(REQUEST)
    return b"200 OK" in await asyncio.wait_for(reader.readuntil(b"done"), PATIENCE_S)


@pytest.mark.parametrize("bound", ["MAX_OPEN", "MAX_PER_ADDRESS"])
def test_the_longest_silent_connection_is_closed_for_a_new_one(monkeypatch: pytest.MonkeyPatch, bound: str):
    monkeypatch.setattr(connection, bound, 3)
    monkeypatch.setattr(connection, "HEAD_DEADLINE_S", 2 * PATIENCE_S)  # none is closed for being slow

    async def scene() -> None:
        async with opened() as (first, first_writer):
            address = first_writer.get_extra_info("peername")
            silent, silent_writer = await asyncio.open_connection(*address)
            third, third_writer = await asyncio.open_connection(*address)
            assert await is_answered(first, first_writer)  # the second is now the longest silent one
            new, new_writer = await asyncio.open_connection(*address)
            assert await asyncio.wait_for(silent.read(), PATIENCE_S) == b""
            pairs = ((third, third_writer), (new, new_writer), (first, first_writer))
            for pair in pairs:
                assert await is_answered(*pair)
            for writer in (silent_writer, third_writer, new_writer):
                writer.close()

    asyncio.run(scene())


def test_a_connection_that_waits_for_its_answer_is_not_closed_for_a_new_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "MAX_OPEN", 1)

    async def scene() -> None:
        async with opened() as (reader, writer):
            writer.write(REQUEST)
            await asyncio.sleep(DEADLINE_S)
            new, new_writer = await asyncio.open_connection(*writer.get_extra_info("peername"))
            assert await asyncio.wait_for(new.read(), PATIENCE_S) == b""
            assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"done"), PATIENCE_S)
            new_writer.close()

    asyncio.run(scene())


def test_connections_beyond_the_bound_are_a_matter_of_their_own_address(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "MAX_PER_ADDRESS", 2)
    monkeypatch.setattr(connection, "HEAD_DEADLINE_S", 2 * PATIENCE_S)

    async def scene() -> None:
        async with opened() as (honest, honest_writer):  # silent for the longest time, from 127.0.0.1
            address = honest_writer.get_extra_info("peername")
            others = [await asyncio.open_connection(*address, local_addr=("127.0.0.9", 0)) for _ in range(3)]
            assert await asyncio.wait_for(others[0][0].read(), PATIENCE_S) == b""
            assert await is_answered(honest, honest_writer)
            for _, writer in others:
                writer.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("a socket", "a socket"),
    ],
)
def test_what_counts_as_one_address(address: str, network: str):
    assert connection.network_of(address) == network
