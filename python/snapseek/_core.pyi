"""The compiled core, by hand: the contract between Python and Rust.

Every error is one of `snapseek.errors`; its message says what was expected, what was got, and how to fix
it. Every call releases the GIL while it works, and Ctrl-C ends a long one.
"""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Final, Literal, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FlatIndex",
    "IvfFilter",
    "IvfIndex",
    "RowBitmap",
    "__version__",
    "best_rows_by_words",
    "build_flat",
    "build_ivf",
    "unite_rows",
]

__version__: Final[str]

@final
class FlatIndex:
    """An immutable flat index (SQ8 rows), mapped or loaded into memory. Safe to use from many threads.

    Every method that reads a mapped file raises FormatError if it was truncated before.
    """

    @staticmethod
    def open(path: str | PathLike[str], *, load: str = "map") -> FlatIndex:
        """Open the index and validate its structure, scales and ids: `load` is "map" or "ram".

        The codes of a mapped index are not read.

        Raises InputError for another `load`; StorageError if the file cannot be opened; FormatError if it is
        damaged, of another kind or too new.
        """

    @property
    def rows(self) -> int:
        """Number of rows."""

    @property
    def dim(self) -> int:
        """Dimension of a vector."""

    @property
    def kernel(self) -> Literal["avx512", "avx2", "neon", "scalar"]:
        """Name of the kernel that scans; all return the same results."""

    @staticmethod
    def filter(flags: NDArray[np.bool_]) -> RowBitmap:
        """Make the bitmap of the rows whose flag is set, for use in many searches.

        Raises InputError for another shape or dtype.
        """

    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        *,
        allow: RowBitmap | NDArray[np.bool_] | None = None,
        threads: int = 1,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return rows and scores of the best `k` allowed rows for each query, best first, ties by lower row.

        `queries`: (q, dim) float32, or (dim,) for one. `allow`: (rows,) bool, one flag for each row, or the
        bitmap of `filter`; None allows all. Several queries share `threads`. Returns
        (q, min(k, allowed)) int64 and float32. Scores are inner products, higher is better, exact over the
        stored codes; the top k are a prefix of the top k + n.

        Raises InputError for another dtype, shape or dim, NaN or infinity, or a negative `k`.
        """

    def vector(self, row: int) -> NDArray[np.float32]:
        """Return the stored vector of a row, (dim,) float32. Raises InputError if there is no such row."""

    @property
    def ids(self) -> NDArray[np.int64] | None:
        """The ids of the rows, (rows,) int64, rising; None where a row's number is its id."""

    def warm(self) -> None:
        """Prefault the whole file, so that no search waits for the disk."""

    def verify(self) -> None:
        """Read the whole file and check every checksum. Raises FormatError with the damaged section."""

