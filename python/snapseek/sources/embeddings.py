"""Ready-made vectors with a table of metadata: npy and parquet, laid out like clip-retrieval and LAION."""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.errors import FormatError, InputError
from snapseek.mapped_file import MappedFile
from snapseek.sources.fields.embedding_columns import TableColumns
from snapseek.sources.fields.record_values import Losses, common_schema, record_column, record_schema
from snapseek.sources.parquet_batches import MAX_ROW_BYTES, bounded_batches
from snapseek.sources.row_reader import first_line, open_parquet

BLOCK_ROWS = 8192

_VECTOR_PATTERNS = ("img_emb/*.npy", "*img_emb*.npy", "*_emb_*.npy")
_TABLE_PATTERNS = ("metadata/*.parquet", "*metadata*.parquet", "*.parquet")
_MAX_HEADER_BYTES = 1 << 17
"""Bounds the header of an npy file; NumPy reads at most 10,000 characters."""

_LAST_NUMBER = re.compile(r"(\d+)\D*$")
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,  # the same, with names of fields in UTF-8
}
_DTYPES = (np.float16, np.float32, np.float64)


@dataclass(frozen=True)
class Block:
    """Vectors of shape (n, dim) in the dtype of the file, and the records of the same rows."""

    vectors: NDArray[np.floating[Any]]
    records: pa.RecordBatch


