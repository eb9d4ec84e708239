"""How many results of a collection are relevant: the rules of a library, with a sample of all partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapseek.library.search.relevance import Backgrounds, Relevance

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from snapseek.library.search.likeness import CosineBars


class CollectionRelevance(Relevance):
    """Counts the relevant results of a collection.

    Parameters
    ----------
    sampled
        The backgrounds that were sampled of an earlier state; filled here.
    sample
        Returns the vectors of a random sample of the pictures, for a model without a measured background.
    """

    def __init__(self, sampled: Backgrounds, sample: Callable[[], list[NDArray[np.float32]]]) -> None:
        self.sampled = sampled
        self._measured: Backgrounds = {}
        self._bars: dict[str, CosineBars] = {}
        self._sampled_vectors = None
        self._sample_vectors = sample  # type: ignore[method-assign]
