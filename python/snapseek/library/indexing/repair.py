"""What is broken in a library taken out of it, so that all else can be used and the rest be made again."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from snapseek.errors import FormatError
from snapseek.library.indexing.verify import PENDING_BYTES, Findings, Problem, inspect
from snapseek.library.storage.database import BROKEN, FILE_NAME, IMPORT, Database
from snapseek.library.storage.exclusive_writer import remove_stray_files
from snapseek.library.storage.library_meta import fresh_version


@dataclass(frozen=True)
class RepairReport:
    """What was wrong, and what is to be made again.

    `to_embed` pictures are embedded by the next sync, with the ids that they had. `to_import` are folders of
    vectors that are to be imported again.
    """

    problems: tuple[Problem, ...] = ()
    shards_dropped: int = 0
    to_embed: int = 0
    to_import: tuple[Path, ...] = ()


def repair(directory: Path) -> RepairReport:
    """Drop what is broken in the library `directory`, keep all else; one commit.

    Raises FormatError when the catalogue itself is damaged, LibraryNotFoundError, LibraryBusyError while
    another process writes, StorageError when the disk refuses.
    """
    Database.open(directory).close()
    with Database.holding(directory) as catalogue:  # what is damaged cannot say what is to be swept
        _check_readable(catalogue, directory / FILE_NAME)
        remove_stray_files(catalogue, directory)
        found = inspect(catalogue, directory)
        if not found.problems:
            return RepairReport()
        for shard, column in found.columns:
            shard.columns.rebuild(column)
        with catalogue.transaction():
            report = _mend(catalogue, found)
        remove_stray_files(catalogue, directory)
    return report


def _check_readable(catalogue: Database, path: Path) -> None:
    """Let the catalogue be sound, if need be with its indexes made anew. Raises FormatError."""
    check = "PRAGMA integrity_check"
    if catalogue.connection.execute(check).fetchone() == ("ok",):
        return
    catalogue.connection.execute("REINDEX")
    (message,) = catalogue.connection.execute(check).fetchone()
    if message != "ok":
        raise FormatError(f"{path} is damaged ({message}) and cannot be mended; index the folder anew")


def _mend(catalogue: Database, found: Findings) -> RepairReport:
    catalogue.drop_shards([row.stem for row in found.broken], BROKEN)
    imports = sorted({row.source for row in found.broken if row.source is not None})
    for place in imports:
        number = catalogue.source(IMPORT, place).number
        catalogue.connection.execute("DELETE FROM imports WHERE source = ?", (number,))
    for stem, items in found.unknown.items():
        catalogue.add_tombstones(stem, items.tolist())
    for stem, items in found.not_there.items():
        _unbury(catalogue, stem, items.tolist())
    catalogue.connection.executemany(
        "UPDATE files SET size_bytes = ?, content = NULL WHERE item = ?",
        [(PENDING_BYTES, item) for item in found.lost.tolist()],
    )
    next_id = max(found.next_id, int(catalogue.settings().get("next_id", "1")))
    catalogue.set_settings({"next_id": str(next_id)} | fresh_version())
    return RepairReport(tuple(found.problems), len(found.broken), len(found.lost), tuple(imports))


def _unbury(catalogue: Database, stem: str, items: Iterable[int]) -> None:
    catalogue.connection.executemany(
        "DELETE FROM tombstones WHERE stem = ? AND item = ?", [(stem, item) for item in items]
    )
