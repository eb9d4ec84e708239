"""Commit new records of known pictures that were moved or touched, or whose sidecar files changed."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from snapseek.library.indexing.bounded_map import batched
from snapseek.library.indexing.change_records import changed_records
from snapseek.library.indexing.describe import describe, location_columns
from snapseek.library.indexing.file_tracker import FileTracker, KnownFile, PendingImage
from snapseek.library.records.arrow_file import SCHEMA
from snapseek.library.records.record_schema import record_schema
from snapseek.library.storage.database import Database
from snapseek.library.storage.library_meta import fresh_version
from snapseek.library.storage.shard_files import ShardFiles, remove_stray_files
from snapseek.library.storage.shards import Shards
from snapseek.sources import Picture, PictureSource
from snapseek.sources.fields.record_values import common_schema

_DESCRIBED_AT_ONCE = 32_768
"""Bounds the metadata in memory, and how often a large shard is rewritten."""


@dataclass(frozen=True)
class RecordUpdate:
    """Updates the records of a library that is open for writing; nothing is embedded.

    Parameters
    ----------
    database, directory
        The library.
    threads
        How many files are read at a time.
    readers
        The sources by number. They were scanned, so they know the rows of tables with the pictures.
    note
        Called with a picture and what was skipped of its sidecar files.
    """

    database: Database
    directory: Path
    threads: int
    readers: Mapping[int, PictureSource]
    note: Callable[[Picture, Sequence[str]], object]

    def described(self, tracker: FileTracker) -> int:
        """Update the pictures whose sidecar files were added, changed or removed. Return how many were."""
        count = 0
        for batch in batched(tracker.described(), _DESCRIBED_AT_ONCE):
            with self.records(batch) as (_, unread):
                read = [image for image in batch if image.item not in unread]
                tracker.sidecars.store([(image.source, os.fsencode(image.picture.within)) for image in read])
            count += len(read)
        return count

    @contextmanager
    def records(self, images: Sequence[KnownFile | PendingImage]) -> Iterator[tuple[Shards, set[int]]]:
        """Commit what the block writes, with new records of the files whose ids are known.

        Yields the shards, and the ids of files that cannot be read now: their metadata stays.
        """
        rows = self.database.shards.all()
        shards = Shards(self.directory, rows, self.database.shards.tombstones())
        known = [image for image in images if image.item is not None]
        columns = self._columns(shards)
        changes, unread = self._changes(known, _own_names(shards, columns))
        files = ShardFiles(self.database, self.directory)
        by_stem = {row.stem: row for row in rows}
        with (
            changed_records(files, by_stem, shards, changes, columns) as changed,
            self.database.transaction(),
        ):
            yield shards, unread
            changed.commit(self.database)
            self.database.settings.update(fresh_version())
        remove_stray_files(self.database, self.directory)

    def _with_rows(self, known: Sequence[KnownFile | PendingImage]) -> Iterator[tuple[Picture, int]]:
        """Yield the pictures and ids, with what the tables of their sources hold for them now."""
        for (number, _), group in groupby(known, key=_scanned_together):
            images = list(group)
            items = {image.picture.within: image.item for image in images if image.item is not None}
            for picture in self.readers[number].read([image.picture for image in images]):
                yield picture, items[picture.within]

    def _columns(self, shards: Shards) -> pa.Schema:
        """Return the columns of new records: those of all pictures, and those of the tables."""
        own = common_schema(reader.columns() for reader in self.readers.values())
        return record_schema(
            (part.shard.records.schema for part in shards.parts if not part.is_imported), own
        )

    def _changes(
        self, known: Sequence[KnownFile | PendingImage], own: dict[str, None]
    ) -> tuple[dict[int, dict[str, Any]], set[int]]:
        """Return where files are and what their metadata is, as columns; and the ids of unreadable ones."""
        changes, unread = {}, set()
        read = list(self._with_rows(known))
        descriptions = describe([picture for picture, _ in read], self.threads)
        for (picture, item), description in zip(read, descriptions, strict=True):
            columns = location_columns(picture)
            if description.columns is not None:
                columns |= own | description.columns
            columns["uri"] = self.database.relocation.recorded_uri(columns["uri"])
            changes[item] = columns
            if description.columns is None:
                unread.add(item)
            self.note(picture, description.notes)
        return changes, unread


def _own_names(shards: Shards, columns: pa.Schema) -> dict[str, None]:
    """Return null for each column of users' tables: a picture without a value in its row has none."""
    schemas = [part.shard.records.schema for part in shards.parts if not part.is_imported]
    names = (name for schema in (*schemas, columns) for name in schema.names)
    return {name: None for name in names if name not in SCHEMA.names}


def _scanned_together(image: KnownFile | PendingImage) -> tuple[int, bool]:
    """Return a key of images that follow each other in the order of their source."""
    is_moved = isinstance(image, KnownFile) and image.old != (image.source, os.fsencode(image.picture.within))
    return image.source, is_moved
