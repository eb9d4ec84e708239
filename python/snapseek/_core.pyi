"""The compiled core, by hand: the contract between Python and Rust.

Every error is one of `snapseek.errors`; its message says what was expected, what was found, how to mend it.
"""

from collections.abc import Callable
from os import PathLike
from typing import Final, Literal, final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Filter", "Index", "Shard", "ShardWriter", "__version__", "build_flat", "build_index"]

__version__: Final[str]

@final
class ShardWriter:
    """Writes one shard under a temporary name (`<path>.<number>.tmp`); `finish` makes it appear at `path`.

    Dropping a writer that has not finished removes the temporary file. Rows are stored as int8 codes with one
    float32 scale a row: each value within `max(abs(row)) / 254` of what was appended.
    """

    def __new__(cls, path: str | PathLike[str], dim: int) -> ShardWriter:
        """Begin a shard of `dim` dimensions, 1 to 4096. A file already at `path` is replaced by `finish`.

        Raises InputError for an impossible `dim`, StorageError if the temporary file cannot be made.
        """

    def append(self, vectors: NDArray[np.float32]) -> None:
        """Add rows: (n, dim) float32, finite, any strides. Row numbers count on from those before.

        Raises InputError for another dtype, shape or dim, NaN or infinity, and then adds none of the rows;
        StorageError if the disk refuses, and then the writer is aborted.
        """

    def finish(self) -> int:
        """Flush to the disk, make the file appear at `path`, return its number of rows; the writer has ended.

        Raises StorageError if the disk refuses; the temporary file is gone then.
        """

    def abort(self) -> None:
        """Remove the temporary file. Does nothing after `finish`."""

@final
class Shard:
    """An immutable shard, mapped into memory. Safe to use from many threads; a search releases the GIL."""

    @staticmethod
    def open(path: str | PathLike[str]) -> Shard:
        """Map the shard and check its structure and scales; codes are not read.

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
    def kernel(self) -> Literal["avx2", "neon", "scalar"]:
        """Name of the kernel that searches; all give the same result."""

    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        *,
        allow: NDArray[np.bool_] | None = None,
        threads: int = 1,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows and scores of the best `k` allowed rows for each query, best first, ties by lower row.

        `queries`: (q, dim) float32, or (dim,) for one. `allow`: (rows,) bool, the rows that may be found, or
        None for all. Several queries share `threads`. Returns (q, min(k, allowed)) int64 and float32. Scores are inner products, higher is
        better, exact over the stored codes; the first k of a search for more are the same.

        Raises InputError for another dtype, shape or dim, NaN or infinity, or a negative `k`.
        """

    def vector(self, row: int) -> NDArray[np.float32]:
        """The stored vector of a row, (dim,) float32. Raises InputError if there is no such row."""

    @property
    def ids(self) -> NDArray[np.int64] | None:
        """The ids of the rows, (rows,) int64, rising; None where a row's number is its id."""

    def warm(self) -> None:
        """Bring the whole file into memory, as far as it is not there yet; releases the GIL."""

    def verify(self) -> None:
        """Read the whole file and check every checksum. Raises FormatError naming the damaged place."""

@final
class Index:
    """An index of inverted lists, mapped or loaded. Safe with many threads; a search releases the GIL."""

    @staticmethod
    def open(path: str | PathLike[str], *, load: str = "map") -> Index:
        """Open the index at `path` and check its structure: `load` is "map" or "ram".

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
        """Subquantizers of a code: it takes m / 2 bytes."""

    @property
    def nlist(self) -> int:
        """Number of inverted lists."""

    @property
    def tier(self) -> Literal["none", "tcq2", "tcq3", "int4", "int8", "f16"]:
        """How finely is kept what the codes leave over."""

    @property
    def transform(self) -> int:
        """Number of the transform; see docs/FORMAT.md."""

    @property
    def kernel(self) -> Literal["avx2", "neon", "scalar"]:
        """Name of the kernel that scans; all give the same result."""

    @property
    def size_bytes(self) -> int:
        """Length of the file."""

    @property
    def efforts(self) -> list[tuple[float, int, int]]:
        """Calibrated points by rising recall: (recall@10, nprobe, shortlist). Empty if none were measured."""

    @property
    def gains(self) -> list[float]:
        """Recall of each transform on a sample, in the order of their numbers; -1 for those not tried."""

    def ids(self) -> NDArray[np.int64]:
        """Ids in row order, (rows,) int64, a copy."""

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The stored vectors of these rows, (n, dim) float32: what their scores are made of.

        `rows`: (n,) int64, places in the order of `ids`. Raises InputError if there is no such row.
        """

    def filter(self, allow: NDArray[np.bool_] | NDArray[np.int64], *, by_row: bool = False) -> Filter:
        """The rows that `allow` names, for use in many searches.

        `allow`: (largest id + 1,) bool, a flag for each id; or int64, the allowed ids in any order, unknown
        ones passed over; or with `by_row` (rows,) bool, a flag for each row. Raises InputError for another
        shape or dtype.
        """

    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        *,
        nprobe: int,
        shortlist: int,
        exact: bool = False,
        allow: Filter | NDArray[np.bool_] | NDArray[np.int64] | None = None,
        threads: int = 1,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids and scores of the best `k` allowed rows for each query, best first, ties by lower id.

        `queries`: (q, dim) float32, or (dim,) for one. Scans the codes of `nprobe` lists, more if a filter
        leaves few rows in them, and refines the best `shortlist` rows; `exact` scores every allowed row.
        `allow` as in `filter`. Returns (q, min(k, allowed)) int64 and float32, whatever the settings.

        Raises InputError for another dtype, shape or dim, NaN or infinity, or a negative number.
        """

    def warm(self) -> None:
        """Bring the whole file into memory, as far as it is not there yet; releases the GIL."""

    def verify(self) -> None:
        """Read the whole file and check every checksum. Raises FormatError naming the damaged place."""

@final
class Filter:
    """The rows of an index that may be found; made by `Index.filter`."""

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
    """Write `vectors`, (n, dim), to a flat shard at `path`, in the order of `ids`, (n,), if there are any.

    Raises InputError for another dtype or shape, NaN or infinity, or ids that repeat or are too few;
    StorageError if the disk refuses; whatever `progress` raises, and KeyboardInterrupt. No file is left then.
    """

def build_index(
    path: str | PathLike[str],
    vectors: NDArray[np.float16] | NDArray[np.float32],
    *,
    queries: NDArray[np.float16] | NDArray[np.float32] | None = None,
    ids: NDArray[np.int64] | None = None,
    m: int | None = None,
    nlist: int | None = None,
    tier: str | None = None,
    transform: str | None = None,
    memory_bytes: int | None = None,
    threads: int | None = None,
    seed: int = 0,
    progress: Callable[[str, float], object] | None = None,
) -> None:
    """Build an index of inverted lists of `vectors`, (n, dim), at `path`; `queries`, (q, dim), are samples.

    The file depends on everything but `threads`. `progress` is called with a stage's name and the share of it
    that is done. Raises as `build_flat` does, and InputError for settings out of range or queries of another
    dim.
    """
