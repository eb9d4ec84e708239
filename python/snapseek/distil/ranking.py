"""How near a student is to its teacher: the loss that it is trained by, and the figures that are told.

Plain NumPy: the reference for the loss in `training`.
"""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
NEARNESS = 3.0  # what a cosine that is 1 too small costs, beside the divergence of the rankings


def loss(guess: Rows, wanted: Rows, anchors: Rows, weights: Rows, temperature: float) -> float:
    """Return the loss of a batch: `guess` and `wanted` (n, dim) unit rows, `anchors` (m, dim), `weights` (n,).

    A text costs its distance from the teacher's vector, and the Kullback-Leibler divergence of the two
    rankings of the anchors: softmax of scores / `heat`.
    """
    near = NEARNESS * (1 - (guess * wanted).sum(axis=1))
    profile = log_softmax(wanted @ anchors.T / temperature)
    miss = (np.exp(profile) * (profile - log_softmax(guess @ anchors.T / temperature))).sum(axis=1)
    return float(((near + miss) * weights).sum() / weights.sum())


def log_softmax(scores: Rows) -> Rows:
    """Return (n, m) logarithms of each row's softmax."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), scores.dtype)


def temperature_of(wanted: Rows, anchors: Rows, share: float = 0.5) -> float:
    """Return a temperature for the scores, a share of their spread: narrow cones are ranked as wide ones are."""
    spread = float((wanted @ anchors.T).std(axis=1).mean())
    return max(share * spread, 1e-4)


def cosines(guess: Rows, wanted: Rows) -> Rows:
    """Return (n,) cosines of rows of length 1."""
    return np.asarray((guess * wanted).sum(axis=1), np.float32)


def overlap(guess: Rows, wanted: Rows, pictures: Rows, k: int = 10) -> float:
    """Return the mean share of the teacher's `k` best pictures that are among the student's `k` best.

    `guess` and `wanted` are (n, dim), `pictures` (m, dim) with m of at least `k`.
    """
    shares = []
    for start in range(0, len(guess), 256):
        ours, theirs = (best(part[start : start + 256], pictures, k) for part in (guess, wanted))
        shares += [len(set(a) & set(b)) / k for a, b in zip(ours.tolist(), theirs.tolist(), strict=True)]
    return float(np.mean(shares))


def best(queries: Rows, pictures: Rows, k: int) -> NDArray[np.int64]:
    """Return (n, k) row numbers of the pictures with the highest scores, in no order."""
    scores = queries @ pictures.T
    return np.asarray(np.argpartition(-scores, k - 1, axis=1)[:, :k], np.int64)
