"""Remove pictures from a library; their files are not touched."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from snapseek.absolute_path import absolute_path
from snapseek.errors import InputError, ItemNotFoundError
from snapseek.library.indexing.compact import CompactOptions, compact_if_space
from snapseek.library.storage.database import Database
from snapseek.library.storage.library_meta import fresh_version
from snapseek.library.storage.schema import IMPORT
from snapseek.library.storage.shard_files import exclusive_writer, remove_stray_files
from snapseek.library.storage.shards import Shards
from snapseek.library.storage.source_table import Source


def remove(directory: Path, pictures: Sequence[int | str | Path], options: CompactOptions) -> int:
    """Remove pictures from the library at `directory`, all or none.

    A later `sync` does not add them again unless their files change. A source that is named as a whole is
    forgotten.

    Parameters
    ----------
    directory
        The library.
    pictures
        Each an id, the path of a file, or a folder, which stands for all pictures below it.
    options
        How shards are merged afterwards.

    Returns
    -------
    int
        How many pictures were removed.

    Raises
    ------
    ItemNotFoundError
        If no picture has one of the ids.
    InputError
        If the library does not know a path.
    LibraryBusyError
        If another process is writing.
    """
    with exclusive_writer(directory) as database:
        shards = Shards(directory, database.shards.all(), database.shards.tombstones())
        before = len(shards)
        with database.transaction():
            _remove_items(database, shards, [item for item in pictures if isinstance(item, int)])
            paths = [absolute_path(path) for path in pictures if not isinstance(path, int)]
            for path in paths:
                _remove_path(database, shards, path)
            database.settings.update(fresh_version())
        remove_stray_files(database, directory)
        after = len(Shards(directory, database.shards.all(), database.shards.tombstones(), shards))
        compact_if_space(database, directory, options)
    return before - after


def _remove_items(database: Database, shards: Shards, items: Sequence[int]) -> None:
    for item in items:
        if shards.find(item) is None:
            raise ItemNotFoundError(expected="the id of a picture of this library", got=str(item))
    _add_tombstones(database, shards, items)
    database.files.mark_removed(items)


def _add_tombstones(database: Database, shards: Shards, items: Iterable[int]) -> None:
    for stem, ids in shards.shards_of(items).items():
        database.shards.add_tombstones(stem, ids.tolist())


def _remove_path(database: Database, shards: Shards, path: Path) -> None:
    sources = database.sources.all()
    whole = [source for source in sources if source.path == path]
    for source in whole:
        _remove_source(database, shards, source)
    if whole:
        return
    parents = [s for s in sources if s.kind != IMPORT and path.is_relative_to(s.path)]
    if sum(_remove_below(database, shards, source, path) for source in parents) == 0:
        raise InputError(
            expected="a picture or folder of this library", got=str(path), hint="see: snapseek info"
        )


def _remove_source(database: Database, shards: Shards, source: Source) -> None:
    if source.kind == IMPORT:
        database.shards.replace(source.path, [])
    else:
        _add_tombstones(database, shards, database.files.items(source))
    database.sources.remove(source)
    database.folders.forget(source.number)


def _remove_below(database: Database, shards: Shards, source: Source, path: Path) -> int:
    """Remove the file `path`, or all below it. Return the number of files."""
    within = os.fsencode(path.relative_to(source.path).as_posix())
    files = database.files.below(source, within)
    _add_tombstones(database, shards, [item for _, item in files if item is not None])
    database.files.mark_removed_within(source, [name for name, _ in files])
    return len(files)
