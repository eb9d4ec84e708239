"""Golden files: one folder for each format version, with the results they gave when written.

The current reader must open them and return the same results to the bit. Files of a
version are never rewritten: for a new version, `python tests/support/golden_files.py tests/golden/version-N`
writes a folder more.
`rust/golden.rs` reads the same folder.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snapseek import VectorIndex
from snapseek.vectors.index import CalibrationPoint
from tests.support.vector_rows import unit_rows

GOLDEN = Path(__file__).parents[1] / "golden"
ROWS, DIM, QUERIES, K = 150, 16, 5, 6
PROBE = CalibrationPoint(recall=0.5, nprobe=2, shortlist=20)


@dataclass(frozen=True)
class Answer:
    """The result of one query on one file: ids, and scores as float32 bits, best first."""

    file: str
    mode: str
    query: int
    ids: tuple[int, ...]
    bits: tuple[int, ...]

    def line(self) -> str:
        """The line of `answers.txt`: file, mode, query, then id:bits for each place."""
        hits = (f"{number}:{bits:08x}" for number, bits in zip(self.ids, self.bits, strict=True))
        return " ".join([self.file, self.mode, str(self.query), *hits])

    @classmethod
    def of_line(cls, line: str) -> "Answer":
        """Read a line of `answers.txt`."""
        file, mode, query, *hits = line.split()
        ids, bits = zip(*(hit.split(":") for hit in hits), strict=True)
        return cls(file, mode, int(query), tuple(map(int, ids)), tuple(int(word, 16) for word in bits))


def queries(folder: Path) -> NDArray[np.float32]:
    """Return the queries of a folder, (q, dim) float32."""
    return np.fromfile(folder / "queries.f32", "<f4").reshape(-1, DIM)


def ask(index: VectorIndex, file: str, queries: NDArray[np.float32]) -> list[Answer]:
    """Search every query in every mode: `exact`, `probe` a few lists, `allow` only ids not divisible by 3."""
    numbers = index.ids()
    modes = {
        "exact": index.search(queries, K, exact=True),
        "probe": index.search(queries, K, effort=PROBE),
        "allow": index.search(queries, K, effort=PROBE, allow=numbers[numbers % 3 != 0]),
    }
    return [
        Answer(file, mode, query, tuple(ids[query].tolist()), tuple(scores[query].view(np.uint32).tolist()))
        for mode, (ids, scores) in modes.items()
        for query in range(len(queries))
    ]


def write(folder: Path) -> None:
    """Build the files of the version that the installed core writes, and record their results."""
    folder.mkdir(parents=True)
    vectors, queries = unit_rows(ROWS, DIM, seed=1), unit_rows(QUERIES, DIM, seed=2)
    queries.astype("<f4").tofile(folder / "queries.f32")
    # Neither rising nor without gaps.
    ids = np.random.default_rng(3).permutation(4 * ROWS)[:ROWS]
    built = {
        "flat": VectorIndex.build(vectors, path=folder / "flat.snap"),
        "flat-ids": VectorIndex.build(vectors, path=folder / "flat-ids.snap", ids=ids),
    }
    for tier in ("none", "int4", "int8", "f16", "tcq2", "tcq3"):
        name = f"lists-{tier}"
        built[name] = VectorIndex.build(
            vectors,
            unit_rows(64, DIM, seed=4),
            path=folder / f"{name}.snap",
            ids=ids,
            nlist=6,
            tier=tier,  # type: ignore[arg-type]
        )
    lines = [answer.line() for name, index in built.items() for answer in ask(index, name, queries)]
    (folder / "answers.txt").write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
