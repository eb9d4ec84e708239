"""The concepts of one state of a library, trained when they are first used."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import InputError
from snapseek.library.concepts.classifier import TrainedConcept, train
from snapseek.library.concepts.names import FILLERS, split_names
from snapseek.library.search.terms import Term
from snapseek.library.storage.concept_table import ConceptRow
from snapseek.library.storage.shards import Shards
from snapseek.models import Encoder

if TYPE_CHECKING:
    from snapseek.library.storage.rows import RowRef

_FIRST_MEMBERS = 2048
_GROWTH = 8

Flags = NDArray[np.bool_]
Floats = NDArray[np.float32]


class LazyEncoder(Protocol):
    """An encoder that is loaded when it is first needed."""

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded now if it was not before."""


class TaughtConcepts:
    """Trains concepts, and finds them in words and filters. Safe to use from many threads.

    Parameters
    ----------
    rows
        The concepts of a commit.
    shards
        Its pictures; None without concepts.
    background
        Returns (n, dim) float32 unit rows of foreign pictures for a model.
    """

    def __init__(
        self, rows: Sequence[ConceptRow], shards: Shards | None, background: Callable[[Encoder], Floats]
    ) -> None:
        self.rows = tuple(rows)
        self.keys = tuple(row.key for row in rows)
        self._by_key = {row.key: row for row in rows}
        self._shards: Shards = shards  # type: ignore[assignment]
        self._background = background
        self._trained: dict[str, TrainedConcept | None] = {}
        self._members: dict[tuple[int, str], Flags] = {}
        self._lock = threading.Lock()

    @classmethod
    def given(
        cls, rows: Sequence[ConceptRow], shards: Shards, trained: Mapping[str, TrainedConcept | None]
    ) -> Self:
        """Return concepts that were trained elsewhere, by their keys, for the pictures of these shards."""
        concepts = cls(rows, shards, lambda encoder: np.zeros((0, encoder.dim), np.float32))
        concepts._trained.update(trained)
        return concepts

    def prepare(self, keys: Sequence[str], encoder: LazyEncoder) -> None:
        """Train these concepts, if they were not trained before."""
        with self._lock:
            for key in keys:
                if not self._is_trained(key):
                    self._trained[key] = self._train(self._by_key[key], encoder.encoder)

    def _is_trained(self, key: str) -> bool:
        return key in self._trained

    def trained(self, key: str) -> TrainedConcept | None:
        """Return a concept that was prepared; None if its examples are gone and the model knows no word."""
        return self._trained[key]

    def named_by(self, terms: Sequence[Term]) -> TrainedConcept | None:
        """Return the trained concept that is all that a query says; None for another query."""
        if len(terms) != 1 or terms[0].weight <= 0 or not isinstance(terms[0].subject, str):
            return None
        remaining, keys = self.split(terms[0].subject)
        return self._trained.get(keys[0]) if len(keys) == 1 and not remaining else None

    def are_named(self, terms: Sequence[Term]) -> bool:
        """Return whether a query names a concept."""
        return any(isinstance(term.subject, str) and self.split(term.subject)[1] for term in terms)

    def split(self, words: str) -> tuple[str, tuple[str, ...]]:
        """Return words without the names of concepts and without what is left of no meaning, and the keys."""
        if not self.keys:
            return words, ()
        remaining, keys = split_names(words, self.keys)
        if keys and set(remaining.lower().split()) <= FILLERS:
            remaining = ""
        return remaining, keys

    def embed(self, words: str, encoder: LazyEncoder) -> Floats | None:
        """Return the unit vector of words with names of concepts, (dim,); None for words without any.

        Names and the other words count alike: each by its spread on the background.
        """
        remaining, keys = self.split(words)
        if not keys:
            return None
        self.prepare(keys, encoder)
        concepts = [found for key in keys if (found := self._trained[key]) is not None]
        if not concepts:
            return None
        parts = [concept.vector / np.float32(concept.spread) for concept in concepts]
        if remaining:
            text = _known_text(remaining, encoder.encoder)
            if text is not None:
                background = self._background(encoder.encoder)
                parts.append(text / np.float32(max(float((background @ text).std()), 1e-6)))
        total = np.sum(parts, axis=0)
        length = float(np.linalg.norm(total))
        return np.asarray(total / length, np.float32) if length > 1e-6 else concepts[0].vector

    def members(self, number: int, key: str) -> Flags:
        """Return which rows of a shard show a prepared concept, (rows,) bool in scan order.

        Examples always do, counterexamples never.
        """
        if (number, key) not in self._members:
            self._members[number, key] = self._find_members(number, key)
        return self._members[number, key]

    def _find_members(self, number: int, key: str) -> Flags:
        shard = self._shards.parts[number].shard
        found = np.zeros(len(shard), np.bool_)
        concept = self._trained.get(key)
        count = _FIRST_MEMBERS
        while concept is not None and len(shard):
            ids, scores = shard.search_widely(concept.vector[None], min(count, len(shard)))
            if count >= len(shard) or scores[-1] < concept.min_score:
                found[shard.rows_of(ids[scores >= concept.min_score])] = True
                break
            count *= _GROWTH
        for items, is_member in (
            (self._by_key[key].examples, True),
            (self._by_key[key].counterexamples, False),
        ):
            found[[row for item in items if (row := shard.row_of(item)) is not None]] = is_member
        return found

    def _train(self, row: ConceptRow, encoder: Encoder) -> TrainedConcept | None:
        background = self._background(encoder)
        examples = self._vectors(row.examples)
        name = _known_text(row.name, encoder)
        if len(examples):
            return train(examples, self._vectors(row.counterexamples), background, name)
        # Without its examples the words are left.
        return None if name is None else train(name[None], self._vectors(()), background, name)

    def _vectors(self, items: Sequence[int]) -> Floats:
        """Return unit vectors of those pictures that are still there."""
        refs: list[RowRef] = [ref for item in items if (ref := self._shards.find(item)) is not None]
        if not refs:
            return np.zeros((0, 1), np.float32)
        pairs = np.array(refs, np.int64)
        return self._shards.vectors_at(pairs[:, 0], pairs[:, 1])


def _known_text(words: str, encoder: Encoder) -> Floats | None:
    """Return the vector of words; None where the model knows none of them."""
    try:
        return np.asarray(encoder.text.embed([words])[0])
    except InputError:
        return None
