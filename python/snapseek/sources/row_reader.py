"""Read the rows of a list as a stream: one URL per line, csv, tsv, jsonl or parquet.

A row that cannot be read becomes a `Row` with a problem, and reading continues with the next one.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from snapseek.errors import InputError
from snapseek.sources.parquet_batches import MAX_ROW_BYTES, bounded_batches

MAX_LINE = 1 << 20
"""Maximum length of a line in characters; longer lines are reported and skipped."""

_BATCH_ROWS = 4096
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_URL = re.compile(r"\s*https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number from 1, and its values by column or its `problem`.

    `is_gap` marks a problem that also affects an unknown number of rows after this one.
    """

    number: int
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None
    is_gap: bool = False


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a list; the suffix decides on the format.

    Raises InputError if it has another suffix or cannot be read.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(expected=f"a list ({' '.join(LIST_SUFFIXES)})", got=str(path))
    if not path.is_file():
        raise InputError(expected=f"a list at {path}", got="no file" if path.exists() else "nothing")
    try:
        yield from reader(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def _lines(file: TextIO) -> Iterator[str | None]:
    """Yield the lines, None for one longer than MAX_LINE."""
    while line := file.readline(MAX_LINE):
        is_whole = len(line) < MAX_LINE or line.endswith(("\n", "\r"))
        while not is_whole and (chunk := file.readline(MAX_LINE)):
            is_whole = chunk.endswith(("\n", "\r"))
            line = ""
        yield line or None


def _opened(path: Path) -> TextIO:
    with path.open("rb") as file:
        is_wide = file.read(2) in _UTF16
    return path.open(encoding="utf-16" if is_wide else "utf-8-sig", errors="replace", newline="")


def _too_long(number: int) -> Row:
    return Row(number, problem=f"line {number} has more than {MAX_LINE} characters")


def _read_text(path: Path) -> Iterator[Row]:
    with _opened(path) as file:
        for number, line in enumerate(_lines(file), start=1):
            if line is None:
                yield _too_long(number)
            elif (text := line.strip()) and not text.startswith("#"):
                yield Row(number, {"url": text})


def _read_json_lines(path: Path) -> Iterator[Row]:
    with _opened(path) as file:
        for number, line in enumerate(_lines(file), start=1):
            if line is None:
                yield _too_long(number)
            elif line.strip():
                yield _json_row(number, line)


def _json_row(number: int, line: str) -> Row:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        return Row(number, problem=f"line {number} is not JSON: {reason}")
    if isinstance(found, str):
        return Row(number, {"url": found})
    if not isinstance(found, dict):
        return Row(number, problem=f"expected a JSON object in line {number}, got another value")
    return Row(number, found)


def _read_csv(path: Path) -> Iterator[Row]:
    with _opened(path) as file:
        first = file.readline(MAX_LINE)
        file.seek(0)
        delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
        records = csv.reader((line or "" for line in _lines(file)), delimiter=delimiter)
        names: list[str] | None = None
        for number, cells in enumerate(_records_or_errors(records), start=1):
            if isinstance(cells, csv.Error):
                yield Row(number, problem=f"row {number} cannot be read: {cells}")
            elif names is None and not any(map(_URL.match, cells)):
                names = [cell.strip() for cell in cells]
            elif cells:
                names = names or _unnamed(cells)
                yield _csv_row(number, names, cells)


def _records_or_errors(records: Iterator[list[str]]) -> Iterator[list[str] | csv.Error]:
    """Yield each record, or the error of the reader, which then continues with the next line."""
    while True:
        try:
            yield next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield error


def _unnamed(cells: list[str]) -> list[str]:
    """Return column names for a table without a header: the first URL, and in two columns the caption."""
    names = [f"column_{number}" for number in range(1, len(cells) + 1)]
    url = next(index for index, cell in enumerate(cells) if _URL.match(cell))
    names[url] = "url"
    if len(cells) == 2:
        names[1 - url] = "caption"
    return names


def _csv_row(number: int, names: list[str], cells: list[str]) -> Row:
    if len(cells) != len(names):
        return Row(number, problem=f"row {number} has {len(cells)} cells, and the header has {len(names)}")
    return Row(number, dict(zip(names, cells, strict=True)))


def _read_parquet(path: Path) -> Iterator[Row]:
    table = open_parquet(path)
    number = 0
    for group in range(table.num_row_groups):
        end = number + table.metadata.row_group(group).num_rows
        try:
            for batch in bounded_batches(path, group, plain_columns(table.schema_arrow), _BATCH_ROWS):
                if batch is None:
                    number += 1
                    yield Row(number, problem=f"row {number} has more than {MAX_ROW_BYTES >> 20} MiB")
                    continue
                for values in rows_in(batch):
                    number += 1
                    yield Row(number, values)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            reason = f"rows {number + 1} to {end} cannot be read: {first_line(error)}"
            yield Row(number + 1, problem=reason, is_gap=True)
        number = end


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a table. Raises InputError if it is not a parquet file."""
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(
            expected="a parquet file", got=f"something else in {path}: {first_line(error)}"
        ) from error


def plain_columns(schema: pa.Schema) -> list[str]:
    """Return the names of all columns without raw bytes at any depth: those that a record can hold."""
    return [field.name for field in schema if not _has_bytes(field.type)]


def _has_bytes(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return True
    return any(_has_bytes(kind.field(index).type) for index in range(kind.num_fields))


def rows_in(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return the rows as Python values, times in microseconds; an invalid value becomes None."""
    columns = [_values(_to_microseconds(column)) for column in batch.columns]
    return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def _to_microseconds(column: Any) -> Any:
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return column


def _values(column: Any) -> list[Any]:
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):  # a text that is not UTF-8, a date beyond the year 9999
        return [_value(entry) for entry in column]


def _value(entry: Any) -> Any:
    try:
        return entry.as_py()
    except (ValueError, OverflowError):
        return None


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, at most 200 characters."""
    return (next(iter(str(error).splitlines()), "") or type(error).__name__)[:200]


_READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".txt": _read_text,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
}
LIST_SUFFIXES = tuple(_READERS)
"""Suffixes of lists."""
