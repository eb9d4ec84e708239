"""The sources of a library as a person manages them: where they are, what they hold, what waits for a yes."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snapseek.library.info import Failure, SkippedFile
from snapseek.library.storage.confirmations import ID_SETTING, NOTHING, Confirmed
from snapseek.library.storage.database import Database
from snapseek.library.storage.last_sync import LastSync
from snapseek.library.storage.schema import FILES, FOLDER, IMPORT
from snapseek.library.storage.source_table import Source
from snapseek.library.storage.trust import Trust

READY, MISSING, UNCONFIRMED, IMPORTED = "ready", "missing", "unconfirmed", "imported"

_ID_DIGITS = 16


@dataclass(frozen=True)
class SourceState:
    """A source of a library.

    `state` is `ready`; `missing`: it is not there, or was empty at the last sync, and its pictures are kept;
    `unconfirmed`: the library names it and the user has not, so it is not read; or `imported`: vectors.
    """

    path: Path
    kind: str
    state: str
    pictures: int


@dataclass(frozen=True)
class MissingFolder:
    """A folder whose files are gone. Its pictures are kept until somebody confirms that they are gone."""

    path: Path
    pictures: int


@dataclass(frozen=True)
class Sources:
    """The sources of a library, when they were last synchronized, and the folders whose files are gone."""

    sources: tuple[SourceState, ...]
    last_sync: str | None
    missing: tuple[MissingFolder, ...]


def path_id(path: Path) -> str:
    """Return a short text that stands for a path: 16 hexadecimal digits."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:_ID_DIGITS]


def read_sources(library: Path, allowed: Confirmed = NOTHING) -> Sources:
    """Return the sources of the library at a path. Sources that the user has not confirmed are not touched.

    Raises FormatError if the library is damaged.
    """
    with Database.open(library) as database, database.reading():
        trust = Trust(library, database.settings.all().get(ID_SETTING), allowed)
        known = database.sources.all()
        last = LastSync.read(database)
        gone = _missing_folders(database, known, last.missing if last else ())
        counts = database.files.counts()
        imported = {shard.source: shard.rows for shard in database.shards.all() if shard.source is not None}
        paths = {folder.path for folder in gone}
        states = tuple(
            SourceState(
                source.path,
                source.kind,
                _state(source, trust, paths),
                imported.get(source.path, 0) if source.kind == IMPORT else counts.get(source.number, 0),
            )
            for source in known
        )
    return Sources(states, last.ended if last else None, gone)


def read_failures(library: Path) -> list[Failure]:
    """Return every file that could not be indexed completely, with the reason, in order of path."""
    with Database.open(library) as database, database.reading():
        failed = [
            Failure(row.folder / row.within, row.reason)
            for row in database.files.all()
            if row.reason and not row.is_removed
        ]
        failed += [
            Failure(row.source / row.within, row.reason) for row in database.imports.all() if row.reason
        ]
        return failed


def read_skipped(library: Path) -> list[SkippedFile]:
    """Return the files and folders that were not read as pictures: the first ones of each kind."""
    with Database.open(library) as database, database.reading():
        return [
            SkippedFile(row.folder / name, row.kind)
            for row in database.folders.skipped()
            for name in row.names
        ]


def _state(source: Source, trust: Trust, missing: set[Path]) -> str:
    if source.kind == IMPORT:
        return IMPORTED
    if not trust.permits_source(source):
        return UNCONFIRMED
    return MISSING if source.path in missing or not os.path.lexists(source.path) else READY


def _missing_folders(
    database: Database, sources: Sequence[Source], paths: Sequence[Path]
) -> tuple[MissingFolder, ...]:
    """Return the folders of these paths that still have pictures in the library."""
    found = []
    for path in paths:
        count = 0
        for source in sources:
            if source.kind != IMPORT and path == source.path:
                count += len(database.files.items(source))
            elif source.kind in (FOLDER, FILES) and path.is_relative_to(source.path):
                within = os.fsencode(path.relative_to(source.path).as_posix())
                count += sum(item is not None for _, item in database.files.below(source, within))
        if count:
            found.append(MissingFolder(path, count))
    return tuple(found)
