"""Export the records or vectors of a library for other programs, block by block.

    csv      a line a picture, UTF-8; lists and objects as JSON; no columns of bytes
    json     one array of objects, no columns of bytes
    jsonl    an object a line, no columns of bytes
    parquet  every column with its type, previews too
    npy      the vectors, (n, dim) float16, unit rows, in the order of the other formats

A spreadsheet takes a text that begins with = + - @ for a formula, and captions are untrusted. So csv prefixes
such texts with a ', unless `keep_text` is set. Numbers are never changed.
"""

import csv
import io
import json
import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import numpy as np
import pyarrow as pa

from snapseek.absolute_path import absolute_path
from snapseek.atomic_file import atomic_file, is_replaceable
from snapseek.errors import FormatError, InputError, StorageError, UnknownChoiceError
from snapseek.library.encoders import FAST_MODEL
from snapseek.library.records.arrow_file import is_shown, plain_rows
from snapseek.library.records.arrow_gather import Record
from snapseek.library.storage import preview_queue
from snapseek.library.storage.schema import FILE_NAME, LOCK_NAME, MEMORY_TABLES, SHARDS
from snapseek.library.storage.shards import RecordBlock

_OWN_FILES = (FILE_NAME, LOCK_NAME, SHARDS, preview_queue.FILE_NAME)
_OWN_FOLDERS = (SHARDS, MEMORY_TABLES, FAST_MODEL)
_OWN_NAME = re.compile(r"\..+\.(lock|[0-9a-f]{8,}\.tmp)", re.DOTALL)
"""Names of locks of collections, and of drafts that become a file when they are complete."""

_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class _Export:
    """What a format writes: the blocks, the columns of all of them, and the number of pictures."""

    blocks: Iterable[RecordBlock]
    schema: pa.Schema
    rows: int
    dim: int
    keep_text: bool

    def tables(self) -> Iterator[pa.Table]:
        """Yield the records block by block, with the columns of all."""
        for block in self.blocks:
            yield _with_schema(block.records, self.schema)

    def shown(self) -> Iterator[list[Record]]:
        """Yield the records block by block, with values that JSON has."""
        names = [field.name for field in self.schema if is_shown(field.type)]
        for table in self.tables():
            yield plain_rows(table.select(names))


class Exportable(Protocol):
    """What is exported: a `Snapshot`, or the partitions of a collection."""

    settings: dict[str, str]

    def __len__(self) -> int:
        """The number of pictures."""

    def blocks(self) -> Iterator[RecordBlock]:
        """Yield all pictures, some thousands at a time."""

    def schemas(self) -> list[pa.Schema]:
        """Return the Arrow schema of each shard's records."""

    @property
    def path(self) -> Path:
        """Its directory or file."""


def export(
    snapshot: Exportable, target: str | Path | BinaryIO, kind: str | None = None, *, keep_text: bool = False
) -> int:
    """Write all pictures to a file or a stream. Return how many there are.

    Parameters
    ----------
    snapshot
        The commit of the library to export.
    target
        A path, which is written atomically, or an open stream of bytes.
    kind
        csv, json, jsonl, parquet or npy; by default the suffix of the path.
    keep_text
        Do not prefix texts that look like formulas in csv.

    Raises
    ------
    InputError
        For another format.
    FormatError
        For values that the format does not have.
    StorageError
        If the disk refuses, or a folder, a device or a pipe has the name.
    """
    write = FORMATS[kind_of(target, kind)]
    job = _Export(
        snapshot.blocks(),
        unified(snapshot.schemas()),
        len(snapshot),
        int(snapshot.settings["dim"]),
        keep_text=keep_text,
    )
    try:
        if isinstance(target, str | Path):
            with new_file(Path(target)) as stream:
                write(job, stream)
        else:
            write(job, target)
    except (pa.ArrowException, OverflowError) as error:
        raise FormatError(
            f"the records of {snapshot.path} cannot be written as {kind_of(target, kind)}: {error}",
            hint="try another format, or run: snapseek verify",
        ) from error
    return job.rows


def kind_of(target: str | Path | BinaryIO, kind: str | None) -> str:
    """Return `kind`, or the format that the suffix of the path names. Raises UnknownChoiceError."""
    found = kind or (Path(target).suffix[1:].lower() if isinstance(target, str | Path) else "")
    if found not in FORMATS:
        raise UnknownChoiceError(expected=f"a format of {', '.join(FORMATS)}", got=repr(found or "none"))
    return found


def unified(schemas: list[pa.Schema]) -> pa.Schema:
    """Return the columns of all shards. One whose types disagree becomes text."""
    fields: dict[str, pa.Field[Any]] = {}
    for field in (field.remove_metadata() for schema in schemas for field in schema):
        known = fields.setdefault(field.name, field)
        fields[field.name] = _common(known, field)
    return pa.schema([field.with_nullable(True) for field in fields.values()])