@dataclass(frozen=True)
class EmbeddingFile:
    """A file of vectors, and the table of the same rows."""

    vectors: Path
    table: Path
    rows: int
    dim: int
    schema: pa.Schema

    @classmethod
    def open(cls, vectors: Path, table: Path) -> "EmbeddingFile":
        """Read both headers. Raises InputError if one is invalid or the numbers of rows differ."""
        rows, dim = _shape(vectors)
        parquet = open_parquet(table)
        if parquet.metadata.num_rows != rows:
            raise InputError(
                expected=f"as many rows in {table} as in {vectors}",
                got=f"{parquet.metadata.num_rows} and {rows}",
                hint="one of them is not whole, or they do not belong together",
            )
        return cls(vectors, table, rows, dim, record_schema(parquet.schema_arrow))

    def blocks(self, columns: TableColumns, losses: Losses) -> Iterator[Block]:
        """Yield all rows in blocks of at most 8,192. Raises InputError for a damaged table.

        `losses` counts the values of the table that changed.
        """
        if self.rows == 0:
            return
        vectors = MappedFile(self.vectors)
        rows = _rows(vectors)
        start = 0
        try:
            for batch in _batches(self.table):
                if batch is None:
                    raise ValueError(f"row {start} has more than {MAX_ROW_BYTES >> 20} MiB")
                vectors.check_length()
                block = rows[start : start + batch.num_rows]
                yield Block(block, columns.records(_as_table(batch, columns.table, losses)))
                start += batch.num_rows
        except FormatError as error:
            raise InputError(str(error)) from error
        except (pa.ArrowException, OSError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{self.table} cannot be read: {first_line(error)}") from error


@dataclass(frozen=True)
class Embeddings:
    """All files of vectors in one folder."""

    folder: Path
    files: tuple[EmbeddingFile, ...]

    @property
    def rows(self) -> int:
        """Number of vectors."""
        return sum(file.rows for file in self.files)

    @property
    def dim(self) -> int:
        """Number of dimensions of a vector."""
        return self.files[0].dim

    @cached_property
    def columns(self) -> TableColumns:
        """The columns of all tables, each with the common type of all."""
        merged = common_schema(file.schema for file in self.files)
        try:
            return TableColumns.of(merged)
        except InputError as error:
            raise InputError(f"{self.files[0].table} cannot be imported: {error}") from error

    def __iter__(self) -> Iterator[tuple[EmbeddingFile, Iterator[Block]]]:
        """Yield each file with its blocks."""
        return self.read(Losses())

    def read(self, losses: Losses) -> Iterator[tuple[EmbeddingFile, Iterator[Block]]]:
        """Yield each file with its blocks. `losses` counts the values of the tables that changed."""
        for file in self.files:
            yield file, file.blocks(self.columns, losses)


def find_embeddings(folder: Path) -> Embeddings:
    """Find the files of vectors in a folder. Only headers are read.

    Parameters
    ----------
    folder
        A folder with `img_emb/*.npy` or `*_emb_*.npy`: float16, float32 or float64 of shape (n, dim). The
        parquet file of the same number, in `metadata/` or in the folder itself, has one row per vector.

    Returns
    -------
    Embeddings
        The files in the order of their numbers.

    Raises
    ------
    InputError
        If there are none, a file has no counterpart, or the numbers of rows or dimensions differ.
    """
    root = folder.absolute()
    vectors = [path for path in _first(root, _VECTOR_PATTERNS) if not path.name.startswith("text")]
    if not vectors:
        raise InputError(
            expected=f"vectors in {folder}, such as img_emb/img_emb_0.npy with metadata/metadata_0.parquet",
            got=_found_instead(root),
        )
    pairs = _pairs(vectors, _first(root, _TABLE_PATTERNS))
    files = tuple(EmbeddingFile.open(*pair) for pair in pairs)
    for file in files:
        if file.dim != files[0].dim:
            raise InputError(
                expected=f"vectors of {files[0].dim} dimensions as in {files[0].vectors}",
                got=f"{file.dim} in {file.vectors}",
                hint="import vectors of one model at a time",
            )
    return Embeddings(root, files)


def _found_instead(root: Path) -> str:
    if not root.is_dir():
        return "a file; name the folder above img_emb and metadata" if root.exists() else "no such folder"
    others = sorted(path.relative_to(root).as_posix() for path in root.glob("**/*.npy"))[:3]
    return f"none, only {', '.join(others)}: rename the vectors of pictures" if others else "none"


def _first(root: Path, patterns: Sequence[str]) -> list[Path]:
    """Return the files of the first pattern that matches any."""
    for pattern in patterns:
        if found := sorted(path for path in root.glob(pattern) if path.is_file()):
            return found
    return []


def _pairs(vectors: list[Path], tables: list[Path]) -> list[tuple[Path, Path]]:
    """Pair files of vectors and tables by the last number in their names, or as the only two files."""
    if len(vectors) == len(tables) == 1:
        return [(vectors[0], tables[0])]
    by_number, table_by_number = _by_number(vectors), _by_number(tables)
    _check_partners(by_number, table_by_number, "parquet file")
    _check_partners(table_by_number, by_number, "npy file")
    return [(path, table_by_number[number]) for number, path in sorted(by_number.items())]


def _check_partners(paths: dict[int, Path], partners: dict[int, Path], what: str) -> None:
    for number, path in paths.items():
        if number not in partners:
            raise InputError(expected=f"a {what} with the number {number} to go with {path}", got="none")


def _by_number(paths: list[Path]) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in paths:
        match = _LAST_NUMBER.search(path.stem)
        if match is None:
            raise InputError(expected="a number in the name of each file, such as _0", got=f"none in {path}")
        number = int(match[1])
        if number in found:
            raise InputError(
                expected="one file for each number", got=f"{found[number]} and {path} for {number}"
            )
        found[number] = path
    return found


def _shape(path: Path) -> tuple[int, int]:
    """Return (n, dim) of an npy file. Raises InputError if it is truncated or of another dtype."""
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            shape, _, dtype = _HEADERS[version](file)
            body_bytes = path.stat().st_size - file.tell()
    except Exception as error:  # NumPy parses the header as Python, and raises any error of that
        raise InputError(
            expected="an npy file", got=f"something else in {path}: {first_line(error)}"
        ) from error
    if len(shape) != 2 or dtype.newbyteorder("=") not in _DTYPES:
        raise InputError(
            expected=f"float16, float32 or float64 of shape (n, dim) in {path}",
            got=f"{dtype} of {shape}",
            hint="write it again with numpy.save(path, array.astype(numpy.float16))",
        )
    if body_bytes < shape[0] * shape[1] * dtype.itemsize:
        raise InputError(
            f"{path} is truncated: its header says {shape[0]} rows, and it holds {body_bytes} bytes"
        )
    return shape[0], shape[1]


def _rows(file: MappedFile) -> NDArray[Any]:
    """Return the rows of an npy file whose header `_shape` has checked, (n, dim)."""
    start = io.BytesIO(file.view[:_MAX_HEADER_BYTES])
    shape, is_by_column, dtype = _HEADERS[np.lib.format.read_magic(start)](start)
    values = np.frombuffer(file.view, dtype, shape[0] * shape[1], start.tell())
    return values.reshape(shape, order="F" if is_by_column else "C")


def _batches(table: Path) -> Iterator[pa.RecordBatch | None]:
    """Yield all rows of a table in batches of bounded bytes; None for a row that is too large."""
    parquet = open_parquet(table)
    for group in range(parquet.num_row_groups):
        yield from bounded_batches(table, group, parquet.schema_arrow.names, BLOCK_ROWS)


def _as_table(batch: pa.RecordBatch, schema: pa.Schema, losses: Losses) -> pa.RecordBatch:
    """Return the batch with the columns of `schema`, of the types of records; missing ones are null."""

    def column(field: "pa.Field[Any]") -> Any:
        index = batch.schema.get_field_index(field.name)
        if index < 0:
            return pa.nulls(batch.num_rows, type=field.type)
        return record_column(batch.column(index), field.name, losses, field.type)

    return pa.RecordBatch.from_arrays([column(field) for field in schema], schema=schema)
