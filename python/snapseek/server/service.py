"""What all endpoints share: the library, the threads that work for them, and what this server may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from snapseek.cores import available_cores
from snapseek.server.question import embed_ahead
from snapseek.server.workers import Workers

if TYPE_CHECKING:
    from snapseek.library import Library

_MAX_SEARCHERS = 4
_MAX_DECODERS = 2  # each may hold one whole picture, uncompressed


def _decoders() -> Workers:
    return Workers(_MAX_DECODERS)


@dataclass(frozen=True)
class Service:
    """One library being served. `fetches` is whether a question may name a picture by its url."""

    library: Library
    snapseek_version: str
    fetches: bool = False
    decoders: Workers = field(default_factory=_decoders)

    @cached_property
    def searchers(self) -> Workers:
        """The threads that search; what waits for them has its words read together."""
        count = min(_MAX_SEARCHERS, available_cores())
        return Workers(count, prepare=partial(embed_ahead, self.library))
