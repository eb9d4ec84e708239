"""Pictures that were made smaller a moment ago, kept in memory up to a bound."""

from __future__ import annotations

from collections import OrderedDict

MAX_BYTES = 64 * 2**20


class Redrawn:
    """The JPEGs last asked for, by their entity tags. For the event loop's thread alone."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """At most `max_bytes` of them are kept."""
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self.size_bytes = 0

    def get(self, etag: str) -> bytes | None:
        """The JPEG of that tag, if it is still kept."""
        data = self._kept.get(etag)
        if data is not None:
            self._kept.move_to_end(etag)
        return data

    def put(self, etag: str, data: bytes) -> None:
        """Keep a JPEG, and let go of those that were not asked for the longest."""
        self.size_bytes += len(data) - len(self._kept.pop(etag, b""))
        self._kept[etag] = data
        while self.size_bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.size_bytes -= len(oldest)
