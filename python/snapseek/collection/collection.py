"""The public class `Collection`: the read interface of a library, over several of them."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Self, cast

from snapseek.absolute_path import absolute_path
from snapseek.collection import local_partitions, teaching
from snapseek.collection.export import ExportedPartitions
from snapseek.collection.manifest import manifest_path
from snapseek.collection.only_read import OnlyRead
from snapseek.collection.originals import remote_original
from snapseek.collection.partitions import LocalPartition
from snapseek.collection.state_cache import CollectionCache
from snapseek.errors import InputError, LibraryNotFoundError, UnknownChoiceError
from snapseek.library.concepts.edit import Marks
from snapseek.library.concepts.teaching import Concept, TeachableLibrary
from snapseek.library.encoders import EncoderPool
from snapseek.library.export import check_target
from snapseek.library.storage.confirmations import Confirmed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from snapseek.collection.collection_snapshot import CollectionSnapshot
    from snapseek.library.info import Failure, PartitionStatus, SkippedFile
    from snapseek.library.missing_previews import MissingPreviews
    from snapseek.library.reader import LibraryReader
    from snapseek.library.snapshot import Snapshot
    from snapseek.library.snapshot_cache import SnapshotCache
    from snapseek.library.source_states import Sources
    from snapseek.mapped_file import LoadMode
    from snapseek.models import Encoder

TOKEN_VARIABLE = "SNAPSEEK_PARTITION_TOKEN"  # noqa: S105
"""The environment variable with the access token of the servers of partitions."""


class Collection(OnlyRead, TeachableLibrary):
    """Several libraries searched as one. Open one with `Collection.open` or `Library.open`.

    Every method that reads a `Library` reads a collection. Ids differ from those in the partitions: see
    `snapseek.collection.manifest`. It can be taught words. Everything else that writes is done to the
    partitions, which are ordinary libraries.

    Safe to use from many threads.
    """

    _cache: CollectionCache
    is_collection = True

    def _new_snapshots(self, load: LoadMode) -> SnapshotCache:
        self._cache = CollectionCache(self._path, self._allowed, load, os.environ.get(TOKEN_VARIABLE) or None)
        self._cache.prepare = self.encoders.prepare
        weakref.finalize(self, self._cache.close)
        return cast("SnapshotCache", self._cache)

    def __repr__(self) -> str:
        state = self.collection_snapshot()
        return (
            f"<{type(self).__name__} {str(self._path)!r}: {len(state)} pictures in "
            f"{len(state.members)} of {len(state.manifest.partitions)} partitions>"
        )

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        encoder: Encoder | None = None,
        load: LoadMode = "map",
        allow_roots: Sequence[str | Path] = (),
        allow_urls: bool = False,
    ) -> Self:
        """Open the collection of a manifest, or of a directory with a `collection.json`.

        The arguments are those of `Library.open`. Partitions that cannot answer now are no error: answers
        say which ones are missing, and they are tried again.

        Raises
        ------
        LibraryNotFoundError
            There is no manifest.
        FormatError
            A field of it cannot be used.
        """
        found = manifest_path(path)
        if found is None:
            raise LibraryNotFoundError(expected=f"a collection at {path}", got="none")
        roots = tuple(absolute_path(root) for root in allow_roots)
        if load not in ("map", "ram"):
            raise UnknownChoiceError(expected="load to be 'map' or 'ram'", got=repr(load))
        manifest = absolute_path(found)
        pool = EncoderPool(manifest.parent, encoder)
        collection = cls._opened(manifest, pool, Confirmed(roots, allow_urls), load)
        if encoder is not None:
            collection.encoders.check(encoder, collection.snapshot())
        return collection

    def collection_snapshot(self) -> CollectionSnapshot:
        """Return the newest state: the same as `snapshot()`, with its own type."""
        return self._cache.now()

    def snapshot(self) -> Snapshot:
        """Return the newest state, which never changes: for several reads that belong together."""
        return cast("Snapshot", self._cache.now())

    def partitions(self) -> list[PartitionStatus]:
        """Return the partitions, and which of them answer."""
        return self.collection_snapshot().states()

    def remote_original(self, item: int) -> bytes | None:
        """Return an original that the server of a partition has; None for one of this machine.

        Raises ItemNotFoundError if it has none.
        """
        state = self.collection_snapshot()
        member, local = state.member_of(item)
        if isinstance(member.partition, LocalPartition):
            return None
        return remote_original(member.partition, local, item, state.manifest.deadline_s)

    def teach(
        self,
        name: str,
        examples: Sequence[int] = (),
        counterexamples: Sequence[int] = (),
        *,
        unmark: Sequence[int] = (),
    ) -> Concept:
        """Teach the collection a word by pictures of any partition; see `Library.teach`.

        The manifest stores the name and the ids. A partition of this machine brings the words that it was
        taught itself when it is added; those of later are its own.
        """
        marks = Marks.of(name, examples, counterexamples, unmark)
        self.collection_snapshot().check_items([*marks.examples, *marks.counterexamples])
        teaching.teach(self._path, marks)
        self._see_commit()
        return self.concept(name)

    def rename_concept(self, name: str, new_name: str) -> Concept:
        """Give a taught word another name; see `Library.rename_concept`."""
        teaching.rename_concept(self._path, name, new_name)
        self._see_commit()
        return self.concept(new_name)

    def delete_concept(self, name: str) -> None:
        """Forget a taught word and its marks; see `Library.delete_concept`."""
        teaching.delete_concept(self._path, name)
        self._see_commit()

    def failures(self) -> list[Failure]:
        """Return every file of the partitions of this machine that could not be indexed completely."""
        return list(dict.fromkeys(one for library in self._libraries() for one in library.failures()))

    def skipped(self) -> list[SkippedFile]:
        """Return the files of the partitions of this machine that were not read as pictures."""
        return list(dict.fromkeys(one for library in self._libraries() for one in library.skipped()))

    def sources(self) -> Sources:
        """Return where the pictures of the partitions of this machine came from."""
        return local_partitions.sources_of(self._libraries())

    def missing_previews(self) -> MissingPreviews:
        """Return how many pictures of the partitions of this machine have no preview."""
        return local_partitions.missing_previews_of(self._libraries())

    def _exported(self) -> ExportedPartitions:
        return ExportedPartitions(self.collection_snapshot())

    def _check_target(self, target: Path) -> None:
        """Raise unless a file may appear at `target`: it is none of the collection or of its partitions."""
        if absolute_path(target).resolve() == self._path.resolve():
            raise InputError(
                expected="a file that is not the collection", got=str(target), hint="choose another place"
            )
        check_target(target, self._path.parent)

    def _libraries(self) -> list[LibraryReader]:
        members = self.collection_snapshot().members.values()
        partitions = [member.partition for member in members]
        return [one.library for one in partitions if isinstance(one, LocalPartition)]
