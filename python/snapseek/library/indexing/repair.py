"""Remove what is damaged from a library, so that the rest can be used."""

from dataclasses import dataclass, replace
from pathlib import Path

from snapseek.errors import FormatError
from snapseek.library.indexing.salvage import salvage
from snapseek.library.indexing.verify import Findings, Problem, inspect
from snapseek.library.storage.database import Database
from snapseek.library.storage.library_meta import fresh_version
from snapseek.library.storage.schema import BROKEN, FILE_NAME
from snapseek.library.storage.shard_files import remove_stray_files


@dataclass(frozen=True)
class RepairReport:
    """What was damaged, and what has to be done again.

    `shards_rewritten` had single values that were not valid, and keep all their pictures. The next sync
    embeds `to_embed` pictures, under the ids that they had. `to_import` are folders of vectors that have to
    be imported again.
    """

    problems: tuple[Problem, ...] = ()
    shards_dropped: int = 0
    to_embed: int = 0
    to_import: tuple[Path, ...] = ()
    shards_rewritten: int = 0


def repair(directory: Path) -> RepairReport:
    """Drop what is damaged in the library at `directory`, keep everything else; one commit.

    Raises
    ------
    FormatError
        If the database itself is damaged.
    LibraryNotFoundError
        If there is no library.
    LibraryBusyError
        If another process is writing.
    StorageError
        If the disk refuses.
    """
    Database.open(directory).close()
    # Not `exclusive_writer`: a damaged database cannot say which files are stray.
    with Database.open_for_writing(directory) as database:
        _check_integrity(database, directory / FILE_NAME)
        remove_stray_files(database, directory)
        found = inspect(database, directory)
        if not found.problems:
            return RepairReport()
        problems = found.problems
        rewritten = salvage(database, directory, found.broken)
        if rewritten:
            found = inspect(database, directory)
        for shard, column in found.columns:
            shard.columns.rebuild(column)
        with database.transaction():
            report = _apply(database, found)
        remove_stray_files(database, directory)
    return replace(report, problems=tuple(problems), shards_rewritten=rewritten)


def _check_integrity(database: Database, path: Path) -> None:
    """Raise FormatError unless the database is sound, if need be after rebuilding its SQL indexes."""
    check = "PRAGMA integrity_check"
    if database.connection.execute(check).fetchone() == ("ok",):
        return
    database.connection.execute("REINDEX")
    (message,) = database.connection.execute(check).fetchone()
    if message != "ok":
        raise FormatError(
            f"{path} is damaged ({message}) and cannot be repaired",
            hint="index the folder into a new library",
        )


def _apply(database: Database, found: Findings) -> RepairReport:
    database.shards.drop([row.stem for row in found.broken], BROKEN)
    imports = sorted({row.source for row in found.broken if row.source is not None})
    for path in imports:
        database.imports.replace(path, [])
    for stem, items in found.unknown.items():
        database.shards.add_tombstones(stem, items.tolist())
    for stem, items in found.stale_tombstones.items():
        database.shards.remove_tombstones(stem, items.tolist())
    database.files.mark_pending(found.lost.tolist())
    next_id = max(found.next_id, int(database.settings.all().get("next_id", "1")))
    database.settings.update({"next_id": str(next_id)} | fresh_version())
    return RepairReport(tuple(found.problems), len(found.broken), len(found.lost), tuple(imports))
