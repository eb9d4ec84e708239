"""Who writes a library."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from snapseek.errors import StorageError
from snapseek.library.storage.database import Database
from snapseek.library.storage.shard_files import ShardFiles


@contextmanager
def exclusive_writer(directory: Path) -> Iterator[Database]:
    """The only writer of the library; what a killed one left behind is removed first.

    Raises as `Catalogue.holding` does.
    """
    with Database.holding(directory) as catalogue:
        remove_stray_files(catalogue, directory)
        try:
            yield catalogue
        finally:
            catalogue.drafts.clear()
            with suppress(
                sqlite3.DatabaseError, StorageError
            ):  # what was committed is: the next writer sweeps
                remove_stray_files(catalogue, directory)


def remove_stray_files(catalogue: Database, directory: Path) -> None:
    """Remove our own files of shards that do not exist, or no more."""
    ShardFiles(catalogue, directory).sweep()
