"""Who writes a library."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from snapseek.errors import StorageError
from snapseek.library.disk.catalogue import Catalogue
from snapseek.library.disk.shard_files import ShardFiles


@contextmanager
def writer(directory: Path) -> Iterator[Catalogue]:
    """The only writer of the library; what a killed one left behind is removed first.

    Raises as `Catalogue.holding` does.
    """
    with Catalogue.holding(directory) as catalogue:
        sweep_strays(catalogue, directory)
        try:
            yield catalogue
        finally:
            catalogue.drafts.clear()
            with suppress(
                sqlite3.DatabaseError, StorageError
            ):  # what was committed is: the next writer sweeps
                sweep_strays(catalogue, directory)


def sweep_strays(catalogue: Catalogue, directory: Path) -> None:
    """Remove our own files of shards that do not exist, or no more."""
    ShardFiles(catalogue, directory).sweep()
