"""A shard whose records are told anew while its vectors stay."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from snapseek.errors import StorageError
from snapseek.library.disk.catalogue import ShardRow
from snapseek.library.disk.durable import crc_of, sync_directory, sync_file
from snapseek.library.disk.shard import DIRECTORY
from snapseek.library.table.records import Records, RecordWriter


@contextmanager
def rewritten(
    library: Path, row: ShardRow, change: Callable[[pa.RecordBatch], pa.RecordBatch]
) -> Iterator[ShardRow]:
    """A shard of the same rows with records as `change` makes them, to be committed in the block.

    Its files are removed when the block raises. Raises StorageError when the disk refuses.
    """
    directory = library / DIRECTORY
    stem = secrets.token_hex(8)
    old, new = directory / row.stem, directory / stem
    try:
        _same_file(old.with_suffix(".snap"), new.with_suffix(".snap"))
        _write(Records(old.with_suffix(".arrow")), new.with_suffix(".arrow"), change)
        sync_directory(directory)
        yield replace(row, stem=stem, records_crc=crc_of(new.with_suffix(".arrow")))
    except BaseException:
        for suffix in (".snap", ".arrow"):
            new.with_suffix(suffix).unlink(missing_ok=True)
        raise


def _same_file(old: Path, new: Path) -> None:
    """Another name for the file, or a copy where the disk has no such thing."""
    try:
        os.link(old, new)
    except OSError:
        try:
            shutil.copyfile(old, new)
            sync_file(new)
        except OSError as error:
            raise StorageError(f"cannot write {new}: {error.strerror}") from error


def _write(records: Records, path: Path, change: Callable[[pa.RecordBatch], pa.RecordBatch]) -> None:
    writer = RecordWriter(path, records.schema)
    try:
        for batch in records.batches:
            writer.extend(change(batch))
        writer.finish()
    except BaseException:
        with suppress(StorageError):
            writer.close()
        raise
    sync_file(path)
