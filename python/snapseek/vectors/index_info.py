"""What is known of an index: its kind, sizes and parameters."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from snapseek._core import FlatIndex, IvfIndex
from snapseek.vectors.calibration import Calibration, CalibrationPoint, Calibrations
from snapseek.vectors.index_file import size_of

_TRANSFORMS = ("identity", "pca", "query-0.25", "query-0.5")


@dataclass(frozen=True)
class VectorIndexInfo:
    """The kind, sizes and parameters of an index, and what was measured when it was built.

    `transform_recalls` has the recall of the codes on a sample, for each transform that was tried;
    `calibration` the measured operating points of `effort`, for the ten best and queries like the samples.
    They were measured with `calibration_queries` queries: "samples" that were passed, or made of "rows";
    "unknown" (and 0) in an index of an earlier version and in a flat one. `calibrations` has these and the
    others: for queries like the samples and like the rows, for ten and for a hundred hits.
    `huge_page_bytes` are the bytes of codes and centroids that were copied to huge pages in the background.
    """

    path: Path
    kind: Literal["flat", "ivf"]
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
    calibration_source: Literal["samples", "rows", "unknown"] = "unknown"
    calibration_queries: int = 0
    huge_page_bytes: int = 0
    calibrations: tuple[Calibration, ...] = ()


def describe(core: FlatIndex | IvfIndex, path: Path, calibrations: Calibrations) -> VectorIndexInfo:
    """Return what is known of an open index. Raises StorageError if its file was removed."""
    size_bytes = size_of(path)
    if isinstance(core, FlatIndex):
        return VectorIndexInfo(path, "flat", core.rows, core.dim, size_bytes, core.kernel)
    first = calibrations.tables[0]
    return VectorIndexInfo(
        path=path,
        kind="ivf",
        rows=core.rows,
        dim=core.dim,
        size_bytes=size_bytes,
        kernel=core.kernel,
        nlist=core.nlist,
        m=core.m,
        refine=core.refine,
        transform=_TRANSFORMS[core.transform],
        transform_recalls={
            name: recall
            for name, recall in zip(_TRANSFORMS, core.transform_recalls, strict=True)
            if recall >= 0
        },
        calibration=first.points,
        huge_page_bytes=core.huge_page_bytes,
        calibration_source=first.source,
        calibration_queries=first.queries,
        calibrations=calibrations.tables,
    )
