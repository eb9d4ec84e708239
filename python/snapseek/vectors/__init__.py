"""Vector search on its own: `VectorIndex` builds, opens and searches an index."""

from snapseek.vectors.index import VectorIndex, VectorIndexInfo

__all__ = ["VectorIndex", "VectorIndexInfo"]
