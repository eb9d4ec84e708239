"""Search among vectors alone: build an index of an array, open it, ask it.

    index = VectorIndex.build(vectors, queries, path="pictures.snap", memory="800MB")
    ids, scores = index.search(query, k=10, effort=0.98)

Vectors may be float16 or float32, in memory or in a mapped `.npy` file (`numpy.load(..., mmap_mode="r")`),
which is read in pieces and never copied whole. The score is the inner product: of unit rows, the cosine.
"""

import os
import re
import struct
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snapseek._core import Filter, Index, Shard, build_flat, build_index
from snapseek.errors import (
    ArrayError,
    InputError,
    NonFiniteError,
    OutOfRangeError,
    ParseError,
    StorageError,
    UnknownChoiceError,
    WrongIndexError,
)
from snapseek.threads import available_cores, resolve_threads
from snapseek.vectors import flat
from snapseek.vectors.calibration import CalibrationPoint, resolve_effort
from snapseek.vectors.flat import Allow, Ids, RowMask, Scores

__all__ = ["Allow", "CalibrationPoint", "Filter", "RowMask", "VectorIndex", "VectorIndexInfo"]

FLAT_ROWS = 50_000
"""Below so many rows nothing is trained: all of them are scored for every query."""

_INDEX_KIND = 2
_TEMPORARY_INDEX = "index.snap"
_EVERY_ROW = (CalibrationPoint(1.0, 0, 0),)
_TRANSFORMS = ("identity", "pca", "query-0.25", "query-0.5")
# At most: the scale, the id and the padding of a row; and what a file has besides rows.
_FLAT_ROW_BYTES = 28
_FLAT_BYTES = 4096
_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_BYTES = re.compile(r"([0-9]{1,20}(?:\.[0-9]+)?) *([kmgt]i?)?b?", re.IGNORECASE)

Progress = Callable[[str, float], object]


@dataclass(frozen=True)
class VectorIndexInfo:
    """What an index is: its kind (`flat` or `lists`), its sizes, what was chosen and measured at build.

    `gains` has the recall of the codes with each transform that was tried, on a sample.
    """

    path: Path
    kind: Literal["flat", "lists"]
    rows: int
    dim: int
    size_bytes: int
    kernel: str
    nlist: int = 0
    m: int = 0
    refine: str = "int8"
    transform: str = "identity"
    transform_recalls: dict[str, float] = field(default_factory=dict)
    calibration: tuple[CalibrationPoint, ...] = ()


