"""What all endpoints share: the library, the threads that work for them, and what this server may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from snapseek.server.budget import ByteBudget
from snapseek.server.workers import Workers
from snapseek.threads import available_cores

if TYPE_CHECKING:
    from snapseek.library import Library

_MAX_SEARCHERS = 4
_MAX_DECODERS = 2  # each may hold one whole picture, uncompressed


_MAX_READERS = 1  # a second one would only wait for the interpreter's lock


def _decoders() -> Workers:
    return Workers(_MAX_DECODERS)


def _readers() -> Workers:
    return Workers(_MAX_READERS)


@dataclass(frozen=True)
class ServerState:
    """One library being served. `fetches` is whether a question may name a picture by its url."""

    library: Library
    snapseek_version: str
    fetches: bool = False
    decoders: Workers = field(default_factory=_decoders)
    readers: Workers = field(default_factory=_readers)
    """The threads that parse bodies."""
    budget: ByteBudget = field(default_factory=ByteBudget)

    @cached_property
    def searchers(self) -> Workers:
        """The threads that search; what waits for them has its words read together."""
        count = min(_MAX_SEARCHERS, available_cores())
        return Workers(count, prepare=self.library.embed_ahead)
