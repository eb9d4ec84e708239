"""Trains the direction of a concept from few examples: the name's own words as a prior, corrected by marks.

The score of a picture x is a linear discriminant in two directions, each measured in standard deviations on a
background of foreign pictures (of mean mu and deviation sigma):

    a · (x · t) / sigma_t  +  c · (x · d) / sigma_d,    d = mean(examples) - (mu + mean(counterexamples)) / 2

t is the vector of the name. Its weight a is the evidence of the marks for the words: how far the examples
score above the background by the words, 0 for a name without meaning and 1 from `_FULL_EVIDENCE` deviations
on. c is 1, and more for examples that are alike, such as several pictures of one object. A covariance of the
background instead of the identity (a full discriminant) was worse for all classes that were measured: a few
marks and 132 pictures are too little for it. docs/decisions/concepts.md has the figures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_FULL_EVIDENCE = 0.5
"""Deviations above the background at which the name's words count in full."""

_ALIKE = 2.0
"""Held-out examples of more deviations than this make the marks count more than the words."""

_MAX_WEIGHT = 4.0
_RARE = 0.98
"""The quantile of the background below which no picture is a member."""

_SEEN = 0.6
"""How much of the distance of its only example from the background a further picture is expected to have."""

_SMALLEST = 1e-6


@dataclass(frozen=True)
class TrainedConcept:
    """The direction of a concept, and from which score on a picture shows it.

    Attributes
    ----------
    vector
        (dim,) float32, unit length.
    min_score
        The lowest product with `vector` of a picture that counts as the concept.
    spread
        The standard deviation of the products on the background.
    """

    vector: Floats
    min_score: float
    spread: float


def train(
    examples: Floats, counterexamples: Floats, background: Floats, name: Floats | None
) -> TrainedConcept:
    """Train a concept.

    Parameters
    ----------
    examples
        (n, dim) float32 unit rows of pictures that show it, n >= 1.
    counterexamples
        (m, dim) float32 unit rows of pictures that do not.
    background
        (b, dim) float32 unit rows of foreign pictures.
    name
        (dim,) float32, the vector of the name; None where the model knows none of its words.

    Returns
    -------
    TrainedConcept
        Its line lies between the examples, each scored by the others, and what is no example: the
        counterexamples, scored in the same way, and the most similar pictures of the background.
    """
    mean = background.mean(0)
    contrast = _contrast(mean, counterexamples)
    direction = examples.mean(0) - contrast
    held_out = _held_out_examples(examples, contrast)
    alike = 1.0
    if held_out is not None:
        deviations = _deviations(held_out, examples, background)
        alike = float(np.clip(deviations.mean() / _ALIKE, 1.0, _MAX_WEIGHT))
    words = np.zeros_like(mean)
    if name is not None:
        evidence = float(_standardized(name, examples, background).mean())
        words = _scaled(name, background) * np.float32(np.clip(evidence / _FULL_EVIDENCE, 0.0, 1.0))

    def joined(directions: Floats) -> Floats:
        return _array(words + np.float32(alike) * _scaled(directions, background))

    vector = _unit(joined(direction), direction)
    scores = background @ vector
    center, spread = float(scores.mean()), max(float(scores.std()), _SMALLEST)
    if held_out is None:
        inside = _SEEN * float((examples @ vector).mean() - center) / spread
    else:
        inside = float(_deviations(joined(held_out), examples, background).mean())
    outside = float(np.quantile(scores, _RARE) - center) / spread
    if len(counterexamples):
        others = joined(examples.mean(0) - _held_out_contrasts(mean, counterexamples))
        outside = max(outside, float(_deviations(others, counterexamples, background).mean()))
    line = max((inside + outside) / 2, outside)  # examples that the others do not explain give no line
    return TrainedConcept(vector, center + line * spread, spread)


def _contrast(mean: Floats, counterexamples: Floats) -> Floats:
    """Return what examples are compared with: the background, and as much the counterexamples."""
    return _array((mean + counterexamples.mean(0)) / 2) if len(counterexamples) else mean


def _held_out_examples(examples: Floats, contrast: Floats) -> Floats | None:
    """Return for each example the direction of the others, (n, dim); None for a single one."""
    count = len(examples)
    if count < 2:
        return None
    return _array((examples.sum(0) - examples) / np.float32(count - 1) - contrast)


def _held_out_contrasts(mean: Floats, counterexamples: Floats) -> Floats:
    """Return for each counterexample the contrast of the others, (m, dim)."""
    count = len(counterexamples)
    if count < 2:
        return np.broadcast_to(mean, counterexamples.shape)
    return _array((mean + (counterexamples.sum(0) - counterexamples) / np.float32(count - 1)) / 2)


def _scaled(directions: Floats, background: Floats) -> Floats:
    """Return directions, (dim,) or (n, dim), with a standard deviation of 1 on the background."""
    deviation = (directions @ background.T).std(-1, keepdims=True)
    return np.asarray(directions / np.maximum(deviation, _SMALLEST), np.float32)


def _standardized(direction: Floats, rows: Floats, background: Floats) -> Floats:
    """Return the products of rows and one direction, in deviations above the mean of the background."""
    scores = background @ direction
    return np.asarray((rows @ direction - scores.mean()) / max(float(scores.std()), _SMALLEST), np.float32)


def _deviations(directions: Floats, rows: Floats, background: Floats) -> Floats:
    """Return the same for each row with the direction of its own, (n, dim) each."""
    scores = directions @ background.T
    own = np.einsum("ij,ij->i", directions, rows)
    return np.asarray((own - scores.mean(1)) / np.maximum(scores.std(1), _SMALLEST), np.float32)


def _unit(vector: Floats, fallback: Floats) -> Floats:
    """Return a vector at unit length; that of `fallback` where it is nearly zero."""
    for found in (vector, fallback):
        length = float(np.linalg.norm(found))
        if length > _SMALLEST:
            return np.asarray(found / length, np.float32)
    unit = np.zeros_like(vector)
    unit[0] = 1.0
    return unit


def _array(values: object) -> Floats:
    return np.asarray(values, np.float32)
