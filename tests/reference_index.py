"""The obvious version of an index of lists, in NumPy: reads the file by docs/FORMAT.md, scores every row."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import reference
from reference import F32

FORMAT_PAGE = Path(__file__).parent.parent / "docs" / "FORMAT.md"
TYPES = {
    "u8": np.uint8,
    "i8": np.int8,
    "u32": np.uint32,
    "f32": np.float32,
    "u64": np.uint64,
    "i64": np.int64,
}


def section_table() -> dict[str, str]:
    """Tag and type of every section of an index, in the order of the table in docs/FORMAT.md."""
    chapter = FORMAT_PAGE.read_text(encoding="utf-8").split("## Sections of an index of lists\n")[1]
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


@dataclass
class Reference:
    """An index as NumPy sees it."""

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
        return self.parts["ids"]

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
        """The tier's values of every row, (rows, stride): whole numbers, or float16 in float64."""
        stride = reference.stride(self.dim)
        if self.parts["shape"][2] == 3:
            return self.parts["tier"].view(np.float16).reshape(-1, stride).astype(np.float64)
        if self.parts["shape"][2] == 2:
            return self.parts["tier"].view(np.int8).reshape(-1, stride).astype(np.int64)
        halves = self.parts["tier"].reshape(-1, stride // 2).astype(np.int64)
        return np.concatenate([halves & 15, halves >> 4], axis=1) - 8

    def fine(self, query: NDArray[np.int64], scale: np.float64) -> tuple[NDArray[np.int64], np.float64]:
        """The fine table of a coded query, (m, 16), and its scale."""
        products = self.parts["b"].reshape(-1, len(query)).astype(np.int64) @ query
        asked = (products * self.parts["bscales"].astype(np.float64) * scale).astype(np.float32)
        q = asked.reshape(self.m, 1, 4)
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
        table, fine_scale = self.fine(padded, scale)
        fine = table[np.arange(self.m), self.codes()].sum(axis=1) * fine_scale
        rest = (self.tier() @ padded) * self.parts["scales"].astype(np.float64) * scale
        return ((base + fine) + rest).astype(np.float32) + np.float32(0)

    def search(
        self, query: F32, k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], F32]:
        """Ids and scores of the best `k` rows whose id is flagged in `allowed`; ties by lower id."""
        scores = self.scores(query)
        rows = np.arange(len(scores)) if allowed is None else np.flatnonzero(allowed[self.ids])
        order = rows[np.lexsort((self.ids[rows], -scores[rows]))][:k]
        return self.ids[order], scores[order]
