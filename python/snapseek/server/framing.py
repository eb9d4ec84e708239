"""HTTP/1.1 framing with limits that h11 lacks: against request smuggling, endless heads and tiny chunks."""

from __future__ import annotations

import re
from typing import Any

import h11

MAX_HEAD_BYTES = 64 * 2**10
"""Bounds the request line and all headers together, so also one line."""

MAX_HEADERS = 100
MAX_SMALL_CHUNKS = 1024
SMALL_CHUNK_BYTES = 512
"""Bound the chunks of a body: in chunks of one byte, each megabyte costs seconds of processor time."""

_LENGTHS = re.compile(rb"^content-length[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_ENCODINGS = re.compile(rb"^transfer-encoding[ \t]*:", re.IGNORECASE | re.MULTILINE)


class Framing(h11.Connection):
    """The server's end of one connection. Raises h11.RemoteProtocolError beyond the limits above."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEAD_BYTES)
        self._small_chunks = 0

    def next_event(self) -> Any:
        """Return the next event, as h11 does."""
        # h11 merges equal Content-Length headers, so the raw head is checked.
        before = self.trailing_data[0] if self.their_state is h11.IDLE else b""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._small_chunks = 0
            check_head(before[: len(before) - len(self.trailing_data[0])])
        elif isinstance(event, h11.Data) and len(event.data) < SMALL_CHUNK_BYTES:
            self._small_chunks += 1
            if self._small_chunks > MAX_SMALL_CHUNKS:
                raise h11.RemoteProtocolError(f"expected at most {MAX_SMALL_CHUNKS} small chunks in one body")
        return event


def check_head(head: bytes) -> None:
    """Raise h11.RemoteProtocolError if a head is too large or gives the length of its body twice."""
    if len(head) > MAX_HEAD_BYTES:
        raise h11.RemoteProtocolError(f"expected a head of at most {MAX_HEAD_BYTES} bytes")
    request_line, _, headers = head.partition(b"\n")
    if headers.rstrip(b"\r\n").count(b"\n") + 1 > MAX_HEADERS:
        raise h11.RemoteProtocolError(f"expected at most {MAX_HEADERS} headers")
    lengths = _LENGTHS.findall(headers)
    has_encoding = _ENCODINGS.search(headers) is not None
    if len(lengths) > 1 or any(b"," in length for length in lengths):
        raise h11.RemoteProtocolError("expected one Content-Length, found several")
    if lengths and has_encoding:
        raise h11.RemoteProtocolError("expected Content-Length or Transfer-Encoding, found both")
    if has_encoding and request_line.rstrip().endswith(b"HTTP/1.0"):
        raise h11.RemoteProtocolError("expected no Transfer-Encoding in HTTP/1.0")
