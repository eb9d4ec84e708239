"""Whether a library is whole: every file read, every checksum compared, every id counted."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from snapseek.errors import FormatError, SnapseekError
from snapseek.images import MAX_PREVIEW_BYTES
from snapseek.library.storage.database import FILE_NAME, Database
from snapseek.library.storage.database_rows import ShardRow
from snapseek.library.storage.fsync import crc_of
from snapseek.library.storage.shard import DIRECTORY, Shard
from snapseek.library.storage.shard_files import unknown_files

PENDING_BYTES = -1
"""As a file's size in the ledger: the id is kept, the picture is to be embedded again."""

_Ids = NDArray[np.int64]
_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Problem:
    """What is wrong at a place: a file of the library, or a table of its catalogue."""

    place: Path
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass
class Findings:
    """What was found in a library: problems, and what of it is usable."""

    problems: list[Problem] = field(default_factory=list)
    broken: list[ShardRow] = field(default_factory=list)
    """Shards that cannot be used, or are not what was written."""
    lost: _Ids = field(default_factory=lambda: _NONE)
    """Ids that files are said to have, with no row in a sound shard; rising."""
    unknown: dict[str, _Ids] = field(default_factory=dict)
    """Living rows of pictures, by shard, that no file is said to have, or that a newer shard has, too."""
    not_there: dict[str, _Ids] = field(default_factory=dict)
    """Tombstones, by shard, of ids without a row there."""
    columns: list[tuple[Shard, str]] = field(default_factory=list)
    """Columns whose index file is damaged; it is derived from sound records."""
    next_id: int = 1
    """The lowest id that was never given."""


def verify(directory: Path, progress: Callable[[float], object] | None = None) -> list[Problem]:
    """Everything that is wrong with the library `directory`; nothing when it is whole.

    A file next to the shards that the library does not know is reported as well; nothing removes it.

    Reads all of it. `progress` is called with the share that is done. Raises LibraryNotFoundError.
    """
    with Database.open(directory) as catalogue:
        while True:
            seen = catalogue.changes()
            problems = _problems(catalogue, directory, progress)
            problems += _unknown_files(catalogue, directory)
            if not problems or catalogue.changes() == seen:
                return problems
            # A commit came between, and files that were named when it began may be gone: look again.


def _problems(
    catalogue: Database, directory: Path, progress: Callable[[float], object] | None
) -> list[Problem]:
    try:
        with catalogue.reading():
            return inspect(catalogue, directory, progress).problems
    except FormatError as error:
        return [Problem(directory / FILE_NAME, str(error))]


def inspect(
    catalogue: Database, directory: Path, progress: Callable[[float], object] | None = None
) -> Findings:
    """Look at all of an open library."""
    found = Findings(problems=list(_damage(catalogue, directory / FILE_NAME)))
    if found.problems:
        return found
    settings, rows, dead = catalogue.settings(), catalogue.shards(), catalogue.tombstones()
    dim = int(settings.get("dim", "0"))
    _read_tables(catalogue)
    living: dict[str, _Ids] = {}
    for number, row in enumerate(rows, start=1):
        try:
            shard = _checked(directory, row, dim)
        except SnapseekError as error:
            found.problems.append(Problem(_place(directory, row.stem), str(error)))
            found.broken.append(row)
        else:
            ids = shard.ids
            _check_columns(shard, found)
            buried = dead.get(row.stem, _NONE)
            living[row.stem] = np.setdiff1d(ids, buried)
            found.not_there[row.stem] = np.setdiff1d(buried, ids)
            found.next_id = max(found.next_id, int(ids.max(initial=0)) + 1)
        if progress is not None:
            progress(number / len(rows))
    _compare(catalogue, directory, rows, living, found)
    if int(settings.get("next_id", "1")) < found.next_id:
        what = f"expected next_id of at least {found.next_id}, found {settings.get('next_id')}"
        found.problems.append(Problem(directory / FILE_NAME, what))
    return found


