"""Vector search on its own: `VectorIndex` builds, opens and searches an index."""

from snapseek.vectors.calibration import Calibration, EffortWarning
from snapseek.vectors.filter import Filter
from snapseek.vectors.index import VectorIndex, VectorIndexInfo

__all__ = ["Calibration", "EffortWarning", "Filter", "VectorIndex", "VectorIndexInfo"]
