"""snapseek.server.framing: what h11 lets through and this server does not."""

import h11
import pytest

from snapseek.server.framing import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_SMALL_CHUNKS,
    SMALL_CHUNK_BYTES,
    Framing,
)

POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


def events(data: bytes, part_bytes: int = 2**18) -> list[type]:
    """Return the types of the events in these bytes, which arrive in parts."""
    framing = Framing()
    found = []
    for begin in range(0, len(data), part_bytes):
        framing.receive_data(data[begin : begin + part_bytes])
        while (event := framing.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            found.append(type(event))
    return found


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"transfer-encoding:chunked\r\nCONTENT-LENGTH:5\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nX: y\r\ncontent-length: 5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 5_0\r\n",
        b"Content-Length:\r\n",
        b"Content-Length : 5\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Host: localhost\r\n",
    ],
)
@pytest.mark.parametrize("part_bytes", [1, 2**18])
def test_a_body_with_two_lengths_is_rejected(headers: bytes, part_bytes: int):
    with pytest.raises(h11.RemoteProtocolError):
        events(POST + headers + b"\r\n5\r\nhello\r\n0\r\n\r\n", part_bytes)


def test_a_body_with_one_length_is_accepted():
    for headers, body in (
        (b"Content-Length: 5\r\n", b"hello"),
        (b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: CHUNKED\r\n", b"5;x=y\r\nhello\r\n0\r\nTrailer: z\r\n\r\n"),
    ):
        assert events(POST + headers + b"\r\n" + body) == [h11.Request, h11.Data, h11.EndOfMessage]


def test_chunks_are_rejected_in_http_1_0():
    with pytest.raises(h11.RemoteProtocolError, match=r"HTTP/1\.0"):
        events(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")


def head_of(size: int) -> bytes:
    return POST + b"X: " + b"a" * (size - len(POST) - len(b"X: \r\n\r\n")) + b"\r\n\r\n"


def headers_of(count: int) -> bytes:
    return POST + b"".join(b"X-%d: y\r\n" % number for number in range(count - 1)) + b"\r\n"


@pytest.mark.parametrize("part_bytes", [1000, 2**18])
def test_the_size_of_a_head_is_bounded(part_bytes: int):
    assert events(head_of(MAX_HEAD_BYTES), part_bytes)[0] is h11.Request
    with pytest.raises(h11.RemoteProtocolError):
        events(head_of(MAX_HEAD_BYTES + 1), part_bytes)
    with pytest.raises(h11.RemoteProtocolError):
        events(b"GET /" + b"a" * MAX_HEAD_BYTES, part_bytes)
    assert events(headers_of(MAX_HEADERS), part_bytes)[0] is h11.Request
    with pytest.raises(h11.RemoteProtocolError, match="headers"):
        events(headers_of(MAX_HEADERS + 1), part_bytes)


def chunked(count: int, size: int) -> bytes:
    return POST + b"Transfer-Encoding: chunked\r\n\r\n" + (b"%x\r\n" % size + b"a" * size + b"\r\n") * count


def test_the_number_of_small_chunks_is_bounded():
    assert len(events(chunked(MAX_SMALL_CHUNKS, 1))) == 1 + MAX_SMALL_CHUNKS
    with pytest.raises(h11.RemoteProtocolError, match="small chunks"):
        events(chunked(MAX_SMALL_CHUNKS + 1, 1))
    assert len(events(chunked(3000, SMALL_CHUNK_BYTES), 2**22)) == 3001


def test_small_chunks_are_counted_for_each_body():
    framing = Framing()
    for _ in range(3):
        framing.receive_data(chunked(MAX_SMALL_CHUNKS // 2, 1) + b"0\r\n\r\n")
        while not isinstance(framing.next_event(), h11.EndOfMessage):
            pass
        framing.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
        framing.send(h11.EndOfMessage())
        framing.start_next_cycle()
