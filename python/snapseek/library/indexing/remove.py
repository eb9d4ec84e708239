"""Pictures taken out of a library; their files are not touched."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from snapseek.absolute_path import absolute_path
from snapseek.errors import InputError, ItemNotFoundError
from snapseek.library.indexing.compact import CompactOptions, compact_if_space
from snapseek.library.storage.database import IMPORT, Database, Source
from snapseek.library.storage.exclusive_writer import exclusive_writer, remove_stray_files
from snapseek.library.storage.library_meta import fresh_version
from snapseek.library.storage.shards import Shards

REASON = "removed from the library by hand"


def remove(directory: Path, what: Sequence[int | str | Path], how: CompactOptions) -> int:
    """Take out pictures by id, by path, all below a folder, or all of a source; how many.

    A later `sync` does not take them up again unless they change; a source that is named as a whole is
    forgotten. All or nothing. Raises ItemNotFoundError for an id of no picture, InputError for a path that
    the library does not know, LibraryBusyError while another process writes.
    """
    with exclusive_writer(directory) as catalogue:
        shards = Shards(directory, catalogue.shards(), catalogue.tombstones())
        before = len(shards)
        with catalogue.transaction():
            _remove_items(catalogue, shards, [one for one in what if isinstance(one, int)])
            for path in (absolute_path(one) for one in what if not isinstance(one, int)):
                _remove_path(catalogue, shards, path)
            catalogue.set_settings(fresh_version())
        remove_stray_files(catalogue, directory)
        after = len(Shards(directory, catalogue.shards(), catalogue.tombstones(), shards))
        compact_if_space(catalogue, directory, how)
    return before - after


def _remove_items(catalogue: Database, shards: Shards, items: Sequence[int]) -> None:
    for item in items:
        if shards.place_of(item) is None:
            raise ItemNotFoundError(f"expected the id of a picture of this library, found {item}")
    _bury(catalogue, shards, items)
    catalogue.connection.executemany(
        "UPDATE files SET item = NULL, reason = ?, is_removed = 1 WHERE item = ?",
        [(REASON, item) for item in items],
    )


def _bury(catalogue: Database, shards: Shards, items: Iterable[int]) -> None:
    for stem, here in shards.shards_of(items).items():
        catalogue.add_tombstones(stem, here.tolist())


def _remove_path(catalogue: Database, shards: Shards, path: Path) -> None:
    sources = catalogue.sources()
    named = [source for source in sources if source.place == path]
    for source in named:
        _forget(catalogue, shards, source)
    if named:
        return
    around = [s for s in sources if s.kind != IMPORT and path.is_relative_to(s.place)]
    if sum(_remove_below(catalogue, shards, source, path) for source in around) == 0:
        raise InputError(f"expected a picture or folder of this library, found {path}; see: snapseek info")


def _forget(catalogue: Database, shards: Shards, source: Source) -> None:
    if source.kind == IMPORT:
        catalogue.replace_shards(source.place, [])
    else:
        rows = catalogue.connection.execute(
            "SELECT item FROM files WHERE source = ? AND item IS NOT NULL", (source.number,)
        )
        _bury(catalogue, shards, [item for (item,) in rows])
    catalogue.forget_source(source)


def _remove_below(catalogue: Database, shards: Shards, source: Source, path: Path) -> int:
    """The file `path`, or all below it; how many files."""
    within = os.fsencode(path.relative_to(source.place).as_posix())
    rows = catalogue.connection.execute(
        "SELECT within, item FROM files WHERE source = ? AND (within = ? OR substr(within, 1, ?) = ?)",
        (source.number, within, len(within) + 1, within + b"/"),
    ).fetchall()
    _bury(catalogue, shards, [item for _, item in rows if item is not None])
    catalogue.connection.executemany(
        "UPDATE files SET item = NULL, reason = ?, is_removed = 1 WHERE source = ? AND within = ?",
        [(REASON, source.number, found) for found, _ in rows],
    )
    return len(rows)
