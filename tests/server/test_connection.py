"""snapseek.server.connection: slow and idle connections are closed, busy ones are not."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from snapseek.server import connection, run
from snapseek.server.proxy import TrustedProxies

DEADLINE_S = 0.3
PATIENCE_S = 60.0
LARGE_BYTES = 16 * 2**20
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def slow(_request: Request) -> PlainTextResponse:
    await asyncio.sleep(3 * DEADLINE_S)
    return PlainTextResponse("done")


async def large(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("x" * LARGE_BYTES)


@contextlib.asynccontextmanager
async def opened(*trusted: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    app = Starlette(routes=[Route("/", slow), Route("/large", large)])
    app.state.trusted_proxies = TrustedProxies(trusted)
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


def test_an_endless_head_is_closed():
    async def scenario() -> None:
        async with opened() as (reader, writer):
            dripping = asyncio.create_task(drip(writer))
            assert await is_closed(reader)
            dripping.cancel()

    asyncio.run(scenario())


def test_an_endless_second_head_is_closed():
    async def scenario() -> None:
        async with opened() as (reader, writer):
            writer.write(REQUEST)
            await reader.readuntil(b"done")
            writer.write(b"GET ")
            assert await is_closed(reader)

    asyncio.run(scenario())


def test_a_response_may_take_longer_than_the_head_deadline():
    async def scenario() -> None:
        async with opened() as (reader, writer):
            for _ in range(2):
                writer.write(REQUEST)
                assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")

    asyncio.run(scenario())


async def is_answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(REQUEST)
    return b"200 OK" in await asyncio.wait_for(reader.readuntil(b"done"), PATIENCE_S)


@pytest.mark.parametrize("bound", ["MAX_OPEN", "MAX_PER_ADDRESS"])
def test_the_longest_idle_connection_is_closed_for_a_new_one(monkeypatch: pytest.MonkeyPatch, bound: str):
    monkeypatch.setattr(connection, bound, 3)
    monkeypatch.setattr(connection, "HEAD_DEADLINE_S", 2 * PATIENCE_S)  # none is closed for being slow

    async def scenario() -> None:
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

    asyncio.run(scenario())


def test_a_connection_that_waits_for_a_response_is_not_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "MAX_OPEN", 1)

    async def scenario() -> None:
        async with opened() as (reader, writer):
            writer.write(REQUEST)
            await asyncio.sleep(DEADLINE_S)
            new, new_writer = await asyncio.open_connection(*writer.get_extra_info("peername"))
            assert await asyncio.wait_for(new.read(), PATIENCE_S) == b""
            assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"done"), PATIENCE_S)
            new_writer.close()

    asyncio.run(scenario())


def test_the_limit_per_address_closes_only_its_own_connections(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "MAX_PER_ADDRESS", 2)
    monkeypatch.setattr(connection, "HEAD_DEADLINE_S", 2 * PATIENCE_S)

    async def scenario() -> None:
        async with opened() as (honest, honest_writer):  # silent for the longest time, from 127.0.0.1
            address = honest_writer.get_extra_info("peername")
            others = [await asyncio.open_connection(*address, local_addr=("127.0.0.9", 0)) for _ in range(3)]
            assert await asyncio.wait_for(others[0][0].read(), PATIENCE_S) == b""
            assert await is_answered(honest, honest_writer)
            for _, writer in others:
                writer.close()

    asyncio.run(scenario())


def test_the_connections_of_a_trusted_proxy_are_those_of_many_clients(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "MAX_PER_ADDRESS", 2)
    monkeypatch.setattr(connection, "HEAD_DEADLINE_S", 2 * PATIENCE_S)

    async def scenario() -> None:
        async with opened("127.0.0.9") as (_, own_writer):
            address = own_writer.get_extra_info("peername")
            others = [await asyncio.open_connection(*address, local_addr=("127.0.0.9", 0)) for _ in range(4)]
            for reader, writer in others:
                assert await is_answered(reader, writer)
                writer.close()

    asyncio.run(scenario())


def unread(address: tuple[str, int]) -> socket.socket:
    """A client that asks for a large answer and reads nothing of it."""
    client = socket.create_connection(address)
    client.sendall(REQUEST.replace(b"/ ", b"/large ", 1))
    return client


async def is_reset(client: socket.socket) -> bool:
    """Whether the server drops what the client has not read, instead of waiting for it to be read."""
    client.setblocking(False)
    found = 0
    try:
        while part := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 2**20), PATIENCE_S):
            found += len(part)
    except ConnectionResetError:
        return True
    return found < LARGE_BYTES


def test_a_client_that_does_not_read_its_response_is_dropped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "READ_DEADLINE_S", DEADLINE_S)
    monkeypatch.setattr(connection, "HEAD_DEADLINE_S", 2 * PATIENCE_S)

    async def scene() -> None:
        async with opened() as (_, writer):
            with contextlib.closing(unread(writer.get_extra_info("peername"))) as client:
                await asyncio.sleep(4 * DEADLINE_S)
                assert await is_reset(client)

    asyncio.run(scene())


def test_a_connection_closed_for_a_new_one_keeps_no_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "MAX_OPEN", 2)
    monkeypatch.setattr(connection, "HEAD_DEADLINE_S", 2 * PATIENCE_S)
    monkeypatch.setattr(connection, "READ_DEADLINE_S", 2 * PATIENCE_S)

    async def scene() -> None:
        async with opened() as (reader, writer):
            address = writer.get_extra_info("peername")
            with contextlib.closing(unread(address)) as client:
                assert await is_answered(reader, writer)  # the other one is now the longest silent one
                _, new_writer = await asyncio.open_connection(*address)
                await asyncio.sleep(DEADLINE_S)
                assert await is_reset(client)
                new_writer.close()

    asyncio.run(scene())


def test_a_slow_client_gets_all_of_its_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "HEAD_DEADLINE_S", DEADLINE_S)

    async def scene() -> None:
        async with opened() as (_, writer):
            with contextlib.closing(unread(writer.get_extra_info("peername"))) as client:
                await asyncio.sleep(3 * DEADLINE_S)
                client.setblocking(False)
                found = 0
                while found < LARGE_BYTES:
                    part = asyncio.get_running_loop().sock_recv(client, 2**20)
                    found += len(await asyncio.wait_for(part, PATIENCE_S))

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
def test_network_of_an_address(address: str, network: str):
    assert connection.network_of(address) == network
