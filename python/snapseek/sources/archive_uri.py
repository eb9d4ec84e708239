"""URIs of pictures inside an archive or table, and reading the bytes that such a URI names.

    tar:///data/00000.tar!000000001.jpg         a member of an archive, by its name
    parquet:///data/train.parquet!image/17      a row of a table, from 0, in a column

Only files with the suffixes .tar and .parquet are opened, so a URI cannot name any other file.
"""

import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pyarrow as pa

from snapseek.errors import ItemNotFoundError
from snapseek.file_uri import path_of_uri
from snapseek.sources.parquet_batches import bounded_batches

TAR, PARQUET = "tar", "parquet"

_BATCH_ROWS = 64


def member_uri(kind: str, path: Path, member: str) -> str:
    """Return the URI of a member of an archive or table."""
    file = path.absolute().as_uri().removeprefix("file")
    return f"{kind}{file}!{quote(member.encode('utf-8', 'replace'), safe='/')}"


def is_member(uri: str) -> bool:
    """Return whether the URI names a member of an archive or table."""
    return uri.startswith((f"{TAR}:///", f"{PARQUET}:///"))


def file_of(uri: str) -> Path:
    """Return the archive or table that a URI names."""
    return path_of_uri(uri.partition("!")[0])


def read_member(uri: str) -> bytes:
    """Return the bytes of a member. Raises ItemNotFoundError if it does not exist any more."""
    kind, path = uri.partition("://")[0], file_of(uri)
    name = unquote_to_bytes(uri.partition("!")[2]).decode("utf-8", "replace")
    try:
        if path.suffix.lower() != f".{kind}" or not path.is_file():
            raise KeyError(name)
        return _from_tar(path, name) if kind == TAR else _from_parquet(path, name)
    except (KeyError, IndexError, ValueError, OSError, tarfile.TarError, pa.ArrowException) as error:
        raise ItemNotFoundError(
            expected=f"'{name}' in {path.name}", got="a changed or missing file", hint="use its preview"
        ) from error


def _from_tar(path: Path, name: str) -> bytes:
    with tarfile.open(path, mode="r:") as archive:
        file = archive.extractfile(archive.getmember(name))
        if file is None:
            raise KeyError(name)
        return file.read()


def _from_parquet(path: Path, name: str) -> bytes:
    column, _, number = name.rpartition("/")
    if not number.isdecimal():
        raise KeyError(name)
    row = int(number)
    import pyarrow.parquet as pq  # here, because it takes 10 ms to import

    table = pq.ParquetFile(path)
    for group in range(table.num_row_groups):
        rows = table.metadata.row_group(group).num_rows
        if row < rows:
            return _bytes_of(path, group, column, row)
        row -= rows
    raise IndexError(name)


def _bytes_of(path: Path, group: int, column: str, row: int) -> bytes:
    for batch in bounded_batches(path, group, [column], _BATCH_ROWS):
        if batch is None:
            if row == 0:
                break
            row -= 1
        elif row < batch.num_rows:
            value: Any = batch.column(0)[row]
            data = (value["bytes"] if pa.types.is_struct(value.type) and value.is_valid else value).as_py()
            if not isinstance(data, bytes):
                raise ValueError("no bytes")
            return data
        else:
            row -= batch.num_rows
    raise IndexError(row)
