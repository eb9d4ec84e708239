"""Replace the records of a shard; its vectors stay."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from snapseek.errors import StorageError
from snapseek.library.records.arrow_file import Records, RecordWriter
from snapseek.library.storage.fsync import crc_of, sync_directory, sync_file
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.library.storage.shard_table import ShardRow


class Readable(Protocol):
    """Records that can be rewritten."""

    schema: pa.Schema

    @property
    def batches(self) -> Sequence[pa.RecordBatch]:
        """All records."""


@contextmanager
def rewrite_records(
    files: ShardFiles,
    row: ShardRow,
    change: Callable[[pa.RecordBatch], pa.RecordBatch],
    *,
    schema: pa.Schema | None = None,
    open_records: Callable[[Path], Readable] = Records,
) -> Iterator[ShardRow]:
    """Yield a shard of the same rows with the records that `change` returns, to commit in the block.

    These have the columns of `schema`, by default the same ones. `open_records` reads the old records. The
    files of the new shard are removed if the block raises. Raises StorageError if the disk refuses.
    """
    directory = files.directory
    stem = files.new_stem()
    old, new = directory / row.stem, directory / stem
    try:
        _link_or_copy(old.with_suffix(".snap"), new.with_suffix(".snap"))
        records = open_records(old.with_suffix(".arrow"))
        writer = RecordWriter(new.with_suffix(".arrow"), schema or records.schema)
        try:
            files.record(stem, "snap", "arrow")
            for batch in records.batches:
                writer.extend(change(batch))
            writer.finish()
        finally:
            writer.abandon()
        sync_file(new.with_suffix(".arrow"))
        sync_directory(directory)
        files.record(stem, "snap", "arrow", is_finished=True)
        yield replace(row, stem=stem, records_crc=crc_of(new.with_suffix(".arrow")))
    except BaseException:
        files.remove_draft(stem)
        raise
    files.release(stem)


def _link_or_copy(old: Path, new: Path) -> None:
    """Hard-link the file, or copy it where the file system has no hard links."""
    try:
        os.link(old, new)
    except OSError:
        try:
            with old.open("rb") as source, new.open("xb") as target:
                shutil.copyfileobj(source, target)
            sync_file(new)
        except OSError as error:
            raise StorageError(f"cannot write {new}: {error.strerror}") from error
