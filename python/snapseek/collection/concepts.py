"""The concepts of a collection: their marks are in the manifest, and partitions send the marked vectors.

The router trains a concept once. A filter that names it is sent to the partitions with what was trained, so
that each finds its own pictures that show it; see `SentConcepts`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from snapseek.collection.frames import Array, Frame
from snapseek.collection.manifest import ref_of
from snapseek.errors import ParseError
from snapseek.library.concepts.classifier import TrainedConcept
from snapseek.library.concepts.taught import TaughtConcepts
from snapseek.library.storage.concept_table import MAX_CONCEPTS, ConceptRow
from snapseek.library.storage.shards import Shards
from snapseek.models import Encoder

Floats = NDArray[np.float32]

NAMES, VECTORS, MIN_SCORES, MARKS = "concepts", "concept_vectors", "concept_min_scores", "concept_marks"
_NO_MARKS = np.zeros((0, 3), np.int64)
_NO_MEMBER = 2.0
"""A cosine that no picture has: of a concept of which nothing but marks is known."""

MarkedVectors = Callable[[Sequence[int]], tuple[Floats, bool]]
"""Returns the unit vectors of those pictures that answer, and whether a partition failed meanwhile."""


class CollectionConcepts(TaughtConcepts):
    """Trains concepts from vectors that partitions send. Safe to use from many threads.

    Parameters
    ----------
    rows
        The concepts, with ids of the collection.
    background
        Returns (n, dim) float32 unit rows of foreign pictures for a model.
    vectors_of
        Returns the vectors of pictures.
    """

    def __init__(
        self,
        rows: Sequence[ConceptRow],
        background: Callable[[Encoder], Floats],
        vectors_of: MarkedVectors,
    ) -> None:
        super().__init__(rows, None, background)
        self._vectors_of = vectors_of
        self._incomplete: set[str] = set()
        self._is_complete = True

    def sent(self, keys: Sequence[str], dim: int) -> "SentConcepts | None":
        """Return prepared concepts as they are sent to partitions; None for none."""
        if not keys:
            return None
        trained = [self._trained[key] for key in keys]
        rows = [self._by_key[key] for key in keys]
        nothing = np.zeros(dim, np.float32)
        return SentConcepts(
            tuple(keys),
            np.stack([nothing if one is None else one.vector for one in trained]),
            np.array([_NO_MEMBER if one is None else one.min_score for one in trained], np.float32),
            _marks_by_partition(rows),
        )

    def _is_trained(self, key: str) -> bool:
        return super()._is_trained(key) and key not in self._incomplete

    def _train(self, row: ConceptRow, encoder: Encoder) -> TrainedConcept | None:
        """Train a concept; the next query does so again if a partition failed meanwhile."""
        self._is_complete = True
        trained = super()._train(row, encoder)
        (self._incomplete.discard if self._is_complete else self._incomplete.add)(row.key)
        return trained

    def _vectors(self, items: Sequence[int]) -> Floats:
        found, is_complete = self._vectors_of(items)
        self._is_complete = self._is_complete and is_complete
        return found


def _marks_by_partition(rows: Sequence[ConceptRow]) -> dict[int, NDArray[np.int64]]:
    """Return for each partition (n, 3) int64: the index of a concept, an id, and 1 for an example."""
    found: dict[int, list[tuple[int, int, int]]] = {}
    for index, row in enumerate(rows):
        for items, is_example in ((row.examples, 1), (row.counterexamples, 0)):
            for number, item in map(ref_of, items):
                found.setdefault(number, []).append((index, item, is_example))
    return {number: np.array(marks, np.int64) for number, marks in found.items()}


@dataclass(frozen=True)
class SentConcepts:
    """Trained concepts on their way to partitions.

    Attributes
    ----------
    keys
        The keys of the concepts.
    vectors, min_scores
        (n, dim) and (n,) float32: see `TrainedConcept`.
    marks
        By the number of a partition (m, 3) int64: the index of a concept, an id there, and 1 for an example.
    """

    keys: tuple[str, ...]
    vectors: Floats
    min_scores: Floats
    marks: Mapping[int, NDArray[np.int64]]

    def added_to(self, frames: Mapping[int, Frame]) -> dict[int, Frame]:
        """Return requests with the concepts; those for several partitions are made once."""
        made: dict[int, Frame] = {}
        found = {}
        for number, frame in frames.items():
            if frame.fields.get("tree") is not None:
                if id(frame) not in made:
                    arrays = {**frame.arrays, VECTORS: self.vectors, MIN_SCORES: self.min_scores}
                    made[id(frame)] = Frame({**frame.fields, NAMES: list(self.keys)}, arrays)
                own = self.marks.get(number)
                frame = made[id(frame)] if own is None else made[id(frame)].with_array(MARKS, own)
            found[number] = frame
        return found


@dataclass(frozen=True)
class ReceivedConcepts:
    """The concepts of a request as a partition has received them: hashable, so that members are kept."""

    keys: tuple[str, ...]
    vectors: bytes
    min_scores: bytes
    marks: bytes

    @classmethod
    def of(cls, fields: Mapping[str, Any], arrays: Mapping[str, Array], dim: int) -> Self | None:
        """Return the concepts of a request; None without any. Raises ParseError for malformed ones."""
        keys = fields.get(NAMES)
        if keys is None:
            return None
        if not isinstance(keys, list) or not 1 <= len(keys) <= MAX_CONCEPTS:
            raise ParseError(expected="a list of concepts", got="something else")
        vectors, min_scores, marks = arrays.get(VECTORS), arrays.get(MIN_SCORES), arrays.get(MARKS, _NO_MARKS)
        is_valid = (
            all(isinstance(key, str) for key in keys)
            and _is_finite(vectors, (len(keys), dim))
            and _is_finite(min_scores, (len(keys),))
            and marks.dtype == np.int64
            and marks.ndim == 2
            and marks.shape[1] == 3
            and _are_below(marks[:, 0], len(keys))
            and _are_below(marks[:, 2], 2)
        )
        if vectors is None or min_scores is None or not is_valid:
            raise ParseError(
                expected="the vectors, scores and marks of concepts", got="arrays of another shape"
            )
        return cls(tuple(keys), vectors.tobytes(), min_scores.tobytes(), marks.tobytes())

    def taught(self, shards: Shards) -> TaughtConcepts:
        """Return the concepts, to find the pictures of these shards that show them."""
        vectors = np.frombuffer(self.vectors, np.float32).reshape(len(self.keys), -1)
        min_scores = np.frombuffer(self.min_scores, np.float32).tolist()
        marks: list[list[int]] = np.frombuffer(self.marks, np.int64).reshape(-1, 3).tolist()
        trained = {
            key: TrainedConcept(vector, score, 1.0)
            for key, vector, score in zip(self.keys, vectors, min_scores, strict=True)
        }
        marked: list[tuple[list[int], list[int]]] = [([], []) for _ in self.keys]
        for index, item, is_example in marks:
            marked[index][is_example].append(item)
        rows = [
            ConceptRow(key, key, tuple(examples), tuple(others))
            for key, (others, examples) in zip(self.keys, marked, strict=True)
        ]
        return TaughtConcepts.given(rows, shards, trained)


def _are_below(values: NDArray[np.int64], end: int) -> bool:
    return bool(((values >= 0) & (values < end)).all())


def _is_finite(array: Array | None, shape: tuple[int, ...]) -> bool:
    if array is None or array.dtype != np.float32 or array.shape != shape:
        return False
    return bool(np.isfinite(array).all())
