"""Loss and metrics of a student against its teacher.

In NumPy, as the reference for `training.loss`.
"""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
NEARNESS = 3.0  # weight of the cosine distance, relative to the divergence of the rankings


def loss(predicted: Rows, wanted: Rows, anchors: Rows, weights: Rows, temperature: float) -> float:
    """Return the weighted mean loss of a batch.

    The loss of a text is NEARNESS * (1 - cosine) + KL(teacher || student), the Kullback-Leibler divergence of
    softmax(scores of the anchors / temperature).

    Parameters
    ----------
    predicted, wanted
        Unit rows of student and teacher, (n, dim).
    anchors
        Vectors that both rank, (m, dim).
    weights
        Weight of each text, (n,).
    temperature
        Temperature of the softmax.
    """
    distance = NEARNESS * (1 - (predicted * wanted).sum(axis=1))
    target = log_softmax(wanted @ anchors.T / temperature)
    divergence = (np.exp(target) * (target - log_softmax(predicted @ anchors.T / temperature))).sum(axis=1)
    return float(((distance + divergence) * weights).sum() / weights.sum())


def log_softmax(scores: Rows) -> Rows:
    """Return the logarithm of the softmax of each row, (n, m)."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), scores.dtype)


def temperature_of(wanted: Rows, anchors: Rows, share: float = 0.5) -> float:
    """Return `share` times the mean standard deviation of the scores, so that rankings are scale-free."""
    spread = float((wanted @ anchors.T).std(axis=1).mean())
    return max(share * spread, 1e-4)


def cosines(predicted: Rows, wanted: Rows) -> Rows:
    """Return the cosines of corresponding unit rows, (n,)."""
    return np.asarray((predicted * wanted).sum(axis=1), np.float32)


def overlap(predicted: Rows, wanted: Rows, pictures: Rows, k: int = 10) -> float:
    """Return the mean recall of the teacher's top `k` pictures in the student's top `k`.

    `predicted` and `wanted` are (n, dim), and `pictures` (m, dim) with m >= `k`.
    """
    shares = []
    for start in range(0, len(predicted), 256):
        student, teacher = (top_k(part[start : start + 256], pictures, k) for part in (predicted, wanted))
        shares += [len(set(a) & set(b)) / k for a, b in zip(student.tolist(), teacher.tolist(), strict=True)]
    return float(np.mean(shares))


def top_k(queries: Rows, pictures: Rows, k: int) -> NDArray[np.int64]:
    """Return the rows of the top `k` pictures, (n, k), unsorted."""
    scores = queries @ pictures.T
    return np.asarray(np.argpartition(-scores, k - 1, axis=1)[:, :k], np.int64)
