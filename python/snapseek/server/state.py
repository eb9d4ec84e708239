"""What all endpoints of one server share: the library, the thread pools and the memory budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from snapseek.server.budget import ByteBudget
from snapseek.server.workers import Workers
from snapseek.threads import available_cores

if TYPE_CHECKING:
    from snapseek.library import Library

_MAX_SEARCHERS = 4
_MAX_DECODERS = 2  # each may hold one whole picture, uncompressed
_MAX_READERS = 1  # a second one would only wait for the interpreter's lock


@dataclass(eq=False)
class ServerState:
    """One library and what serves it."""

    library: Library
    snapseek_version: str
    fetches: bool = False
    """Whether a query may name a picture by its url."""
    has_token: bool = False
    """Whether each request has the access token."""
    decoders: Workers = field(default_factory=partial(Workers, _MAX_DECODERS))
    """The threads that decode pictures."""
    readers: Workers = field(default_factory=partial(Workers, _MAX_READERS))
    """The threads that parse bodies."""
    budget: ByteBudget = field(default_factory=ByteBudget)
    searchers: Workers = field(init=False)
    """The threads that search. Queries that wait for one are embedded in batches."""

    def __post_init__(self) -> None:
        count = min(_MAX_SEARCHERS, available_cores())
        self.searchers = Workers(count, prepare=self.library.embed_ahead)
