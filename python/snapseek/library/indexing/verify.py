"""Verify a library: read every file, compare every checksum, account for every id."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from snapseek.errors import FormatError, SnapseekError
from snapseek.images import MAX_PREVIEW_BYTES
from snapseek.library.storage.database import Database
from snapseek.library.storage.fsync import crc_of
from snapseek.library.storage.schema import FILE_NAME, SHARDS
from snapseek.library.storage.shard_files import unknown_files
from snapseek.library.storage.shard_table import ShardRow
from snapseek.library.storage.shards import Shard

_Ids = NDArray[np.int64]
_NO_IDS = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Problem:
    """What is wrong with the file at `path`."""

    path: Path
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass
class Findings:
    """The problems of a library, and what `repair` has to know to fix them."""

    problems: list[Problem] = field(default_factory=list)
    broken: list[ShardRow] = field(default_factory=list)
    """Shards that cannot be read, or differ from what was written."""
    lost: _Ids = field(default_factory=lambda: _NO_IDS)
    """Ids of the file table without a row in a sound shard, ascending."""
    unknown: dict[str, _Ids] = field(default_factory=dict)
    """By shard, ids of living rows that the file table lacks, or that a newer shard has as well."""
    stale_tombstones: dict[str, _Ids] = field(default_factory=dict)
    """By shard, ids of tombstones without a row."""
    columns: list[tuple[Shard, str]] = field(default_factory=list)
    """Columns of sound records whose index file is damaged."""
    next_id: int = 1
    """The lowest id that no picture ever had."""


def verify(directory: Path, progress: Callable[[float], object] | None = None) -> list[Problem]:
    """Return every problem of the library at `directory`.

    Reads all of it. Unknown files next to the shards are reported too; nothing removes them.

    Parameters
    ----------
    directory
        The library.
    progress
        Called with the share that is done, from 0 to 1.

    Returns
    -------
    list of Problem
        Empty if the library is sound.

    Raises
    ------
    LibraryNotFoundError
        If there is no library.
    """
    with Database.open(directory) as database:
        while True:
            seen = database.changes()
            problems = _problems(database, directory, progress)
            problems += _unknown_files(database, directory)
            if not problems or database.changes() == seen:
                return problems
            # Another process committed meanwhile and may have removed files: verify the new state.


def _problems(
    database: Database, directory: Path, progress: Callable[[float], object] | None
) -> list[Problem]:
    try:
        with database.reading():
            return inspect(database, directory, progress).problems
    except FormatError as error:
        return [Problem(directory / FILE_NAME, str(error))]


def inspect(
    database: Database, directory: Path, progress: Callable[[float], object] | None = None
) -> Findings:
    """Return the findings of an open library. `progress` as in `verify`."""
    found = Findings(problems=list(_damage(database, directory / FILE_NAME)))
    if found.problems:
        return found
    settings, rows, tombstones = database.settings.all(), database.shards.all(), database.shards.tombstones()
    dim = int(settings.get("dim", "0"))
    _read_tables(database)
    living: dict[str, _Ids] = {}
    for number, row in enumerate(rows, start=1):
        try:
            shard = _checked(directory, row, dim)
        except SnapseekError as error:
            found.problems.append(Problem(_files_of(directory, row.stem), str(error)))
            found.broken.append(row)
        else:
            ids = shard.ids
            _check_columns(shard, found)
            deleted = tombstones.get(row.stem, _NO_IDS)
            living[row.stem] = np.setdiff1d(ids, deleted)
            found.stale_tombstones[row.stem] = np.setdiff1d(deleted, ids)
            found.next_id = max(found.next_id, int(ids.max(initial=0)) + 1)
        if progress is not None:
            progress(number / len(rows))
    _compare(database, directory, rows, living, found)
    if int(settings.get("next_id", "1")) < found.next_id:
        message = f"expected next_id of at least {found.next_id}, found {settings.get('next_id')}"
        found.problems.append(Problem(directory / FILE_NAME, message))
    return found


def _read_tables(database: Database) -> None:
    """Read the remaining tables. Raises FormatError for an invalid value."""
    database.sources.all()
    database.imports.all()
    for _ in database.files.all():
        pass


def _unknown_files(database: Database, directory: Path) -> list[Problem]:
    message = "expected only files of this library, found an unknown one; it is left alone"
    try:
        with database.reading():
            return [Problem(path, message) for path in unknown_files(database, directory)]
    except FormatError:  # `inspect` has reported it
        return []


def _damage(database: Database, path: Path) -> Iterator[Problem]:
    try:
        rows = database.connection.execute("PRAGMA integrity_check").fetchall()
    except sqlite3.DatabaseError as error:
        rows = [(str(error),)]
    for (message,) in rows:
        if message != "ok":
            yield Problem(path, message)


def _files_of(directory: Path, stem: str) -> Path:
    return directory / SHARDS / f"{stem}.*"


def _check_columns(shard: Shard, found: Findings) -> None:
    for column in shard.columns.kinds:
        if message := shard.columns.files.damage(column):
            found.columns.append((shard, column))
            found.problems.append(Problem(shard.columns.files.find(column) or Path(column), message))


def _checked(directory: Path, row: ShardRow, dim: int) -> Shard:
    """Open and verify a shard. Raises FormatError if it differs from what was written."""
    shard = Shard(directory, row.stem)
    shard.index.verify()
    ids = shard.index.ids()
    if (len(shard), shard.index.dim) != (row.rows, dim):
        raise FormatError(
            expected=f"{row.rows} rows of dimension {dim}",
            got=f"{len(shard)} rows of dimension {shard.index.dim}",
        )
    if len(np.unique(ids)) != len(ids):
        raise FormatError(expected="distinct ids", got="repeated ones")
    records = directory / SHARDS / f"{row.stem}.arrow"
    if row.records_crc is not None and crc_of(records) != row.records_crc:
        raise FormatError(expected=f"{records.name} as it was written", got="another checksum")
    _check_previews(shard)
    return shard


def _check_previews(shard: Shard) -> None:
    for batch in shard.records.batches:
        lengths = pc.binary_length(batch.column("preview"))  # type: ignore[call-overload]
        longest = pc.max(lengths).as_py() or 0
        if longest > MAX_PREVIEW_BYTES:
            raise FormatError(
                expected=f"previews of at most {MAX_PREVIEW_BYTES} bytes", got=f"one of {longest}"
            )


def _compare(
    database: Database, directory: Path, rows: Sequence[ShardRow], living: dict[str, _Ids], found: Findings
) -> None:
    """Compare the file table, tombstones and rows with each other."""
    known = np.fromiter(database.files.embedded_items(), np.int64)
    found.next_id = max(found.next_id, int(known.max(initial=0)) + 1)
    seen = _NO_IDS
    for row in sorted((row for row in rows if row.stem in living), key=lambda row: -row.generation):
        ids = living[row.stem]
        repeated = np.intersect1d(ids, seen)
        unknown = np.setdiff1d(ids, known) if row.source is None else _NO_IDS
        found.unknown[row.stem] = np.union1d(repeated, unknown)
        seen = np.union1d(seen, ids)
        for what, items in (
            ("living rows that a newer shard has, too", repeated),
            ("rows that no file is known for", unknown),
            ("tombstones of no row", found.stale_tombstones[row.stem]),
        ):
            if len(items):
                message = f"expected no {what}, found {_summary(items)}"
                found.problems.append(Problem(_files_of(directory, row.stem), message))
    found.lost = np.setdiff1d(known, seen)
    if len(found.lost):
        message = f"expected a row for each picture, found none for {_summary(found.lost)}"
        found.problems.append(Problem(directory / FILE_NAME, message))


def _summary(ids: _Ids) -> str:
    shown = ", ".join(str(item) for item in ids[:3].tolist())
    return f"{len(ids)} (ids {shown}{', …' if len(ids) > 3 else ''})"
