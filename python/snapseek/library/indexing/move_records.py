"""Pictures that lie elsewhere now, or have another date: their vectors stay, their records are told anew."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from snapseek.library.indexing.file_tracker import KnownFile
from snapseek.library.indexing.merge import rows_of, schema_of
from snapseek.library.storage.shard import ShardDraft
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.library.storage.shards import Shards
from snapseek.sources import Picture


@contextmanager
def move_records(
    files: ShardFiles, shards: Shards, known: Sequence[KnownFile]
) -> Iterator[ShardDraft | None]:
    """A finished shard of those pictures, to be committed in the block; None when there is no picture."""
    pictures = {one.item: one.picture for one in known if one.item is not None}
    homes = shards.shards_of(pictures)
    parts = [part for part in shards.parts if part.shard.stem in homes]
    if not parts:
        yield None
        return
    with ShardDraft(files, parts[0].shard.index.dim, schema_of(parts)) as draft:
        for part in parts:
            rows = part.shard.rows_of(homes[part.shard.stem])
            for vectors, records in rows_of(part, np.sort(rows), draft.schema):
                items = records.column("id").to_numpy().tolist()
                draft.extend(vectors, _told(records, [pictures[item] for item in items]))
        draft.finish()
        yield draft


def _told(records: pa.RecordBatch, pictures: Sequence[Picture]) -> pa.RecordBatch:
    """The records with what a file's place and time say."""
    told: dict[str, list[Any]] = {
        "uri": [picture.uri for picture in pictures],
        "name": [picture.name for picture in pictures],
        "folder": [picture.parent for picture in pictures],
        "modified": [datetime.fromtimestamp(picture.modified_ns / 1e9, UTC) for picture in pictures],
    }
    columns = [
        pa.array(told[field.name], type=field.type) if field.name in told else column
        for field, column in zip(records.schema, records.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=records.schema)
