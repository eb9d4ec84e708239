"""Embedded pictures on their way into the library, some thousand to a commit."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from snapseek.library.indexing.embed import Outcome
from snapseek.library.indexing.file_tracker import PendingImage
from snapseek.library.records.arrow_file import SCHEMA
from snapseek.library.storage.database import Database
from snapseek.library.storage.exclusive_writer import remove_stray_files
from snapseek.library.storage.library_meta import library_meta, queries_of
from snapseek.library.storage.shard import Queries, ShardDraft
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.library.storage.shards import Shards
from snapseek.models import Encoder

BATCH_ROWS = 4096
BATCH_S = 30.0
"""So much work is lost at most when an index is stopped."""

_DONE = """
DROP TABLE IF EXISTS temp.done;
CREATE TEMP TABLE done AS SELECT * FROM main.files WHERE 0;
"""


class BatchWriter:
    """What became of pictures, committed whenever a shard's worth of them is there.

    With `anew` everything is committed at the end and replaces all pictures: vectors of two models are not to
    be in a library together. Leaving the `with` block without `finish` forgets what was not committed.
    """

    def __init__(
        self,
        catalogue: Database,
        directory: Path,
        encoder: Encoder,
        *,
        columns: pa.Schema | None = None,
        anew: bool = False,
        queries: Queries | None = None,
        threads: int | None = None,
        after_commit: Callable[[], object] = lambda: None,
    ) -> None:
        """`columns` are those of the records besides `SCHEMA`.

        `catalogue` is held by a writer; `after_commit` is called when something was committed."""
        self._catalogue = catalogue
        self._directory = directory
        self._encoder = encoder
        self._schema = pa.schema([*SCHEMA, *(columns or [])])
        self._anew = anew
        self._queries = queries
        self._threads = threads
        self._after_commit = after_commit
        self._next_id = int(catalogue.settings().get("next_id", "1"))
        self._begin()

    def _begin(self) -> None:
        self._draft: ShardDraft | None = None
        self._replaced: list[int] = []
        self._done = 0
        self._began_s = time.monotonic()
        self._catalogue.connection.executescript(_DONE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._draft is not None:
            self._draft.__exit__()

    def add(self, todo: PendingImage, outcome: Outcome) -> None:
        """Take in what became of a picture, and commit if it is time. Raises StorageError."""
        item = None
        if todo.item is not None:
            self._replaced.append(todo.item)
        if outcome.vector is not None and outcome.record is not None:
            item = self._id_of(todo)
            self._draft = self._draft or ShardDraft(
                ShardFiles(self._catalogue, self._directory), self._encoder.dim, self._schema
            )
            self._draft.append(outcome.vector, {"id": item} | outcome.record)
        picture = todo.picture
        row = (picture.size_bytes, picture.modified_ns, outcome.content, item, outcome.reason, 0)
        self._catalogue.connection.execute(
            "INSERT INTO temp.done VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (todo.source, os.fsencode(picture.within), *row),
        )
        self._done += 1
        if not self._anew and self._is_time():
            self._commit()
            self._after_commit()
            self._begin()

    def _is_time(self) -> bool:
        return self._done >= BATCH_ROWS or time.monotonic() - self._began_s >= BATCH_S

    def _id_of(self, todo: PendingImage) -> int:
        """A file that was there keeps its id, a new one gets one that was never given."""
        if todo.item is not None:
            return todo.item
        self._next_id += 1
        return self._next_id - 1

    def finish(self) -> None:
        """Commit what is left. Raises StorageError when the disk refuses."""
        if self._done or self._anew:
            self._commit()
            self._after_commit()
        self._done = 0

    def _commit(self) -> None:
        catalogue, draft = self._catalogue, self._draft
        if draft is not None:
            draft.finish(queries_of(self._encoder, draft.rows, self._queries), threads=self._threads)
        with catalogue.transaction():
            if self._anew:
                self._forget_pictures()
            elif self._replaced:
                shards = Shards(self._directory, catalogue.shards(), catalogue.tombstones())
                for stem, items in shards.shards_of(self._replaced).items():
                    catalogue.add_tombstones(stem, items.tolist())
            catalogue.connection.execute("INSERT OR REPLACE INTO main.files SELECT * FROM temp.done")
            if draft is not None:
                catalogue.add_shard(draft.row())
            made = catalogue.settings().get("created")
            settings = library_meta(self._directory, self._encoder, self._next_id)
            catalogue.set_settings(settings | ({"created": made} if made else {}))
        self._draft = None
        if draft is not None:
            draft.__exit__()
        if self._anew:
            remove_stray_files(catalogue, self._directory)

    def _forget_pictures(self) -> None:
        catalogue = self._catalogue
        old = [shard.stem for shard in catalogue.shards() if shard.source is None]
        catalogue.drop_shards(old)
        catalogue.connection.execute("DELETE FROM main.files WHERE is_removed = 0")
