"""Read the rows of a list as a stream: one URL per line, csv, tsv, jsonl or parquet.

A row that cannot be read becomes a `Row` with a problem, and reading continues with the next one.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from snapseek.errors import InputError
from snapseek.file_kinds import is_picture_name
from snapseek.sources.fields.record_values import Losses, record_column
from snapseek.sources.list_text import MAX_LINE, csv_records, lines_of, open_text
from snapseek.sources.parquet_batches import MAX_ROW_BYTES, bounded_batches

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_BATCH_ROWS = 4096
_URL = re.compile(r"\s*(https?|file)://", re.IGNORECASE)
_MAX_SUFFIX = 16


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number from 1, and its values by column or its `problem`.

    `is_gap` marks a problem that also affects an unknown number of rows after this one.
    """

    number: int
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None
    is_gap: bool = False


def read_rows(path: Path, losses: Losses | None = None) -> Iterator[Row]:
    """Yield the rows of a list; the suffix decides on the format.

    `losses` counts the values of a table that changed. Raises InputError if the list has another suffix or
    cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in LIST_SUFFIXES:
        raise InputError(expected=f"a list ({' '.join(LIST_SUFFIXES)})", got=str(path))
    if not path.is_file():
        raise InputError(expected=f"a list at {path}", got="no file" if path.exists() else "nothing")
    try:
        if suffix == _TABLE:
            yield from _read_parquet(path, losses or Losses())
        else:
            yield from _READERS[suffix](path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def _too_long(number: int) -> Row:
    return Row(number, problem=f"line {number} has more than {MAX_LINE} characters")


def _read_text(path: Path) -> Iterator[Row]:
    with open_text(path) as file:
        for number, line in enumerate(lines_of(file), start=1):
            if line is None:
                yield _too_long(number)
            elif (text := line.strip()) and not text.startswith("#"):
                yield Row(number, {"url": text})


def _read_json_lines(path: Path) -> Iterator[Row]:
    with open_text(path) as file:
        for number, line in enumerate(lines_of(file), start=1):
            if line is None:
                yield _too_long(number)
            elif line.strip():
                yield from _json_rows(number, line)


def _json_rows(number: int, line: str) -> Iterator[Row]:
    """Yield the row of a line, or all rows of an array in it."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        yield Row(number, problem=f"line {number} is not JSON: {reason}")
        return
    for entry in found if isinstance(found, list) and found else [found]:
        if isinstance(entry, str):
            yield Row(number, {"url": entry})
        elif isinstance(entry, dict):
            yield Row(number, entry)
        else:
            yield Row(number, problem=f"expected a JSON object in line {number}, got another value")


def _read_csv(path: Path) -> Iterator[Row]:
    with open_text(path) as file:
        names: list[str] | None = None
        records = csv_records(file, "\t" if path.suffix.lower() == ".tsv" else None)
        for number, cells in enumerate(records, start=1):
            if isinstance(cells, csv.Error):
                yield Row(number, problem=f"row {number} cannot be read: {cells}")
            elif names is None and not any(map(is_address, cells)):
                names = [cell.strip() for cell in cells]
            elif cells:
                names = names or _unnamed(cells)
                yield _csv_row(number, names, cells)


def is_address(text: str) -> bool:
    """Return whether a text is a URL, or the path of a picture."""
    return _URL.match(text) is not None or is_picture_name(Path(text.strip()[-_MAX_SUFFIX:]))


def _unnamed(cells: list[str]) -> list[str]:
    """Return names of columns without a header: the first URL or path, and the caption in two columns."""
    names = [f"column_{number}" for number in range(1, len(cells) + 1)]
    url = next(index for index, cell in enumerate(cells) if is_address(cell))
    names[url] = "url"
    if len(cells) == 2:
        names[1 - url] = "caption"
    return names


def _csv_row(number: int, names: list[str], cells: list[str]) -> Row:
    if len(cells) != len(names):
        found = f"row {number} has {len(cells)} cells, and the header has {len(names)}"
        is_more = len(cells) > len(names)
        return Row(number, problem=f"{found}; put a value with the delimiter in quotes" if is_more else found)
    return Row(number, dict(zip(names, cells, strict=True)))


def _read_parquet(path: Path, losses: Losses) -> Iterator[Row]:
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
                for values in rows_in(batch, losses):
                    number += 1
                    yield Row(number, values)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            reason = f"rows {number + 1} to {end} cannot be read: {first_line(error)}"
            yield Row(number + 1, problem=reason, is_gap=True)
        number = end


def open_parquet(path: Path) -> "ParquetFile":
    """Open a table. Raises InputError if it is not a parquet file, or repeats the name of a column."""
    import pyarrow.parquet as pq  # here, because it takes 10 ms to import

    try:
        table = pq.ParquetFile(path)
        names = table.schema_arrow.names  # a name that is not UTF-8 fails here
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(
            expected="a parquet file", got=f"something else in {path}: {first_line(error)}"
        ) from error
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(
            expected=f"columns with distinct names in {path}",
            got=f"{repeated[0]!r:.100} twice",
            hint="rename or drop one of them",
        )
    return table


def plain_columns(schema: pa.Schema) -> list[str]:
    """Return the names of all columns without raw bytes at any depth: those that a record can hold."""
    return [field.name for field in schema if not _has_bytes(field.type)]


def _has_bytes(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return True
    return any(_has_bytes(kind.field(index).type) for index in range(kind.num_fields))


def rows_in(
    batch: pa.RecordBatch,
    losses: Losses,
    kinds: Mapping[str, pa.DataType] | None = None,
    *,
    pictures: str | None = None,
) -> list[dict[str, Any]]:
    """Return the rows as Python values of the types of records.

    Parameters
    ----------
    batch
        Rows of a table.
    losses
        Counts the values that changed.
    kinds
        The common types of the columns of several tables.
    pictures
        The column of the pictures: bytes, or objects of which only `bytes` and `path` are returned.
    """
    values = [
        _pictures_in(column, name, losses)
        if name == pictures
        else record_column(column, name, losses, (kinds or {}).get(name)).to_pylist()
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*values, strict=True)]


def _pictures_in(column: Any, name: str, losses: Losses) -> list[Any]:
    if not pa.types.is_struct(column.type):
        return list(column.to_pylist())
    names = [column.type.field(index).name for index in range(column.type.num_fields)]
    children = dict(zip(names, column.flatten(), strict=True))
    data = children["bytes"].to_pylist()
    paths = record_column(children["path"], name, losses).to_pylist() if "path" in children else data
    return [{"bytes": each, "path": path} for each, path in zip(data, paths, strict=True)]


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, at most 200 characters."""
    return (next(iter(str(error).splitlines()), "") or type(error).__name__)[:200]


_READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".txt": _read_text,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
}
_TABLE = ".parquet"
LIST_SUFFIXES = (*_READERS, _TABLE)
"""Suffixes of lists."""
