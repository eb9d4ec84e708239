"""Random damage to the files of a library by seed, with or without repaired checksums."""

import json
import random
import sqlite3
import struct
import zlib
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pyarrow as pa

from tests.support import reference

INTERESTING = (
    0,
    1,
    -1,
    2,
    7,
    8,
    64,
    255,
    1 << 16,
    1 << 20,
    2**30,
    2**31 - 1,
    -(2**31),
    2**32 - 1,
    2**62,
    -(2**63),
)
_BIG = 16 << 20


def damage_bytes(data: bytearray, positions: range | list[int], rng: random.Random) -> None:
    """Change some bytes, or words of 4 or 8 bytes, at random ones of `positions`."""
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        offset = rng.choice(positions)
        kind = rng.randrange(4)
        if kind == 0:
            data[offset] = rng.randrange(256)
        elif kind == 1:
            data[offset] ^= 1 << rng.randrange(8)
        else:
            size = 4 * (kind - 1)
            offset = min(offset // size * size, len(data) - size)
            word = rng.choice(INTERESTING) & (2 ** (8 * size) - 1)
            data[offset : offset + size] = word.to_bytes(size, "little")


def damage_size(data: bytearray, rng: random.Random) -> None:
    """Truncate the file, empty it, or append bytes."""
    if rng.random() < 0.6:
        del data[rng.choice((0, rng.randrange(len(data)), len(data) - rng.randrange(1, 64))) :]
    else:
        data += rng.randbytes(rng.choice((1, 8, 64, 4096)))


def arrow_positions(data: bytes) -> dict[str, list[int]]:
    """Return the byte positions of metadata (footer, messages), of offset buffers and of other buffers."""
    (footer,) = struct.unpack_from("<i", data, len(data) - 10)
    positions: dict[str, list[int]] = {"metadata": list(range(len(data) - 10 - footer, len(data) - 6))}
    whole = pa.py_buffer(data)
    reader = pa.ipc.open_file(whole)
    offsets: list[int] = []
    bodies: list[int] = []
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        for column in batch.columns:
            has_offsets = isinstance(column, pa.StringArray | pa.BinaryArray | pa.ListArray)
            for index, buffer in enumerate(column.buffers()):
                if buffer is not None and buffer.size:
                    start = buffer.address - whole.address
                    part = offsets if index == 1 and has_offsets else bodies
                    part.extend(range(start, start + buffer.size))
    owned = set(offsets) | set(bodies)
    last = len(data) - 10 - footer
    positions["metadata"] += [offset for offset in range(8, last) if offset not in owned]
    positions["offsets"], positions["body"] = offsets, bodies
    return positions


def rewritten_arrow(data: bytes, rng: random.Random) -> bytes:
    """Return a file that Arrow holds for valid, with columns that records never have."""
    table = pa.ipc.open_file(pa.py_buffer(data)).read_all()
    name = rng.choice(table.column_names)
    column = table.column_names.index(name)
    rows = table.num_rows
    options = pa.ipc.IpcWriteOptions(compression=rng.choice((None, None, "zstd", "lz4")))
    columns = [
        lambda: pa.array(["x"] * rows).dictionary_encode(),
        lambda: pa.array([b"\0" * _BIG] + [b""] * (rows - 1)),
        lambda: pa.array(["y"] * rows, pa.string_view()),
        lambda: pa.array([1.5] * rows),
        lambda: pa.nulls(rows, pa.string()),
        lambda: pa.nulls(rows),
        lambda: pa.array([2**62] * rows, pa.timestamp("s", "Mars/Olympus")),
        lambda: pa.array([2**30] * rows, pa.int32()).cast(pa.date32()),
        lambda: pa.array([2**62] * rows, pa.duration("s")),
        lambda: pa.array([[2**62]] * rows, pa.list_(pa.timestamp("us"))),
        lambda: pa.array([{"a": [None] * 9}] * rows),
        lambda: pa.RunEndEncodedArray.from_arrays([rows], ["z"]),
        lambda: pa.UnionArray.from_sparse(pa.array([0] * rows, pa.int8()), [pa.array(["u"] * rows)]),
        lambda: pa.array([-(2**31)] * rows, pa.int32()),
        lambda: pa.array([2**64 - 1] * rows, pa.uint64()),
        lambda: pa.array([float("nan")] * rows, pa.float16()),
    ]
    changed = table.set_column(column, name, pa.chunked_array([rng.choice(columns)()]))
    if rng.random() < 0.2:
        changed = changed.rename_columns(
            [name if offset == 1 else old for offset, old in enumerate(changed.column_names)]
        )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, changed.schema, options=options) as writer:
        writer.write_table(changed, 64)
    return sink.getvalue().to_pybytes()