class VectorIndex:
    """Vectors in one immutable file, mapped and searched in place. Safe to use from many threads at once.

    Made by `build` or `open`; a search releases the GIL.
    """

    def __init__(self, core: Shard | Index, path: Path, keep: object = None) -> None:
        self._core = core
        self._path = path
        self._keep = keep

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled as its path and opened there anew, so that worker processes share the mapped file."""
        if self._keep is not None:
            raise TypeError(
                "expected an index with a file of its own, found a temporary one: build it with path="
            )
        return type(self).open, (self._path,)

    @classmethod
    def build(
        cls,
        vectors: NDArray[np.float16] | NDArray[np.float32],
        queries: NDArray[np.float16] | NDArray[np.float32] | None = None,
        *,
        memory: str | int | None = None,
        path: str | os.PathLike[str] | None = None,
        ids: ArrayLike | None = None,
        threads: int | None = None,
        seed: int = 0,
        progress: Progress | None = None,
        m: int | None = None,
        nlist: int | None = None,
        tier: Literal["f16", "int8", "int4", "tcq3", "tcq2", "none"] | None = None,
        transform: Literal["identity", "pca", "query-0.25", "query-0.5"] | None = None,
    ) -> Self:
        """Build an index of `vectors`, shape (n, dim), write it to `path` and open it.

        `queries`, shape (q, dim), are samples of what will be asked, best some thousands: codes are trained
        for them and `effort` is calibrated with some of them. Without them noisy rows stand in, as fits
        queries by picture.

        `memory` bounds the file, as bytes or "800MB"; less of it means coarser codes. Without `path` the file
        is a temporary one, removed with the index. `ids`, shape (n,) int64 and all different, are what a
        search returns; by default the row numbers. `threads`: all by default; they change the time and
        nothing else. The same input and `seed` give the same file. `progress` is called with a stage's name
        and the share of it that is done; what it raises, and Ctrl-C, end the build.

        For experts: `m` subquantizers of four dimensions each, `nlist` inverted lists, the `tier` for
        refining, the `transform`. Under 50,000 rows nothing is trained, unless one of these is given.

        Raises InputError for another dtype, shape or dim, NaN or infinity, ids that repeat or are too few,
        settings out of range; StorageError if the disk refuses. Nothing half-written stays, and a file
        already at `path` is only replaced by a finished one.
        """
        target, keep = _target(path)
        limit = memory_limit(memory)
        _check_counts(m=m, nlist=nlist, seed=seed)
        cores = resolve_threads(threads)
        numbers = None if ids is None else _whole_numbers(ids)
        plain = all(setting is None for setting in (m, nlist, tier, transform))
        if plain and _is_flat(vectors, limit):
            _check_queries(vectors, queries)
            build_flat(target, vectors, ids=numbers, progress=progress)
        else:
            build_index(
                target,
                vectors,
                queries=queries,
                ids=numbers,
                m=m,
                nlist=nlist,
                tier=tier,
                transform=transform,
                memory_bytes=limit,
                threads=cores,
                seed=seed,
                progress=progress,
            )
        return cls._open(target, keep)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, load: Literal["map", "ram"] = "map") -> Self:
        """Open the index at `path`; with `load="ram"` it is read into memory first, otherwise mapped.

        Raises StorageError if the file cannot be read; FormatError if it is damaged, no index, or too new.
        """
        return cls._open(_absolute(path), None, load)

    @classmethod
    def _open(cls, path: Path, keep: object, load: Literal["map", "ram"] = "map") -> Self:
        if load not in ("map", "ram"):
            raise UnknownChoiceError(expected="load to be 'map' or 'ram'", got=repr(load))
        if _kind(path) != _INDEX_KIND:
            return cls(Shard.open(path), path, keep)
        return cls(Index.open(path, load=load), path, keep)

    def search(
        self,
        queries: NDArray[np.float16] | NDArray[np.float32],
        k: int = 10,
        *,
        allow: Allow | Filter | RowMask | None = None,
        exact: bool = False,
        effort: float | str | CalibrationPoint | None = None,
    ) -> tuple[Ids, Scores]:
        """Ids and scores of the best `k` allowed rows for each query, best first, ties by lower id.

        `queries`: (q, dim) float16 or float32, or (dim,) for one. `allow`: which rows may be found, as a flag
        for each id from 0 to the largest (bool, so one for each row if ids were left to the default), or as
        the ids themselves (int64), or what `filter` made of either. Returns (q, min(k, allowed)) int64 and
        float32.
        One query runs on one thread, many share all of them.

        `effort` is the share of the true ten best that a query should find on average, as measured at build
        with a margin: 0.95 by default; or "low", "medium", "high", "max" (0.90, 0.95, 0.98, 0.995); or an
        `CalibrationPoint` of `info()`. `exact=True` scores every allowed row. An index of fewer than 50,000
        rows
        always does.

        Raises InputError for another dtype, shape or dim, NaN or infinity, a negative `k`, or an `allow` of
        the wrong length.
        """
        wide = _as_float32(queries)
        if isinstance(self._core, Shard):
            if effort is not None:
                resolve_effort(_EVERY_ROW, effort)  # a wrong one is refused for an index of any size
            threads = 1 if wide.ndim < 2 or len(wide) < 2 else available_cores()
            return flat.search(self._core, wide, k, allow, threads=threads)
        if isinstance(allow, RowMask):
            raise WrongIndexError(
                expected="a filter of this index as allow",
                got="one of another index",
                hint="make it with the filter method of this index",
            )
        chosen = resolve_effort(self._efforts(), effort)
        threads = 1 if wide.ndim < 2 or len(wide) == 1 else available_cores()
        return self._core.search(
            wide,
            k,
            nprobe=chosen.nprobe,
            shortlist=chosen.shortlist,
            exact=exact,
            allow=allow,
            threads=threads,
        )

    def filter(self, allow: Allow, *, by_row: bool = False) -> Filter | RowMask:
        """The rows that `allow` names, made ready for many searches: pass it to `search` as `allow`.

        With `by_row` it is (rows,) bool, a flag for each row in the order of `ids`. Raises InputError as
        `search` does.
        """
        if not isinstance(self._core, Shard):
            return self._core.filter(allow, by_row=by_row)
        if not by_row:
            return RowMask(flat.row_mask(self._core, allow))
        if not isinstance(allow, np.ndarray):
            raise ArrayError(expected="allow to be an array of flags by row", got=type(allow).__name__)
        if allow.dtype != np.bool_ or allow.shape != (self._core.rows,):
            raise ArrayError(
                expected=f"allow to hold one flag for each of {self._core.rows} rows",
                got=f"an array of {allow.dtype}, shape {allow.shape}",
            )
        return RowMask(allow.astype(np.bool_))

    def vectors(self, rows: ArrayLike) -> NDArray[np.float32]:
        """(n, dim) float32: the stored vectors of rows, by their place in the order of `ids`.

        They are what scores are made of: near what the index was built from, by a 250th of a row's largest
        value or less where eight bits a value are kept. Raises InputError for a row that is not there.
        """
        numbers = _whole_numbers(rows)
        if numbers.size and numbers.min() < 0:
            raise OutOfRangeError(expected=f"rows from 0 to {len(self) - 1}", got=str(numbers.min()))
        if not isinstance(self._core, Shard):
            return self._core.vectors(numbers)
        shard = self._core
        found = [shard.vector(row) for row in numbers.tolist()]
        return np.stack(found) if found else np.zeros((0, self.dim), np.float32)

    def search_params(self, effort: float | str | None = None) -> CalibrationPoint | None:
        """Lists and rows that `search` takes for an effort; None where every row is scored anyway."""
        chosen = resolve_effort(self._efforts() or _EVERY_ROW, effort)
        return None if isinstance(self._core, Shard) else chosen

    def ids(self) -> Ids:
        """The id of each row, in the order in which the rows are stored, (n,) int64."""
        if isinstance(self._core, Shard):
            ids = self._core.ids
            return np.arange(self._core.rows, dtype=np.int64) if ids is None else ids
        return self._core.ids()

    def warm(self) -> None:
        """Read the whole file into memory, as far as it is not there: no search waits for the disk."""
        self._core.warm()

    def verify(self) -> None:
        """Read the whole file and check every checksum. Raises FormatError naming the damaged place."""
        self._core.verify()

    def info(self) -> VectorIndexInfo:
        """What this index is, and what was measured when it was built.

        Raises StorageError if its file is not there any more; a search still answers then.
        """
        core, size_bytes = self._core, _size_bytes(self._path)
        if isinstance(core, Shard):
            return VectorIndexInfo(self._path, "flat", core.rows, core.dim, size_bytes, core.kernel)
        return VectorIndexInfo(
            path=self._path,
            kind="lists",
            rows=core.rows,
            dim=core.dim,
            size_bytes=size_bytes,
            kernel=core.kernel,
            nlist=core.nlist,
            m=core.m,
            refine=core.tier,
            transform=_TRANSFORMS[core.transform],
            transform_recalls={
                name: gain for name, gain in zip(_TRANSFORMS, core.gains, strict=True) if gain >= 0
            },
            calibration=tuple(self._efforts()),
        )

    @property
    def dim(self) -> int:
        """Dimension of a vector."""
        return self._core.dim

    def __len__(self) -> int:
        """Number of rows."""
        return self._core.rows

    def __repr__(self) -> str:
        kind = "flat" if isinstance(self._core, Shard) else "lists"
        return f"VectorIndex({len(self)} rows of {self.dim}, {kind}, {str(self._path)!r})"

    def _efforts(self) -> list[CalibrationPoint]:
        if isinstance(self._core, Shard):
            return []
        return [
            CalibrationPoint(recall, nprobe, shortlist) for recall, nprobe, shortlist in self._core.efforts
        ]


class _TemporaryPlace:
    """A directory that goes when nobody holds this any more."""

    def __init__(self) -> None:
        try:
            self.path = _absolute(tempfile.mkdtemp(prefix="snapseek-"))
        except OSError as error:
            raise StorageError(
                f"could not make a temporary directory: {error.strerror or error}",
                hint="pass a path instead",
            ) from error
        weakref.finalize(self, _remove_temporary, self.path)


def _remove_temporary(directory: Path) -> None:
    """Remove the index that was built in a temporary directory, and the directory when it is empty."""
    with suppress(OSError):
        (directory / _TEMPORARY_INDEX).unlink(missing_ok=True)
        directory.rmdir()


def _target(path: str | os.PathLike[str] | None) -> tuple[Path, _TemporaryPlace | None]:
    """Where to write, and what keeps a temporary place alive."""
    if path is not None:
        return _absolute(path), None
    place = _TemporaryPlace()
    return place.path / _TEMPORARY_INDEX, place


def _absolute(path: str | os.PathLike[str]) -> Path:
    """Return `path` as an absolute one, so that a later `os.chdir` does not change which file it names."""
    try:
        return Path(path).absolute()
    except OSError as error:
        raise StorageError(
            f"could not resolve {path}: the current directory is gone", hint="pass an absolute path"
        ) from error


def _is_flat(vectors: NDArray[np.float16] | NDArray[np.float32], limit: int | None) -> bool:
    """Whether the rows are few enough to train nothing, and fit `limit`; the core checks the rest."""
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2:
        got = f"shape {vectors.shape}" if isinstance(vectors, np.ndarray) else type(vectors).__name__
        raise ArrayError(expected="vectors to be an array of shape (n, dim)", got=got)
    rows, dim = vectors.shape
    return rows < FLAT_ROWS and (limit is None or rows * (dim + _FLAT_ROW_BYTES) + _FLAT_BYTES <= limit)


def _check_queries(vectors: NDArray[np.generic], queries: NDArray[np.generic] | None) -> None:
    """A flat index learns nothing from queries, yet wrong ones are refused all the same."""
    if queries is None:
        return
    if np.shape(queries)[1:] != vectors.shape[1:]:
        raise ArrayError(
            expected=f"queries of shape (q, {vectors.shape[1]}), the dimension of the vectors",
            got=f"shape {np.shape(queries)}",
        )
    if not isinstance(queries, np.ndarray) or queries.dtype not in (np.float16, np.float32):
        got = f"an array of {queries.dtype}" if isinstance(queries, np.ndarray) else type(queries).__name__
        raise ArrayError(expected="queries to be a NumPy array of float16 or float32", got=got)
    if not np.isfinite(queries).all():
        row, column = np.argwhere(~np.isfinite(queries))[0]
        raise NonFiniteError(
            expected="finite values in queries",
            got=f"{queries[row, column]} at row {row}, column {column}",
            hint="remove the rows that hold NaN or infinity",
        )


def _as_float32(queries: NDArray[np.float16] | NDArray[np.float32]) -> NDArray[np.float32]:
    """The queries, halves widened; the core refuses every other dtype."""
    if not isinstance(queries, np.ndarray):
        raise ArrayError(
            expected="queries to be a NumPy array of float16 or float32",
            got=type(queries).__name__,
            hint="convert them with numpy.asarray(x, dtype=numpy.float32)",
        )
    return cast("NDArray[np.float32]", queries.astype(np.float32) if queries.dtype == np.float16 else queries)


def _whole_numbers(ids: ArrayLike) -> Ids:
    try:
        array = np.asarray(ids)
    except ValueError as error:
        raise ArrayError(expected="row numbers or ids of shape (n,)", got="nested lists") from error
    if not np.issubdtype(array.dtype, np.integer) and array.size > 0:
        raise ArrayError(expected="row numbers or ids that are integers", got=f"an array of {array.dtype}")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise OutOfRangeError(expected="row numbers or ids below 2^63", got=str(array.max()))
    return np.ascontiguousarray(array, dtype=np.int64)


def _check_counts(**counts: int | None) -> None:
    """The core knows what range each has; yet it takes nothing that is no 64-bit count."""
    for name, count in counts.items():
        if count is not None and not 0 <= count < 2**63:
            raise OutOfRangeError(expected=f"{name} from 0 to 2^63 - 1", got=str(count))


def memory_limit(memory: str | int | None) -> int | None:
    """Bytes of "800MB", "1.5 GiB" or a number; None for None. Raises InputError for anything else."""
    if memory is None:
        return None
    match = _BYTES.fullmatch(str(memory).strip())
    if match is None:
        raise ParseError(expected="memory as bytes or a size such as '800MB' or '1.5GiB'", got=repr(memory))
    return min(int(float(match[1]) * _UNITS[(match[2] or "").lower()]), 2**63 - 1)


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise StorageError(
            f"could not read the size of {path}: {error.strerror or error}",
            hint="if the file has moved, open it at its new path",
        ) from error


def _kind(path: Path) -> int:
    """Kind number in the header of a `.snap` file; 0 for what is none, which the core then explains."""
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except OSError as error:
        raise StorageError(f"could not open {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(expected="a path that a file can have", got=f"{str(path)!r}: {error}") from error
    return struct.unpack_from("<I", header, 16)[0] if len(header) == 20 else 0
