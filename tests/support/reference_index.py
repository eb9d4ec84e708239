"""The reference IVF index in NumPy: reads the file by docs/FORMAT.md, scores every row."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support import reference
from tests.support.reference import F32

FORMAT_PAGE = Path(__file__).parents[2] / "docs" / "FORMAT.md"
TYPES = {
    "u8": np.uint8,
    "i8": np.int8,
    "u16": np.uint16,
    "u32": np.uint32,
    "f32": np.float32,
    "u64": np.uint64,
    "i64": np.int64,
}


LEVELS = {
    0: (0, 0, 0, 0),
    1: (-60, -17, 17, 60),
    2: (-93, -53, -30, -9, 9, 30, 53, 93),
    3: (-127, -93, -72, -56, -42, -30, -18, -6, 6, 18, 30, 42, 56, 72, 93, 127),
}
LEVELS_TCQ2 = (-127, -73, -41, -13, 13, 41, 73, 127)


def section_table() -> dict[str, str]:
    """Tag and type of every section of an index, in the order of the table in docs/FORMAT.md."""
    chapter = FORMAT_PAGE.read_text(encoding="utf-8").split("## Sections of an IVF index\n")[1]
    return dict(re.findall(r"^\| (\w+) \| (\w\d+) \|", chapter.split("\n## ")[0], re.MULTILINE))


def sections(data: bytes) -> dict[str, NDArray[Any]]:
    """Every section of a file, flat, in its type."""
    header, entry = reference.format_tables(FORMAT_PAGE)
    count = next(field for field in header if field.name == "section_count").read(data)
    found = {}
    for start in range(48, 48 + 32 * count, 32):
        line = {field.name: field.read(data[start : start + 32]) for field in entry}
        content = data[line["offset"] : line["offset"] + line["size"]]
        assert line["crc"] == reference.crc32c(content)
        found[line["tag"].rstrip(b"\0").decode()] = content
    types = section_table()
    assert list(found) == list(types)
    return {tag: np.frombuffer(content, TYPES[types[tag]]) for tag, content in found.items()}


def rotated(projected: F32, stride: int) -> F32:
    """Rotate a projected query (4m,) by the randomized Hadamard transform of the TCQ rows, (stride,)."""
    values = np.zeros(stride, np.float32)
    values[: min(len(projected), stride)] = projected[:stride]
    size = 1 << (stride.bit_length() - 1)
    for start in dict.fromkeys((0, stride - size)):
        values[start : start + size] = mixed(values[start : start + size])
    return values


def mixed(values: F32) -> F32:
    """Apply sign flips, then a Hadamard matrix, to a power of two of values."""
    size = len(values)
    hashed = (np.arange(1, size + 1) * 0x9E3779B1) % 2**32
    hashed = ((hashed ^ hashed >> 15) * 0x85EBCA6B) % 2**32
    values = np.where(hashed >> 31 == 1, -values, values).astype(np.float32)
    half = 1
    while half < size:
        pairs = values.reshape(-1, 2, half)
        values = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).reshape(-1)
        half *= 2
    factor: np.float32 = np.float32(1) / np.sqrt(np.float32(size))
    return values * factor


def trellis_levels(lines: NDArray[np.uint8], quarters: int, words: int) -> NDArray[np.int64]:
    """Decode TCQ rows, (rows, bytes) -> (rows, 64 * words), of a rate in quarters of a bit."""
    of_word = [-(-quarters * (word + 1) // 4) - -(-quarters * word // 4) for word in range(words)]
    bits = np.repeat(of_word, 64)  # of each value
    stream = np.unpackbits(lines, axis=1, bitorder="little").astype(np.int64)
    planes, start = [], 0
    for plane in range(3):
        has_bit = bits > plane
        values = np.zeros((len(lines), len(bits)), np.int64)
        values[:, has_bit] = stream[:, start : start + has_bit.sum()]
        planes.append(values)
        start += int(has_bit.sum())
    coded = planes[0][:, bits > 0]
    before = np.pad(coded, ((0, 0), (3, 0)))
    late = [before[:, 3 - by : 3 - by + coded.shape[1]] for by in range(4)]
    label = np.zeros_like(planes[0])
    label[:, bits > 0] = 2 * (late[0] ^ late[1] ^ late[3]) + late[2]
    number = 4 * (planes[1] + 2 * planes[2]) + label
    levels = np.zeros_like(number)
    for count in range(4):
        table = LEVELS_TCQ2 if quarters == 8 else LEVELS[count]
        levels[:, bits == count] = np.array(table)[number[:, bits == count]]
    return levels


def bitshift_levels(lines: NDArray[np.uint8], eighths: int, count: int) -> NDArray[np.int64]:
    """Decode bitshift trellis rows, (rows, bytes) -> (rows, count), of a rate in eighths of a bit."""
    stream = np.unpackbits(lines, axis=1, bitorder="little").astype(np.int64)
    window, gap = np.zeros(len(lines), np.int64), 0
    levels = []
    for value in range(count):
        bits = range(-(-eighths * value // 8), -(-eighths * (value + 1) // 8))
        gap = 0 if bits else gap + 1
        for bit in bits:
            window = (2 * window + stream[:, bit]) % 512
        hashed = (window + 512 * gap) * 0x36B2389D % 2**32
        total = sum(hashed >> shift & 255 for shift in (0, 8, 16, 24))
        levels.append(np.maximum(total // 4 - 128, -127))
    return np.stack(levels, axis=1)


@dataclass
class Reference:
    """An IVF index file, read and searched with NumPy."""

    dim: int
    m: int
    parts: dict[str, NDArray[Any]]

    @classmethod
    def read(cls, path: Path) -> "Reference":
        """Read a file by the tables of docs/FORMAT.md."""
        data = path.read_bytes()
        header, _ = reference.format_tables(FORMAT_PAGE)
        dim = next(field for field in header if field.name == "dim").read(data)
        parts = sections(data)
        return cls(dim, int(parts["shape"][0]), parts)

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids in row order."""
        smallest, *words = self.parts["ids"]
        bits = int(self.parts["shape"][7] >> 8 & 0xFF)
        rows = int(self.parts["starts"][-1])
        stream = np.unpackbits(np.array(words, "<u8").view(np.uint8), bitorder="little")
        differences = stream[: rows * bits].reshape(rows, bits).astype(np.int64) << np.arange(bits)
        return np.int64(smallest.astype(np.int64)) + differences.sum(axis=1)

    @property
    def row_scales(self) -> NDArray[np.float64]:
        """The scale of every refine code."""
        return (self.parts["scales"].astype(np.uint32) << 16).view(np.float32).astype(np.float64)

    def lists(self) -> NDArray[np.int64]:
        """The list of every row."""
        starts = self.parts["starts"].astype(np.int64)
        return np.repeat(np.arange(len(starts) - 1), np.diff(starts))

    def codes(self) -> NDArray[np.int64]:
        """The 4-bit codes of every row, (rows, m)."""
        blocks = self.parts["blocks"].reshape(-1, 16 * self.m + 32)
        groups = blocks[:, : 16 * self.m].reshape(-1, self.m, 16)
        rows = np.concatenate([groups & 15, groups >> 4], axis=2).transpose(0, 2, 1).reshape(-1, self.m)
        return rows[: len(self.ids)].astype(np.int64)

    def tier(self) -> NDArray[Any]:
        """Return the refine codes of every row, (rows, stride): integers, or float16 in float64."""
        stride = reference.stride(self.dim)
        if self.trellis_quarters:
            lines = self.parts["tier"].reshape(len(self.ids), -1)
            return trellis_levels(lines, self.trellis_quarters, -(-stride // 64))[:, :stride]
        if self.bitshift_eighths:
            return bitshift_levels(
                self.parts["tier"].reshape(len(self.ids), -1), self.bitshift_eighths, stride
            )
        if self.parts["shape"][2] == 3:
            return self.parts["tier"].view(np.float16).reshape(-1, stride).astype(np.float64)
        if self.parts["shape"][2] == 2:
            return self.parts["tier"].view(np.int8).reshape(-1, stride).astype(np.int64)
        halves = self.parts["tier"].reshape(-1, stride // 2).astype(np.int64)
        return np.concatenate([halves & 15, halves >> 4], axis=1) - 8

    @property
    def trellis_quarters(self) -> int:
        """Return the quarters of a bit per value of TCQ refine codes, else 0."""
        quarters = (
            {4: 8, 5: 12}
            | {5 + rate: rate for rate in range(1, 8)}
            | {4 + rate: rate for rate in (9, 10, 11)}
        )
        return quarters.get(int(self.parts["shape"][2]), 0)

    @property
    def bitshift_eighths(self) -> int:
        """Return the eighths of a bit per value of bitshift trellis refine codes, else 0."""
        return max(0, int(self.parts["shape"][2]) - 15)

    def projected(self, query: NDArray[np.int64], scale: np.float64) -> F32:
        """Project a quantized query, (4m,)."""
        products = self.parts["b"].reshape(-1, len(query)).astype(np.int64) @ query
        return (products * self.parts["bscales"].astype(np.float64) * scale).astype(np.float32)

    def fine(self, projected: F32) -> tuple[NDArray[np.int64], np.float64]:
        """Return the 21-bit lookup table of a projected query, (m, 16), and its scale."""
        q = projected.reshape(self.m, 1, 4)
        terms = q * self.parts["books"].reshape(self.m, 16, 4)
        table = (terms[..., 0] + terms[..., 1]) + (terms[..., 2] + terms[..., 3])
        step = np.abs(table).max(initial=np.float32(0)) / np.float32(2**20)
        if step < np.finfo(np.float32).tiny:
            return np.zeros((self.m, 16), np.int64), np.float64(0)
        return np.rint(table / step).astype(np.int64), np.float64(step)

    def scores(self, query: F32) -> F32:
        """The score of every row for a query (dim,), as an exact search gives it."""
        stride = reference.stride(self.dim)
        codes, scales = reference.encode(query[None], reference.query_limit(self.dim))
        padded = np.zeros(stride, np.int64)
        padded[: self.dim] = codes[0]
        scale = np.float64(scales[0])
        means = self.parts["means"].reshape(-1, stride).astype(np.int64) @ padded
        base = (means * self.parts["mscales"].astype(np.float64) * scale)[self.lists()]
        projected = self.projected(padded, scale)
        table, fine_scale = self.fine(projected)
        fine = table[np.arange(self.m), self.codes()].sum(axis=1) * fine_scale
        if self.trellis_quarters or self.bitshift_eighths:
            codes, scales = reference.encode(rotated(projected, stride)[None], reference.query_limit(stride))
            padded, scale = codes[0].astype(np.int64), np.float64(scales[0])
        refined = (self.tier() @ padded) * self.row_scales * scale
        return ((base + fine) + refined).astype(np.float32) + np.float32(0)

    def search(
        self, query: F32, k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], F32]:
        """Ids and scores of the best `k` rows whose id is flagged in `allowed`; ties by lower id."""
        scores = self.scores(query)
        rows = np.arange(len(scores)) if allowed is None else np.flatnonzero(allowed[self.ids])
        order = rows[np.lexsort((self.ids[rows], -scores[rows]))][:k]
        return self.ids[order], scores[order]
