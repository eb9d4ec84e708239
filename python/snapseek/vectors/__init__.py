"""Search among vectors alone: build an index of an array, open it, search it."""

from snapseek.vectors.index import VectorIndex, VectorIndexInfo

__all__ = ["VectorIndex", "VectorIndexInfo"]
