"""The compiled core, by hand: the contract between Python and Rust.

Every error is one of `snapseek.errors`; its message says what was expected, what was found, how to mend it.
"""

from os import PathLike
from typing import Final, Literal, final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Shard", "ShardWriter", "__version__"]

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
        self, queries: NDArray[np.float32], k: int, *, allow: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows and scores of the best `k` allowed rows for each query, best first, ties by lower row.

        `queries`: (q, dim) float32, or (dim,) for one. `allow`: (rows,) bool, the rows that may be found, or
        None for all. Returns (q, min(k, allowed)) int64 and float32. Scores are inner products, higher is
        better, exact over the stored codes; the first k of a search for more are the same.

        Raises InputError for another dtype, shape or dim, NaN or infinity, or a negative `k`.
        """

    def vector(self, row: int) -> NDArray[np.float32]:
        """The stored vector of a row, (dim,) float32. Raises InputError if there is no such row."""

    def verify(self) -> None:
        """Read the whole file and check every checksum. Raises FormatError naming the damaged place."""