@final
class IvfIndex:
    """An immutable IVF index, mapped or loaded into memory. Safe to use from many threads.

    Every method that reads a mapped file raises FormatError if it was truncated before.
    """

    @staticmethod
    def open(path: str | PathLike[str], *, load: str = "map") -> IvfIndex:
        """Open the index at `path` and validate its structure: `load` is "map" or "ram".

        Raises StorageError if the file cannot be opened; FormatError if it is damaged, of another kind or
        too new.
        """

    @property
    def rows(self) -> int:
        """Number of rows."""

    @property
    def dim(self) -> int:
        """Dimension of a vector."""

    @property
    def m(self) -> int:
        """Number of subquantizers; a PQ code has m / 2 bytes."""

    @property
    def nlist(self) -> int:
        """Number of inverted lists."""

    @property
    def refine(self) -> str:
        """Name of the codec of the second-level (PQ) residual, with which candidates are reranked.

        One of none, bst0.125, bst0.25, ... bst6, int8, f16, and of earlier codecs int4 and tcq0.25, ... tcq3.
        """

    @property
    def transform(self) -> int:
        """Number of the transform; see docs/FORMAT.md."""

    @property
    def kernel(self) -> Literal["avx512", "avx2", "neon", "scalar"]:
        """Name of the kernel that scans; all return the same results."""

    @property
    def size_bytes(self) -> int:
        """Length of the file."""

    @property
    def huge_page_bytes(self) -> int:
        """Bytes that searches read from huge pages; 0 until they are copied in the background."""

    @property
    def calibrations(
        self,
    ) -> list[
        tuple[
            Literal["samples", "rows"],
            int,
            Literal["samples", "rows", "unknown"],
            int,
            list[tuple[float, int, int]],
        ]
    ]:
        """Calibration tables: (like, k, source, queries, points) for each.

        `like`: the kind of query. `k`: the number of hits. `source`: what the queries were, and `queries` how
        many. `points` by rising recall: (recall, nprobe, shortlist).
        """

    def query_kind(self, query: NDArray[np.float32]) -> Literal["samples", "rows"]:
        """Return what a query, (dim,), is like. Raises InputError for another shape, NaN or infinity."""

    def calibrate(
        self,
        queries: NDArray[np.float16] | NDArray[np.float32],
        *,
        threads: int = 1,
        progress: Callable[[str, float], object] | None = None,
    ) -> None:
        """Calibrate with sample queries, (q, dim), and replace the file; this object keeps the old tables.

        Raises InputError for a wrong dtype, shape or dim, no queries, NaN or infinity; StorageError if the
        disk refuses or another file is in the place of this index; and what `progress` raises.
        """

    @property
    def transform_recalls(self) -> list[float]:
        """Recall of each transform on a sample, by number; -1 for those not tried."""

    @property
    def training_checksum(self) -> int:
        """Checksum of what the index was trained to: the lists, the transform and the codebooks."""

    def ids(self) -> NDArray[np.int64]:
        """Return the ids in row order, (rows,) int64, a copy."""

    def reconstruct(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the stored vectors of these rows, (n, dim) float32, from which scores are computed.

        `rows`: (n,) int64, row numbers in the order of `ids`. Raises InputError if there is no such row.
        """

    def filter(
        self, allow: NDArray[np.bool_] | NDArray[np.uint8] | NDArray[np.int64], *, by_row: bool = False
    ) -> IvfFilter:
        """Prepare the allowed rows for many searches, also from many threads.

        `allow`: (largest id + 1,) bool, a flag for each id; or uint8, such flags as bits, eight to a byte
        from the lowest on; or int64, the allowed ids in any order, unknown
        ones ignored; or with `by_row` (rows,) bool, a flag for each row. Raises InputError for another shape
        or dtype.
        """

    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        *,
        nprobe: int,
        shortlist: int,
        like_rows: tuple[int, int] | None = None,
        exact: bool = False,
        allow: IvfFilter | NDArray[np.bool_] | NDArray[np.uint8] | NDArray[np.int64] | None = None,
        threads: int = 1,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return ids and scores of the best `k` allowed rows for each query, best first, ties by lower id.

        `queries`: (q, dim) float32, or (dim,) for one. Scans the codes of `nprobe` lists, more if a filter
        allows few of their rows, and reranks the best `shortlist` rows; `exact` scores every allowed row.
        `like_rows`: both numbers for queries like rows, by default the same.
        `allow` as in `filter`. Returns (q, min(k, allowed)) int64 and float32, whatever the parameters.

        Raises InputError for another dtype, shape or dim, NaN or infinity, or a negative number.
        """

    def warm(self) -> None:
        """Prefault the whole file, so that no search waits for the disk."""

    def verify(self) -> None:
        """Read the whole file and check every checksum. Raises FormatError with the damaged section."""

@final
class IvfFilter:
    """The rows of an IVF index that may be found, prepared for searches; made by `filter` of the index."""

    @property
    def allowed(self) -> int:
        """Number of allowed rows."""

@final
class RowBitmap:
    """The rows of a flat index that may be found; made by `filter` of the index."""

    @property
    def allowed(self) -> int:
        """Number of allowed rows."""

def build_flat(
    path: str | PathLike[str],
    vectors: NDArray[np.float16] | NDArray[np.float32],
    *,
    ids: NDArray[np.int64] | None = None,
    progress: Callable[[str, float], object] | None = None,
) -> None:
    """Build a flat index of `vectors`, (n, dim), at `path`, in the order of `ids`, (n,), if there are any.

    The file appears when it is complete; until then it is at `<path>.<process>-<random>.tmp`.

    Raises InputError for another dtype or shape, NaN or infinity, or ids that repeat or are too few;
    StorageError if the disk refuses; whatever `progress` raises, and KeyboardInterrupt. No file is left then.
    """

def build_ivf(
    path: str | PathLike[str],
    vectors: NDArray[np.float16] | NDArray[np.float32],
    *,
    queries: NDArray[np.float16] | NDArray[np.float32] | None = None,
    ids: NDArray[np.int64] | None = None,
    m: int | None = None,
    nlist: int | None = None,
    refine: str | None = None,
    transform: str | None = None,
    memory_bytes: int | None = None,
    training: str | PathLike[str] | None = None,
    threads: int | None = None,
    seed: int = 0,
    progress: Callable[[str, float], object] | None = None,
) -> None:
    """Build an IVF index of `vectors`, (n, dim), at `path`; `queries`, (q, dim), are sample queries.

    With `training`, the path of an IVF index, its lists, transform and codebooks are used, and none trained.
    The file depends on everything but `threads`. `progress` is called with a stage's name and the share of it
    that is done. Raises as `build_flat` does, and InputError for options out of range or queries of another
    dim.
    """

def best_rows_by_words(
    words: Sequence[NDArray[np.uint8]],
    weights: NDArray[np.float32],
    k: int,
    *,
    rows: int,
    within: NDArray[np.uint8] | None = None,
    lengths: NDArray[np.uint16] | None = None,
    factors: NDArray[np.float32] | None = None,
    ids: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the best `k` rows with a word and their scores, best first, ties by lower id, else by lower row.

    A row scores the sum of the weights of its words, added in their order, times the factor of its length.

    `words`: for each of at most 64 words the rows that have it, as packed bits: the first row in the top bit
    of a byte, `-(-rows // 64) * 8` bytes. `weights`: (words,), positive. `within`: the rows that may be
    found, as packed bits; None for all. `lengths`: (rows,), with `factors`, the positive factor of each
    length from 0 on; a longer row is not found. `ids`: (rows,). Returns (n,) int64 and float32.

    Raises InputError for another dtype or shape, or for more words.
    """

def unite_rows(
    rows: int, lists: Sequence[NDArray[np.int32]], bitmaps: Sequence[NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """Return the rows of lists and of bitmaps together, as packed bits: see `best_rows_by_words`.

    Rows from `rows` on are left out. Raises InputError for another dtype.
    """