def _read_tables(catalogue: Database) -> None:
    """Read the tables that nothing else here reads. Raises FormatError for a value that cannot be."""
    catalogue.sources()
    catalogue.imports()
    for _ in catalogue.files():
        pass


def _unknown_files(catalogue: Database, directory: Path) -> list[Problem]:
    what = "expected nothing but files of this library, found one that it does not know; it is left alone"
    try:
        with catalogue.reading():
            return [Problem(path, what) for path in unknown_files(catalogue, directory)]
    except FormatError:  # `inspect` has reported it
        return []


def _damage(catalogue: Database, path: Path) -> Iterator[Problem]:
    try:
        rows = catalogue.connection.execute("PRAGMA integrity_check").fetchall()
    except sqlite3.DatabaseError as error:
        rows = [(str(error),)]
    for (message,) in rows:
        if message != "ok":
            yield Problem(path, message)


def _place(directory: Path, stem: str) -> Path:
    return directory / DIRECTORY / f"{stem}.*"


def _check_columns(shard: Shard, found: Findings) -> None:
    for column in shard.columns.kinds:
        if what := shard.columns.damage(column):
            found.columns.append((shard, column))
            found.problems.append(Problem(shard.columns.file_of(column) or Path(column), what))


def _checked(directory: Path, row: ShardRow, dim: int) -> Shard:
    """Open a sound shard. Raises FormatError for one that is not what was written."""
    shard = Shard(directory, row.stem)
    shard.index.verify()
    ids = shard.index.ids()
    if (len(shard), shard.index.dim) != (row.rows, dim):
        raise FormatError(
            f"expected {row.rows} rows of {dim} numbers, found {len(shard)} rows of {shard.index.dim}"
        )
    if len(np.unique(ids)) != len(ids):
        raise FormatError("expected ids that are all different, found some twice")
    records = directory / DIRECTORY / f"{row.stem}.arrow"
    if row.records_crc is not None and crc_of(records) != row.records_crc:
        raise FormatError(f"expected {records.name} as it was written, found another checksum")
    _check_previews(shard)
    return shard


def _check_previews(shard: Shard) -> None:
    for batch in shard.records.batches:
        lengths = pc.binary_length(batch.column("preview"))  # type: ignore[call-overload]
        longest = pc.max(lengths).as_py() or 0
        if longest > MAX_PREVIEW_BYTES:
            raise FormatError(
                f"expected previews of at most {MAX_PREVIEW_BYTES} bytes, found one of {longest}"
            )


def _compare(
    catalogue: Database, directory: Path, rows: Sequence[ShardRow], living: dict[str, _Ids], found: Findings
) -> None:
    """Ledger, tombstones and rows must tell the same."""
    query = "SELECT item FROM files WHERE item IS NOT NULL AND size_bytes <> ?"
    told = np.fromiter((item for (item,) in catalogue.connection.execute(query, (PENDING_BYTES,))), np.int64)
    found.next_id = max(found.next_id, int(told.max(initial=0)) + 1)
    seen = _NONE
    for row in sorted((row for row in rows if row.stem in living), key=lambda row: -row.generation):
        ids = living[row.stem]
        twice = np.intersect1d(ids, seen)
        strangers = np.setdiff1d(ids, told) if row.source is None else _NONE
        found.unknown[row.stem] = np.union1d(twice, strangers)
        seen = np.union1d(seen, ids)
        for what, some in (
            ("living rows that a newer shard has, too", twice),
            ("rows that no file is known for", strangers),
            ("tombstones of no row", found.not_there[row.stem]),
        ):
            if len(some):
                found.problems.append(
                    Problem(_place(directory, row.stem), f"expected no {what}, found {_some(some)}")
                )
    found.lost = np.setdiff1d(told, seen)
    if len(found.lost):
        what = f"expected a row for each picture, found none for {_some(found.lost)}"
        found.problems.append(Problem(directory / FILE_NAME, what))


def _some(ids: _Ids) -> str:
    shown = ", ".join(str(item) for item in ids[:3].tolist())
    return f"{len(ids)} (ids {shown}{', …' if len(ids) > 3 else ''})"
