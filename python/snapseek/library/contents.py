"""The pictures of a library by their ids: what makes a `Library` a collection that is opened and closed."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from snapseek.library.filters.parser import ParsedQuery, parse_query
from snapseek.library.info import PartitionStatus
from snapseek.library.results import Hit, Hits
from snapseek.library.search.facets import Facet
from snapseek.library.search.request import Where
from snapseek.library.search.timeline import Timeline
from snapseek.library.snapshot import Snapshot
from snapseek.library.snapshot_cache import SnapshotCache


class LibraryContents(ABC):
    """The pictures of a library as a collection: `len`, `in`, `library[id]`, iteration and `with`."""

    _snapshots: SnapshotCache

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """Return the newest state."""

    def close(self) -> None:
        """Close the files of the library. Further calls of its methods raise LibraryError.

        Searches under way end as if it were open, and a `Snapshot` that you hold stays usable.
        """
        self._snapshots.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.snapshot())

    def __bool__(self) -> bool:
        """True: a library without pictures is one, too."""
        return True

    def __contains__(self, item: object) -> bool:
        """Return whether a picture has that id."""
        return item in self.snapshot()

    def __iter__(self) -> Iterator[Hit]:
        """Return an iterator over all pictures in stored order, without scores.

        Some thousands are in memory at a time, and all are of the state in which the iteration begins.
        """
        return iter(self.snapshot())

    def __getitem__(self, item: int) -> Hit:
        """Return the picture with that id, without a score.

        Raises ItemNotFoundError for an unknown id, and InputError for what is no id.
        """
        return self.snapshot()[item]

    def get_many(self, items: Sequence[int]) -> Hits:
        """Return the pictures with these ids in their order, without scores; unknown ids are skipped."""
        return self.snapshot().get_many(items)

    def vector(self, item: int) -> NDArray[np.float32]:
        """Return (dim,) float32, unit length, of the picture with that id. Raises ItemNotFoundError."""
        return self.snapshot().vector(item)

    def archive_uri(self, item: int) -> str | None:
        """Return the URI of an original inside an archive or a table, for `archive_uri.read_member`.

        None for any other picture. Raises ItemNotFoundError.
        """
        return self.snapshot().archive_uri(item)

    def original_path(self, item: int) -> Path:
        """Return the path that the original of a picture had when it was indexed.

        Raises
        ------
        ItemNotFoundError
            No picture has that id, or its original is no file of this machine. That of an imported picture is
            at its `uri`, if that is known; its untrusted author must not choose files of this machine, but in
            folders that you allow for this run. Also for a file outside the folder that contains the library,
            and outside those that you confirmed.
        """
        return self.snapshot().original_path(item)

    def facet(
        self,
        column: str,
        *,
        where: Where | None = None,
        contains: str = "",
        within: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> Facet:
        """Return the values of a column with their numbers of pictures; see `Facets.facet`.

        With `where`, only the pictures that match count. Raises InputError for an unknown column or filter.
        """
        return self.snapshot().overview.facet(
            column, where, contains=contains, within=within, limit=limit, offset=offset
        )

    def timeline(self, *, where: Where | None = None, sort: str = "newest") -> Timeline:
        """Return the months of the pictures that match, as `browse` lists them by `newest` or `oldest`."""
        return self.snapshot().overview.timeline(where, sort)

    def partitions(self) -> Sequence[PartitionStatus]:
        """Return the partitions of a collection; none for a library."""
        return ()

    def remote_original(self, item: int) -> bytes | None:
        """Return an original that the server of a partition has; None for any original of a library."""
        return None

    def parse_query(self, query: str) -> ParsedQuery:
        """Split a typed query into its words and its filters, as `search` does."""
        return parse_query(query, self.snapshot().kinds)

    def unconfirmed(self) -> tuple[Path, ...]:
        """Return the folders and lists that the library names and you have not confirmed.

        Their pictures are found, with their previews. Their originals are not shown, and `sync` skips them.
        """
        return self.snapshot().unconfirmed()