def seal_snap(data: bytearray) -> None:
    """Recompute every checksum of a `.snap` file, as far as its section table can be read."""
    with suppress(struct.error, IndexError):
        header, _, count = struct.unpack_from("<III", data, 12)
        for number in range(min(count, 64)):
            line = 48 + 32 * number
            offset, size = struct.unpack_from("<QQ", data, line + 8)
            if offset + size <= len(data):
                struct.pack_into("<I", data, line + 24, reference.crc32c(bytes(data[offset : offset + size])))
        if 4 <= header <= len(data):
            struct.pack_into("<I", data, header - 4, reference.crc32c(bytes(data[: header - 4])))


def seal_column_index(data: bytearray) -> None:
    """Recompute the checksums of a column index file; only that of the header if it cannot be parsed."""
    if len(data) < 16:
        return
    (length,) = struct.unpack_from("<I", data, 8)
    text = bytes(data[16 : 16 + length])
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        header = json.loads(text)
        begin = -(-(16 + length) // 64) * 64
        for entry in header["arrays"].values():
            kind, count, offset, _ = entry
            entry[3] = zlib.crc32(
                bytes(data[begin + offset : begin + offset + count * np.dtype(kind).itemsize])
            )
        text = json.dumps(header).encode()
        data[:begin] = bytes(data[:16]) + text + bytes(-(-(16 + len(text)) // 64) * 64 - 16 - len(text))
    struct.pack_into("<II", data, 8, len(text), zlib.crc32(text))


def seal_records(library: Path, records: Path) -> None:
    """Store the checksum of a record file in the database."""
    with closing(sqlite3.connect(library / "library.db")) as connection, connection:
        crc = zlib.crc32(records.read_bytes())
        connection.execute("UPDATE shards SET records_crc = ? WHERE stem = ?", (crc, records.stem))


_VALUES = (
    "-1",
    "0",
    "NULL",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5",
    "x'00ff'",
    "x''",
    "zeroblob(1000000)",
    "CAST(x'ff41' AS TEXT)",
    "CAST(x'41006f' AS TEXT)",
    "''",
    "'../../etc/passwd'",
    "CAST('../../etc/passwd' AS BLOB)",
    "CAST('/etc/passwd' AS BLOB)",
    "'18446744073709551616'",
    "'1'",
)


def loosen(connection: sqlite3.Connection) -> None:
    """Remove all constraints of a database, from the next connection on."""
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "UPDATE sqlite_master SET sql = "
        "replace(replace(replace(sql, 'STRICT, ', ''), 'STRICT', ''), 'NOT NULL', '') WHERE type = 'table'"
    )
    (version,) = connection.execute("PRAGMA schema_version").fetchone()
    connection.execute(f"PRAGMA schema_version = {version + 1}")


def hostile_database(path: Path, rng: random.Random) -> None:
    """Write values that the schema of the database refuses, or change the schema itself."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        tables = dict(
            connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            )
        )
        loosen(connection)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for _ in range(rng.choice((1, 1, 2))):
            table = rng.choice(list(tables))
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            with suppress(sqlite3.Error):
                connection.execute(
                    f"UPDATE OR IGNORE {table} SET {rng.choice(columns)} = {rng.choice(_VALUES)} "
                    f"WHERE rowid % {rng.choice((1, 2, 3))} = 0"
                    if table in ("sources", "made")
                    else f"UPDATE OR IGNORE {table} SET {rng.choice(columns)} = {rng.choice(_VALUES)}"
                    + rng.choice(("", f" WHERE {columns[0]} = (SELECT {columns[0]} FROM {table} LIMIT 1)"))
                )
        if rng.random() < 0.15:
            with suppress(sqlite3.Error):
                connection.execute(rng.choice(_STATEMENTS))


_STATEMENTS = (
    "DROP TABLE files",
    "ALTER TABLE shards RENAME COLUMN rows TO columns",
    "CREATE TRIGGER t AFTER UPDATE ON settings BEGIN DELETE FROM files; END",
    "CREATE VIEW v AS SELECT 1",
    "DELETE FROM settings WHERE name = 'model'",
    "UPDATE settings SET value = 'a' || char(10) || 'b' WHERE name = 'version'",
    "UPDATE settings SET value = '99999' WHERE name = 'dim'",
    "INSERT INTO tombstones SELECT stem, 999999 FROM shards",
)
