"""What a person manages of the partitions of this machine, joined as if they were one library."""

from collections.abc import Iterable, Sequence

from snapseek.library.missing_previews import MissingPreviews, missing_previews
from snapseek.library.reader import LibraryReader
from snapseek.library.source_states import (
    IMPORTED,
    MISSING,
    READY,
    UNCONFIRMED,
    MissingFolder,
    Sources,
    SourceState,
)

_WORST_FIRST = (MISSING, UNCONFIRMED, READY, IMPORTED)


def sources_of(libraries: Iterable[LibraryReader]) -> Sources:
    """Return the sources of all libraries, a folder of several once, and the last sync of any."""
    parts = [library.sources() for library in libraries]
    sources: dict[tuple[str, str], SourceState] = {}
    missing: dict[str, MissingFolder] = {}
    for part in parts:
        for one in part.sources:
            known = sources.get((one.kind, str(one.path)))
            sources[one.kind, str(one.path)] = one if known is None else _joined(known, one)
        for folder in part.missing:
            before = missing.get(str(folder.path))
            count = folder.pictures + (before.pictures if before else 0)
            missing[str(folder.path)] = MissingFolder(folder.path, count)
    last = max((part.last_sync for part in parts if part.last_sync is not None), default=None)
    return Sources(tuple(sources.values()), last, tuple(missing.values()))


def _joined(first: SourceState, second: SourceState) -> SourceState:
    state = min(first.state, second.state, key=_WORST_FIRST.index)
    return SourceState(first.path, first.kind, state, first.pictures + second.pictures)


def missing_previews_of(libraries: Sequence[LibraryReader]) -> MissingPreviews:
    """Return how many pictures of all libraries have no preview."""
    snapshots = [library.snapshot() for library in libraries]
    parts = [missing_previews(one.path, one.ids_without_preview) for one in snapshots]
    return MissingPreviews(sum(part.waiting for part in parts), sum(part.failed for part in parts))