def _common(one: "pa.Field[Any]", other: "pa.Field[Any]") -> "pa.Field[Any]":
    try:
        return pa.unify_schemas([pa.schema([one]), pa.schema([other])], promote_options="permissive").field(0)
    except pa.ArrowException:
        return one.with_type(pa.string())


def _with_schema(records: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    return pa.table([_column(records, field) for field in schema], schema=schema)


def _column(records: pa.RecordBatch, field: "pa.Field[Any]") -> Any:
    index = records.schema.get_field_index(field.name)
    if index < 0:
        return pa.nulls(records.num_rows, field.type)
    column = records.column(index)
    if field.type == pa.string() and column.type != pa.string():
        values = [row[field.name] for row in plain_rows(pa.table({field.name: column}))]
        return pa.array([value if value is None else _text(value) for value in values], pa.string())
    return column if column.type == field.type else column.cast(field.type, safe=False)


def _write_csv(job: _Export, stream: BinaryIO) -> None:
    guard: Callable[[str], str] = str if job.keep_text else _escaped
    text = io.TextIOWrapper(stream, "utf-8", errors="replace", newline="", write_through=True)
    try:
        writer = csv.writer(text)
        writer.writerow(guard(field.name) for field in job.schema if is_shown(field.type))
        for rows in job.shown():
            writer.writerows([_cell(value, guard) for value in row.values()] for row in rows)
    finally:
        text.detach()


def _cell(value: object, guard: Callable[[str], str]) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return guard(_text(value))


def _text(value: object) -> str:
    if isinstance(value, str | bytes):
        return _plain(value)
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    """Return bytes as base64: their `repr` may take eight times the memory."""
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    return value if isinstance(value, str) else repr(value)


def _escaped(text: str) -> str:
    """Return the text, prefixed with a ' if a spreadsheet would take it for a formula."""
    return "'" + text if text.startswith(_FORMULA_BEGINS) else text


def _write_jsonl(job: _Export, stream: BinaryIO) -> None:
    for rows in job.shown():
        stream.write(b"".join(_object(row) + b"\n" for row in rows))


def _write_json(job: _Export, stream: BinaryIO) -> None:
    before = b"[\n"
    for rows in job.shown():
        stream.write(before + b",\n".join(map(_object, rows)))
        before = b",\n"
    stream.write(b"\n]\n" if job.rows else b"[]\n")


def _object(row: Record) -> bytes:
    known = {name: _finite(value) for name, value in row.items()}
    return json.dumps(known, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _finite(value: object) -> object:
    """Return the value with None for NaN and infinity, which JSON lacks."""
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return {name: _finite(entry) for name, entry in value.items()} if isinstance(value, dict) else value


def _write_parquet(job: _Export, stream: BinaryIO) -> None:
    import pyarrow.parquet as pq  # here, because it takes 10 ms to import

    with pq.ParquetWriter(cast("Any", stream), job.schema, compression="zstd") as writer:  # stubs want a path
        for table in job.tables():
            writer.write_table(table)


def _write_npy(job: _Export, stream: BinaryIO) -> None:
    header = {"descr": "<f2", "fortran_order": False, "shape": (job.rows, job.dim)}
    np.lib.format.write_array_header_1_0(stream, header)
    for block in job.blocks:
        vectors = block.vectors()
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        stream.write(vectors.astype("<f2").tobytes())


FORMATS: dict[str, Callable[[_Export, BinaryIO], None]] = {
    "csv": _write_csv,
    "json": _write_json,
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
    "npy": _write_npy,
}


def check_target(path: Path, library: Path) -> None:
    """Raise unless a file may appear at `path`, be it in the place of another one.

    `library` is what is exported. Files of other libraries, and names of locks and drafts, are refused too.
    """
    parent = absolute_path(path).parent.resolve()
    if any(_is_of_library(parent, path.name, home) for home in (library.resolve(), parent, *parent.parents)):
        raise InputError(
            f"expected a file that is not one of the library, found {path}; choose another place"
        )
    if _OWN_NAME.fullmatch(path.name):
        raise InputError(
            expected="a file that is no lock and no draft of this program",
            got=str(path),
            hint="choose another name",
        )
    if os.path.lexists(path) and not is_replaceable(path):
        raise StorageError(
            f"cannot write {path}: expected a file or nothing there, found a folder, a device or a pipe; "
            "name a file, or - for standard output"
        )


def _is_of_library(parent: Path, name: str, home: Path) -> bool:
    """Return whether a file in the folder `parent` would be one of the library at `home`, if there is one."""
    if not (home / FILE_NAME).is_file():
        return False
    is_inside = any(parent.is_relative_to(home / folder) for folder in _OWN_FOLDERS)
    return is_inside or (parent == home and name.lower().startswith(_OWN_FILES))


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` when it is complete; if the block raises, an old one stays."""
    try:
        with atomic_file(path) as stream:
            yield stream
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
