"""Addresses of pictures that are parts of a file, and the way back from an address to the bytes.

    tar:///data/00000.tar!000000001.jpg         a member of an archive, by its name
    parquet:///data/train.parquet!image/17      a row of a table, from 0, in a column

Only the two endings are looked into, so that no address leads to any other file.
"""

import os
import tarfile
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pyarrow as pa
import pyarrow.parquet as pq

from snapseek.errors import ItemNotFoundError

TAR, PARQUET = "tar", "parquet"


def member_uri(kind: str, path: Path, member: str) -> str:
    """The address of a part of a file."""
    return f"{kind}://{_escaped(os.fsencode(path.absolute()))}!{_escaped(member.encode('utf-8', 'replace'))}"


def is_member(uri: str) -> bool:
    """Whether the address is one of a part of a file."""
    return uri.startswith((f"{TAR}:///", f"{PARQUET}:///"))


def file_of(uri: str) -> Path:
    """The file that an address leads into."""
    return Path(os.fsdecode(unquote_to_bytes(uri.partition("://")[2].partition("!")[0])))


def read_member(uri: str) -> bytes:
    """The bytes of a part of a file. Raises ItemNotFoundError when it is not there any more."""
    kind, path = uri.partition("://")[0], file_of(uri)
    name = unquote_to_bytes(uri.partition("!")[2]).decode("utf-8", "replace")
    try:
        if path.suffix.lower() != f".{kind}" or not path.is_file():
            raise KeyError(name)
        return _from_tar(path, name) if kind == TAR else _from_parquet(path, name)
    except (KeyError, IndexError, ValueError, OSError, tarfile.TarError, pa.ArrowException) as error:
        raise ItemNotFoundError(
            f"'{name}' is not in {path.name} any more; only its preview is left"
        ) from error


def _escaped(text: bytes) -> str:
    return quote(text, safe="/")


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
    table = pq.ParquetFile(path, memory_map=True)
    for group in range(table.num_row_groups):
        rows = table.metadata.row_group(group).num_rows
        if row < rows:
            return _bytes_of(table, group, column, row)
        row -= rows
    raise IndexError(name)


def _bytes_of(table: pq.ParquetFile, group: int, column: str, row: int) -> bytes:
    for batch in table.iter_batches(64, [group], columns=[column]):
        if row < batch.num_rows:
            value = batch.column(0)[row].as_py()
            data = value.get("bytes") if isinstance(value, dict) else value
            if not isinstance(data, bytes):
                raise ValueError("no bytes")
            return data
        row -= batch.num_rows
    raise IndexError(row)
