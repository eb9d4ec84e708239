"""Commit new records of known pictures that were moved or touched, or whose sidecar files changed."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapseek.library.indexing.bounded_map import batched
from snapseek.library.indexing.change_records import changed_records
from snapseek.library.indexing.describe import describe, location_columns
from snapseek.library.indexing.file_tracker import FileTracker
from snapseek.library.records.record_schema import built_in_columns
from snapseek.library.storage.database import Database
from snapseek.library.storage.library_meta import fresh_version
from snapseek.library.storage.shard_files import ShardFiles, remove_stray_files
from snapseek.library.storage.shards import Shards
from snapseek.sources import Picture

_DESCRIBED_AT_ONCE = 32_768
"""Bounds the metadata in memory, and how often a large shard is rewritten."""


@dataclass(frozen=True)
class RecordUpdate:
    """Updates the records of a library that is open for writing; nothing is embedded.

    `note` is called with a picture and what was skipped of its sidecar files.
    """

    database: Database
    directory: Path
    threads: int
    note: Callable[[Picture, Sequence[str]], object]

    def described(self, tracker: FileTracker) -> int:
        """Update the pictures whose sidecar files were added, changed or removed. Return how many were."""
        count = 0
        for batch in batched(tracker.described(), _DESCRIBED_AT_ONCE):
            with self.records([(image.picture, image.item) for image in batch]) as (_, unread):
                read = [image for image in batch if image.item not in unread]
                tracker.sidecars.store([(image.source, os.fsencode(image.picture.within)) for image in read])
            count += len(read)
        return count

    @contextmanager
    def records(self, pictures: Sequence[tuple[Picture, int | None]]) -> Iterator[tuple[Shards, set[int]]]:
        """Commit what the block writes, with new records of the files whose ids are known.

        Yields the shards, and the ids of files that cannot be read now: their metadata stays.
        """
        rows = self.database.shards.all()
        shards = Shards(self.directory, rows, self.database.shards.tombstones())
        changes, unread = self._changes([(picture, item) for picture, item in pictures if item is not None])
        files = ShardFiles(self.database, self.directory)
        by_stem = {row.stem: row for row in rows}
        columns = built_in_columns(part.shard.records.schema for part in shards.parts if not part.is_imported)
        with (
            changed_records(files, by_stem, shards, changes, columns) as changed,
            self.database.transaction(),
        ):
            yield shards, unread
            changed.commit(self.database)
            self.database.settings.update(fresh_version())
        remove_stray_files(self.database, self.directory)

    def _changes(self, known: Sequence[tuple[Picture, int]]) -> tuple[dict[int, dict[str, Any]], set[int]]:
        """Return where files are and what their metadata is, as columns; and the ids of unreadable ones."""
        changes, unread = {}, set()
        descriptions = describe([picture for picture, _ in known], self.threads)
        for (picture, item), description in zip(known, descriptions, strict=True):
            columns = location_columns(picture) | (description.columns or {})
            columns["uri"] = self.database.relocation.recorded_uri(columns["uri"])
            changes[item] = columns
            if description.columns is None:
                unread.add(item)
            self.note(picture, description.notes)
        return changes, unread
