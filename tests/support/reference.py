"""The reference implementation of the core in NumPy. The Rust crate must agree with it to the bit.

Nothing here is fast and nothing here imports snapseek. `docs/FORMAT.md` describes the same in words.
"""

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROW_LIMIT = 127
LANES = 16
CHUNK_BYTES = 1 << 20

F32 = NDArray[np.float32]


def stride(dim: int) -> int:
    """Codes in one stored row, padding included."""
    return -(-dim // LANES) * LANES


def query_limit(dim: int) -> int:
    """Largest magnitude of a query's code: dim * 128 * limit must fit an int32."""
    return min(32767, (2**31 - 1) // (128 * dim))


def encode(vectors: F32, limit: int) -> tuple[NDArray[np.int32], F32]:
    """Codes (n, dim) up to `limit` in magnitude, and scales (n,), of vectors (n, dim)."""
    scales = np.abs(vectors).max(axis=1) / np.float32(limit)
    scales = np.where(scales < np.finfo(np.float32).tiny, np.float32(0), scales)
    divisors = np.where(scales == 0, np.float32(np.inf), scales)
    return np.rint(vectors / divisors[:, None]).astype(np.int32), scales


def decode(codes: NDArray[np.int32], scales: F32) -> F32:
    """Vectors (n, dim) of codes (n, dim) and scales (n,)."""
    return codes.astype(np.float32) * scales[:, None]


def scores(vectors: F32, queries: F32) -> F32:
    """Score of every row for every query, (q, n): the rows as stored, the queries as coded."""
    codes, scales = encode(vectors, ROW_LIMIT)
    query_codes, query_scales = encode(queries, query_limit(queries.shape[1]))
    products = query_codes.astype(np.int64) @ codes.astype(np.int64).T
    exact = products * scales.astype(np.float64) * query_scales.astype(np.float64)[:, None]
    return exact.astype(np.float32) + np.float32(0)


def search(
    vectors: F32, queries: F32, k: int, allow: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int64], F32]:
    """Best `k` allowed rows and their scores, each (q, min(k, allowed)), ties by lower row."""
    rows = np.arange(len(vectors)) if allow is None else np.flatnonzero(allow)
    all_scores = scores(vectors, queries)[:, rows]
    order = np.argsort(-all_scores, axis=1, kind="stable")[:, :k]
    return rows[order], np.take_along_axis(all_scores, order, axis=1)


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli) of `data`."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@dataclass(frozen=True)
class Field:
    """One line of a table in docs/FORMAT.md."""

    offset: int
    type: str
    name: str

    def read(self, data: bytes) -> Any:
        """The field's value in `data`: bytes for 8s, else int."""
        code = {"8s": "<8s", "u32": "<I", "u64": "<Q"}[self.type]
        return struct.unpack_from(code, data, self.offset)[0]


def format_tables(page: Path) -> tuple[list[Field], list[Field]]:
    """The tables «Header» and «Section table» of docs/FORMAT.md."""
    tables = []
    for title in ("## Header", "## Section table"):
        chapter = page.read_text(encoding="utf-8").split(title + "\n")[1].split("\n## ")[0]
        lines = re.findall(r"^\| (\d+) \| (\w+) \| (\w+) \|", chapter, re.MULTILINE)
        tables.append([Field(int(offset), kind, name) for offset, kind, name in lines])
    return tables[0], tables[1]
