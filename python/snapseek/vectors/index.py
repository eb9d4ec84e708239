"""A vector index: build it from an array, open it, search it.

    index = VectorIndex.build(vectors, queries, path="pictures.snap", memory="800MB")
    ids, scores = index.search(query, k=10, effort=0.98)

Vectors may be float16 or float32, in memory or in a mapped `.npy` file (`numpy.load(..., mmap_mode="r")`),
which is read in chunks. The score is the inner product, which for unit rows is the cosine similarity.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snapseek._core import FlatIndex, IvfFilter, IvfIndex, RowBitmap, build_flat, build_ivf
from snapseek.absolute_path import absolute_path
from snapseek.errors import OutOfRangeError
from snapseek.mapped_file import LoadMode
from snapseek.threads import available_cores, resolve_threads
from snapseek.vectors.arguments import as_int64, check_counts, check_queries, is_flat, memory_limit, no_array
from snapseek.vectors.calibration import (
    CalibrationPoint,
    Calibrations,
    Effort,
    QueryKind,
    resolve_effort,
)
from snapseek.vectors.filter import Allow, Filter, Ids, Scores, allowed_rows, rows_of
from snapseek.vectors.index_file import IndexBase, open_core, target_of, training_for
from snapseek.vectors.index_info import VectorIndexInfo, describe

__all__ = ["FLAT_ROWS", "Allow", "CalibrationPoint", "Filter", "VectorIndex", "VectorIndexInfo"]

FLAT_ROWS = 50_000
"""Smaller indexes are flat: nothing is trained, and every query scores every row."""

_EVERY_ROW = (CalibrationPoint(1.0, 0, 0),)
ProgressCallback = Callable[[str, float], object]  # a stage, and the share of it that is done, from 0 to 1


class VectorIndex(IndexBase):
    """Vectors in one immutable file, memory-mapped or loaded. Safe to use from many threads.

    Made by `build` or `open`. A search releases the GIL.
    """

    def __init__(
        self, core: FlatIndex | IvfIndex, path: Path, keep: object = None, load: LoadMode = "map"
    ) -> None:
        self._core = core
        self._path = path
        self._keep = keep
        self._load = load
        self._calibrations = Calibrations.of_core(core)
        self._identity = object()
        """Marks the filters of this index."""

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the path, so that worker processes share the mapped file."""
        if self._keep is not None:
            raise TypeError("cannot pickle a temporary index; build it with path=")
        return partial(type(self).open, load=self._load), (self._path,)

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
        progress: ProgressCallback | None = None,
        m: int | None = None,
        nlist: int | None = None,
        refine: str | None = None,
        transform: Literal["identity", "pca", "query-0.25", "query-0.5"] | None = None,
        training: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Build an index of `vectors`, shape (n, dim), write it to `path` and open it.

        The same input and `seed` give the same file. Under 50,000 rows nothing is trained, unless `m`,
        `nlist`, `refine` or `transform` is passed. A failed build leaves an existing file as it was.

        Parameters
        ----------
        vectors
            The rows, (n, dim).
        queries
            Sample queries, (q, dim), best some thousands: codes are trained for them, and `effort` is
            calibrated with a part of them, by default with rows and noise, which are harder than most.
        memory
            Bounds the size of the file, in bytes or as "800MB". A smaller bound means coarser codes.
        path
            Where to write the file; by default a temporary one, removed with the index.
        ids
            What a search returns for each row: distinct int64, (n,). By default the row numbers.
        threads
            How many threads build the index, all cores by default. Does not change the result.
        seed
            Seeds the random choices of the training.
        progress
            Called with the name of a stage and the share of it that is done. What it raises ends the build.
        m
            The number of subquantizers, of four dimensions each.
        nlist
            The number of inverted lists.
        refine
            "f16", "int8", "bst6", "bst5.75", ... "bst0.125" (bits a value) or "none"; also
            "int4", "tcq3", ... "tcq0.25", which find less with as many bytes.
        transform
            The transform before quantization.
        training
            An IVF index: its lists, transform and codebooks are used and nothing is trained, unless there are
            fewer than four rows for each list. Scores of such indexes have the same error, and they probe the
            same lists for a query.

        Returns
        -------
        VectorIndex
            The open index.

        Raises
        ------
        InputError
            For a wrong dtype, shape or dimension, NaN or infinity, repeated ids, options out of range, or a
            file at `path` that is no index.
        StorageError
            If the disk refuses.
        """
        target, keep = target_of(path)
        limit = memory_limit(memory)
        check_counts(m=m, nlist=nlist, seed=seed)
        cores = resolve_threads(threads)
        numbers = None if ids is None else as_int64(ids)
        is_default = all(option is None for option in (m, nlist, refine, transform))
        shared = None if training is None else training_for(len(vectors), absolute_path(training))
        if shared is None and is_default and is_flat(vectors, limit, FLAT_ROWS):
            check_queries(vectors, queries)
            build_flat(target, vectors, ids=numbers, progress=progress)
        else:
            build_ivf(
                target,
                vectors,
                queries=queries,
                ids=numbers,
                m=m,
                nlist=nlist,
                refine=refine,
                transform=transform,
                memory_bytes=limit,
                training=shared,
                threads=cores,
                seed=seed,
                progress=progress,
            )
        return cls._open(target, keep)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, load: LoadMode = "map") -> Self:
        """Open the index at `path`.

        Do not write into the file of an open index; rename a new file over it, as `build` does. Every method
        first checks that a mapped file is as long as it was, and raises FormatError if it was truncated. A
        file that is truncated *while* a method reads it, or whose disk fails then, ends the process (SIGBUS);
        bytes that are overwritten change results, which only `verify` finds. `load="ram"` is safe from both.

        Parameters
        ----------
        path
            A `.snap` file.
        load
            "map" maps the file into memory, "ram" reads a copy that nothing outside can change.

        Raises
        ------
        StorageError
            If the file cannot be read.
        FormatError
            If it is damaged, not an index, or of a newer format.
        """
        return cls._open(absolute_path(path), None, load)

    @classmethod
    def _open(cls, path: Path, keep: object, load: LoadMode = "map") -> Self:
        return cls(open_core(path, load), path, keep, load)

    def search(
        self,
        queries: NDArray[np.float16] | NDArray[np.float32],
        k: int = 10,
        *,
        allow: Allow | Filter | None = None,
        exact: bool = False,
        effort: Effort = None,
        like: QueryKind | None = None,
    ) -> tuple[Ids, Scores]:
        """Return ids and scores of the best `k` allowed rows for each query, best first, ties by lower id.

        One query runs on one thread; many share all cores.

        Parameters
        ----------
        queries
            (q, dim), or (dim,) for one.
        k
            How many rows to return per query.
        allow
            The rows that may be returned: the ids (int64), a flag for each id from 0 to the largest (bool),
            the same flags as bits (uint8, `numpy.packbits(flags, bitorder="little")`), or a `Filter` that
            `filter` made of one of these, which is the fastest for more than one search.
        exact
            Score every allowed row, as an index of fewer than 50,000 rows always does.
        effort
            The average recall of the true ten best to reach, as calibrated at build: 0.95 by default; or
            "low", "medium", "high", "max" (0.90, 0.95, 0.98, 0.995); or a `CalibrationPoint` of `info()`.
            A higher one than the calibration reached is limited to it, with an `EffortWarning`.
        like
            What the queries are like: the sample queries of the build ("samples") or the rows ("rows"), for
            which `effort` was calibrated separately. By default the nearer mean decides.

        Returns
        -------
        ids, scores
            (q, min(k, allowed)) int64 and float32.

        Raises
        ------
        InputError
            For a wrong dtype, shape or dimension, NaN or infinity, a negative `k`, or a wrong `allow`.
        """
        if not isinstance(queries, np.ndarray):
            raise no_array(queries)
        half = queries.dtype.char == "e"
        vectors = cast("NDArray[np.float32]", queries.astype(np.float32) if half else queries)
        rows = None if allow is None else rows_of(self._core, self._identity, allow)
        if isinstance(self._core, FlatIndex):
            if effort is not None:
                resolve_effort(_EVERY_ROW, effort)  # checks `effort`, which a flat index does not need
            cores = 1 if vectors.ndim < 2 or len(vectors) < 2 else available_cores()
            share = vectors.ndim == 2 and len(vectors) >= 2 * cores
            flat_rows = cast("RowBitmap | None", rows)
            found, scores = self._core.search(vectors, k, allow=flat_rows, threads=cores if share else 1)
            ids = self._core.ids
            return (found if ids is None else ids[found]), scores
        plan = self._calibrations.plan(
            effort, k if isinstance(k, int | np.integer) else 0
        )  # the core checks k
        params, like_rows = (plan.samples, plan.rows) if like is None else (plan.of(like), plan.of(like))
        threads = 1 if vectors.ndim < 2 or len(vectors) == 1 else available_cores()
        return self._core.search(
            vectors,
            k,
            nprobe=params.nprobe,
            shortlist=params.shortlist,
            like_rows=(like_rows.nprobe, like_rows.shortlist),
            exact=exact,
            allow=cast("IvfFilter | None", rows),
            threads=threads,
        )

    def filter(self, allow: Allow, *, by_row: bool = False) -> Filter:
        """Prepare `allow` for many searches of this index, also from many threads: pass it to `search`.

        Parameters
        ----------
        allow
            Ids, flags or bits, as in `search`.
        by_row
            `allow` is (rows,) bool, a flag for each row in the order of `ids`.

        Raises
        ------
        InputError
            As in `search`.
        """
        return Filter(self._identity, allowed_rows(self._core, allow, by_row=by_row))

    def calibrate(
        self,
        queries: NDArray[np.float16] | NDArray[np.float32],
        *,
        threads: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> None:
        """Calibrate `effort` with sample queries, as `build` does, without a build; replace the file.

        The recall counts the neighbours by the stored vectors, found by scoring every row; it is measured for
        queries like these, not for queries like rows. Searches that run meanwhile use the calibration as it
        was. A flat index, which needs none, stays as it is.

        Parameters
        ----------
        queries
            Sample queries, (q, dim); at most 1,024 of them are used. Pass others than those of `build`.
        threads
            How many threads measure, all cores by default. Does not change the result.
        progress
            Called with the name of a stage and the share of it that is done. What it raises ends the work.

        Raises
        ------
        InputError
            For a wrong dtype, shape or dimension, no queries, NaN or infinity.
        StorageError
            If the disk refuses, or if another file is in the place of this index.
        """
        cores = resolve_threads(threads)
        if isinstance(self._core, FlatIndex):
            check_queries(np.empty((0, self.dim), np.float32), queries)
            return
        self._core.calibrate(queries, threads=cores, progress=progress)
        self._core = IvfIndex.open(self._path, load=self._load)
        self._calibrations = Calibrations.of_core(self._core)

    def vectors(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Return the stored vectors of rows, (n, dim) float32, as scores use them.

        With eight bits a value they differ from the original ones by at most a 250th of the row's largest
        absolute value.

        Parameters
        ----------
        rows
            (n,) positions in the order of `ids`.

        Raises
        ------
        InputError
            If there is no such row.
        """
        numbers = as_int64(rows)
        if numbers.size and numbers.min() < 0:
            raise OutOfRangeError(expected=f"rows from 0 to {len(self) - 1}", got=str(numbers.min()))
        if not isinstance(self._core, FlatIndex):
            return self._core.reconstruct(numbers)
        shard = self._core
        found = [shard.vector(row) for row in numbers.tolist()]
        return np.stack(found) if found else np.zeros((0, self.dim), np.float32)

    def search_params(
        self, effort: float | str | None = None, *, k: int = 10, like: QueryKind = "samples"
    ) -> CalibrationPoint | None:
        """Return the probes and the shortlist of `search` for an effort; None if it scores every row."""
        if isinstance(self._core, FlatIndex):
            resolve_effort(_EVERY_ROW, effort)
            return None
        return self._calibrations.plan(effort, k).of(like)

    def query_kind(self, query: NDArray[np.float32]) -> QueryKind:
        """Return what a query, (dim,), is like; "samples" in a flat index and one of an earlier version."""
        return "samples" if isinstance(self._core, FlatIndex) else self._core.query_kind(query)

    def ids(self) -> Ids:
        """Return the id of each row in scan order, (n,) int64."""
        if isinstance(self._core, FlatIndex):
            ids = self._core.ids
            return np.arange(self._core.rows, dtype=np.int64) if ids is None else ids
        return self._core.ids()

    @property
    def training(self) -> str | None:
        """The checksum of lists, transform and codebooks, in hexadecimal; None for a flat index."""
        if isinstance(self._core, FlatIndex):
            return None
        return f"{self._core.training_checksum:016x}"

    def warm(self) -> None:
        """Read the whole file into the page cache, so that no search waits for the disk."""
        self._core.warm()

    def verify(self) -> None:
        """Read the whole file and compare every checksum. Raises FormatError if one differs."""
        self._core.verify()

    def info(self) -> VectorIndexInfo:
        """Return the kind, sizes and parameters of this index.

        Raises StorageError if its file was removed; searches still work then.
        """
        return describe(self._core, self._path, self._calibrations)

    @property
    def dim(self) -> int:
        """The dimension of a vector."""
        return self._core.dim

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._core.rows

    def __repr__(self) -> str:
        kind = "flat" if isinstance(self._core, FlatIndex) else "ivf"
        return f"VectorIndex({len(self)} rows of {self.dim}, {kind}, {str(self._path)!r})"
