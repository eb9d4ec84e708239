"""Give moved or touched files a new record: their vectors stay."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from snapseek.library.indexing.file_tracker import KnownFile
from snapseek.library.indexing.shard_rows import rows_of, schema_of
from snapseek.library.storage.relocation import Relocation
from snapseek.library.storage.shard_draft import ShardDraft
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.library.storage.shards import Shards
from snapseek.sources import Picture


@contextmanager
def move_records(
    files: ShardFiles, shards: Shards, known: Sequence[KnownFile], relocation: Relocation
) -> Iterator[ShardDraft | None]:
    """Yield a finished shard of those pictures, to commit in the block; None if there is no picture."""
    pictures = {file.item: file.picture for file in known if file.item is not None}
    ids_by_stem = shards.shards_of(pictures)
    parts = [part for part in shards.parts if part.shard.stem in ids_by_stem]
    if not parts:
        yield None
        return
    with ShardDraft(files, parts[0].shard.index.dim, schema_of(parts)) as draft:
        for part in parts:
            rows = part.shard.rows_of(ids_by_stem[part.shard.stem])
            for vectors, records in rows_of(part, np.sort(rows), draft.schema):
                items = records.column("id").to_numpy().tolist()
                draft.extend(vectors, _updated(records, [pictures[item] for item in items], relocation))
        draft.finish()
        yield draft


def _updated(records: pa.RecordBatch, pictures: Sequence[Picture], relocation: Relocation) -> pa.RecordBatch:
    """Return the records with the paths and times of `pictures`."""
    values: dict[str, list[Any]] = {
        "uri": [relocation.recorded_uri(picture.uri) for picture in pictures],
        "name": [picture.name for picture in pictures],
        "folder": [picture.parent for picture in pictures],
        "modified": [datetime.fromtimestamp(picture.modified_ns / 1e9, UTC) for picture in pictures],
    }
    columns = [
        pa.array(values[field.name], type=field.type) if field.name in values else column
        for field, column in zip(records.schema, records.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=records.schema)
