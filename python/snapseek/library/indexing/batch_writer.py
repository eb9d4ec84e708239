"""Write embedded pictures into the library in batches, one commit each."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from snapseek.library.indexing.embed import Outcome
from snapseek.library.indexing.file_tracker import PendingImage
from snapseek.library.indexing.sidecar_tracker import SidecarTracker
from snapseek.library.records.arrow_file import SCHEMA
from snapseek.library.storage.database import Database
from snapseek.library.storage.library_meta import library_meta, queries_of
from snapseek.library.storage.shard_draft import Queries, ShardDraft
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.library.storage.shards import Shards
from snapseek.models import Encoder

BATCH_ROWS = 4096
BATCH_S = 30.0
"""Bound the work that an interrupted index loses."""

FIRST_ROWS = 24
FIRST_BATCH_S = 1.0
"""The first commit comes with the tiles of a screen, or after this time, so that pictures appear at once. The
second one comes after this time, too; later batches double up to `BATCH_S`."""

_DONE = """
DROP TABLE IF EXISTS temp.done;
CREATE TEMP TABLE done AS SELECT * FROM main.files WHERE 0;
"""


class BatchWriter:
    """Commits the outcomes of pictures, a batch at a time.

    Leaving the `with` block without `finish` discards what was not committed.

    Parameters
    ----------
    database
        Open for writing.
    directory
        The library.
    encoder
        The model that embedded the pictures.
    schema
        The columns of records.
    queries
        What a new index is trained for; by default sample queries of the model.
    threads
        How many threads build an index.
    after_commit
        Called after each commit.
    """

    def __init__(
        self,
        database: Database,
        directory: Path,
        encoder: Encoder,
        *,
        schema: pa.Schema = SCHEMA,
        queries: Queries | None = None,
        threads: int | None = None,
        after_commit: Callable[[], object] = lambda: None,
    ) -> None:
        self._database = database
        self._directory = directory
        self._encoder = encoder
        self._schema = schema
        self._sidecars = SidecarTracker(database.connection)
        self._queries = queries
        self._threads = threads
        self._after_commit = after_commit
        self._batch_s = FIRST_BATCH_S
        self._is_first = True
        self._next_id = int(database.settings.all().get("next_id", "1"))
        self._begin()

    def _begin(self) -> None:
        self._draft: ShardDraft | None = None
        self._replaced: list[int] = []
        self._returned: set[int] = set()
        self._count = 0
        self._began_s = time.monotonic()
        self._database.connection.executescript(_DONE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._draft is not None:
            self._draft.__exit__()

    def add(self, pending: PendingImage, outcome: Outcome) -> None:
        """Add the outcome of a picture, and commit if the batch is full. Raises StorageError."""
        item = None
        if pending.item is not None:
            self._replaced.append(pending.item)
        if outcome.vector is not None and outcome.record is not None:
            item = self._id_of(pending, outcome)
            self._draft = self._draft or ShardDraft(
                ShardFiles(self._database, self._directory), self._encoder.dim, self._schema
            )
            uri = self._database.relocation.recorded_uri(outcome.record["uri"])
            self._draft.append(outcome.vector, {"id": item} | outcome.record | {"uri": uri})
        picture = pending.picture
        row = (picture.size_bytes, picture.modified_ns, outcome.content, item, outcome.reason, 0)
        self._database.connection.execute(
            "INSERT INTO temp.done VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (pending.source, os.fsencode(picture.within), *row),
        )
        self._count += 1
        if self._is_full():
            self._commit()
            self._after_commit()
            if not self._is_first:
                self._batch_s = min(BATCH_S, 2 * self._batch_s)
            self._is_first = False
            self._begin()

    def _is_full(self) -> bool:
        if self._is_first and self._draft is not None and self._draft.rows >= FIRST_ROWS:
            return True
        return self._count >= BATCH_ROWS or time.monotonic() - self._began_s >= self._batch_s

    def _id_of(self, pending: PendingImage, outcome: Outcome) -> int:
        """Return the id of a known file or of one that came back, or an id that no picture ever had."""
        if pending.item is not None:
            return pending.item
        if outcome.content is not None and pending.picture.size_bytes:
            former = self._database.folders.former_items(pending.picture.size_bytes, outcome.content)
            if (item := next((item for item in former if item not in self._returned), None)) is not None:
                self._returned.add(item)
                return item
        self._next_id += 1
        return self._next_id - 1

    def finish(self) -> None:
        """Commit the last batch. Raises StorageError if the disk refuses."""
        if self._count:
            self._commit()
            self._after_commit()
        self._count = 0

    def _commit(self) -> None:
        database, draft = self._database, self._draft
        if draft is not None:
            draft.finish(queries_of(self._encoder, draft.rows, self._queries), threads=self._threads)
        with database.transaction():
            if self._replaced:
                shards = Shards(self._directory, database.shards.all(), database.shards.tombstones())
                for stem, items in shards.shards_of(self._replaced).items():
                    database.shards.add_tombstones(stem, items.tolist())
            database.connection.execute("INSERT OR REPLACE INTO main.files SELECT * FROM temp.done")
            database.folders.forget_items(self._returned)
            keys = database.connection.execute("SELECT source, within FROM temp.done").fetchall()
            self._sidecars.store(keys)
            if draft is not None:
                database.shards.add(draft.row())
            created = database.settings.all().get("created")
            settings = library_meta(self._directory, self._encoder, self._next_id)
            database.settings.update(settings | ({"created": created} if created else {}))
        self._draft = None
        if draft is not None:
            draft.__exit__()
