"""HTTP/1.1 framing with bounds that h11 does not have, against smuggled, endless and finely cut requests."""

from __future__ import annotations

import re
from typing import Any

import h11

MAX_HEAD_BYTES = 64 * 2**10
"""The request line and all headers; also the bound for one line."""

MAX_HEADERS = 100
MAX_SMALL_CHUNKS = 1024
SMALL_CHUNK_BYTES = 512
"""A body in chunks of one byte would cost seconds of processor time for each megabyte."""

_LENGTHS = re.compile(rb"^content-length[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_ENCODINGS = re.compile(rb"^transfer-encoding[ \t]*:", re.IGNORECASE | re.MULTILINE)


class Framing(h11.Connection):
    """A server's end of one connection; raises h11.RemoteProtocolError for more than the bounds above."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEAD_BYTES)
        self._small_chunks = 0

    def next_event(self) -> Any:
        """Return the next event, as h11 does."""
        # h11 merges equal Content-Length headers, so the raw head is looked at.
        before = self.trailing_data[0] if self.their_state is h11.IDLE else b""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._small_chunks = 0
            check_head(before[: len(before) - len(self.trailing_data[0])])
        elif isinstance(event, h11.Data) and len(event.data) < SMALL_CHUNK_BYTES:
            self._small_chunks += 1
            if self._small_chunks > MAX_SMALL_CHUNKS:
                raise h11.RemoteProtocolError(f"more than {MAX_SMALL_CHUNKS} small chunks in one body")
        return event


def check_head(head: bytes) -> None:
    """Raise h11.RemoteProtocolError for a head that is too large, or whose body has two lengths."""
    if len(head) > MAX_HEAD_BYTES:
        raise h11.RemoteProtocolError(f"a head of more than {MAX_HEAD_BYTES} bytes")
    request_line, _, headers = head.partition(b"\n")
    if headers.rstrip(b"\r\n").count(b"\n") + 1 > MAX_HEADERS:
        raise h11.RemoteProtocolError(f"more than {MAX_HEADERS} headers")
    lengths = _LENGTHS.findall(headers)
    has_encoding = _ENCODINGS.search(headers) is not None
    if len(lengths) > 1 or any(b"," in length for length in lengths):
        raise h11.RemoteProtocolError("more than one Content-Length")
    if lengths and has_encoding:
        raise h11.RemoteProtocolError("Content-Length together with Transfer-Encoding")
    if has_encoding and request_line.rstrip().endswith(b"HTTP/1.0"):
        raise h11.RemoteProtocolError("Transfer-Encoding in HTTP/1.0")
