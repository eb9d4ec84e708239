"""Who writes a library."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snapseek.library.disk.catalogue import Catalogue
from snapseek.library.disk.shard import sweep


@contextmanager
def writer(directory: Path) -> Iterator[Catalogue]:
    """The only writer of the library; what a killed one left behind is swept away first.

    Raises as `Catalogue.holding` does.
    """
    with Catalogue.holding(directory) as catalogue:
        sweep_strays(catalogue, directory)
        yield catalogue


def sweep_strays(catalogue: Catalogue, directory: Path) -> None:
    """Remove the files of shards that do not exist, or no more."""
    sweep(directory, [shard.stem for shard in catalogue.shards()])
