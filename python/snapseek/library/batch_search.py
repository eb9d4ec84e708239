"""Several searches at once: their texts are embedded in batches."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from snapseek.errors import SnapseekError
from snapseek.file_kinds import is_picture_name
from snapseek.library.encoders import EncoderPool
from snapseek.library.results import Hits
from snapseek.library.search.request import ResolvedRequest
from snapseek.library.snapshot import Snapshot
from snapseek.search_request import SearchRequest

_CHUNK = 256
"""Requests whose texts are embedded together. The encoder keeps the vectors of the last 1,024 texts."""


def search_requests(
    snapshot: Snapshot, encoders: EncoderPool, requests: Sequence[SearchRequest]
) -> list[Hits]:
    """Answer several requests from one state of a library, in their order.

    Raises InputError for the first request that is malformed, before anything is searched.
    """
    for request in requests:
        ResolvedRequest.of(request, snapshot.kinds, concepts=snapshot.concepts.keys)
    found: list[Hits] = []
    for start in range(0, len(requests), _CHUNK):
        chunk = requests[start : start + _CHUNK]
        embed_together(snapshot, encoders, chunk)
        found += [snapshot.search(request, encoders.lazy(request.model, snapshot)) for request in chunk]
    return found


def embed_together(snapshot: Snapshot, encoders: EncoderPool, requests: Sequence[SearchRequest]) -> None:
    """Embed the texts of several requests in batches, so that their searches find them embedded.

    A request that fails is skipped: its search raises the error.
    """
    texts: dict[str, list[str]] = {}
    for request in requests:
        try:
            resolved = ResolvedRequest.of(request, snapshot.kinds, concepts=snapshot.concepts.keys)
        except SnapseekError:
            continue
        texts.setdefault(request.model, []).extend(resolved.encoded_texts)
    for model, together in texts.items():
        try:
            encoders.get(model, snapshot).embed_ahead(together)
        except SnapseekError:
            continue


def warn_of_path(query: object) -> None:
    """Warn about a text that is the path of a picture: its words would be searched."""
    if not isinstance(query, str) or not is_picture_name(Path(query)) or "\0" in query:
        return
    if Path(query).is_file():
        warnings.warn(
            f"{query!r:.200} is searched as words; for pictures like that file pass Path({query!r:.200})",
            stacklevel=3,
        )
