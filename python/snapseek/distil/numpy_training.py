"""Train a static student in NumPy, for installs without PyTorch.

1. The rows of tokens solve the least squares problem *mean of the rows of a text = its vector*, with a ridge,
   by conjugate gradients.
2. Adam trains these rows and the residual layer with the loss of `ranking`.

Only tokens of the texts get a row, which keeps a vocabulary of 256,000 small. The student rejects texts with
another token, so that its teacher embeds them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snapseek.cancellation import check_cancelled
from snapseek.distil.ranking import NEARNESS, log_softmax
from snapseek.distil.static import STEEPNESS, StaticWeights

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

HIDDEN = 512
_RIDGE = 1e-3
_CONJUGATE_STEPS = 20
_BATCH = 128
_RATE = 1e-3
_ANCHORS_PER_STEP = 512
_FIRST_MOMENT, _SECOND_MOMENT = 0.9, 0.999


@dataclass(frozen=True)
class Texts:
    """Token ids of n texts, one after another: `tokens`, and `lengths` (n,) of at least 1."""

    tokens: Ints
    lengths: Ints

    @classmethod
    def of(cls, ids: Sequence[Sequence[int]]) -> "Texts":
        """Join lists of token ids."""
        return cls(
            np.concatenate([np.array(row, np.int64) for row in ids]), np.array([len(row) for row in ids])
        )

    def pick(self, numbers: Ints) -> "Texts":
        """Return some of the texts."""
        starts = self._starts()[numbers]
        lengths = self.lengths[numbers]
        offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return Texts(self.tokens[np.repeat(starts, lengths) + offsets], lengths)

    def means(self, rows: Floats) -> Floats:
        """Return the mean row of each text, (n, dim)."""
        sums = np.add.reduceat(rows[self.tokens], self._starts(), axis=0)
        return np.asarray(sums / self.lengths[:, None].astype(np.float32), np.float32)

    def spread(self, values: Floats) -> tuple[Ints, Floats]:
        """Return the transpose of `means` for values (n, dim): the distinct tokens, and their rows."""
        order = np.argsort(self.tokens, kind="stable")
        sorted_tokens = self.tokens[order]
        starts = np.flatnonzero(np.diff(sorted_tokens, prepend=-1))
        owners = np.repeat(np.arange(len(self.lengths)), self.lengths)[order]
        shares = values / self.lengths[:, None].astype(np.float32)
        return sorted_tokens[starts], np.add.reduceat(shares[owners], starts, axis=0)

    def _starts(self) -> Ints:
        return np.asarray(np.cumsum(self.lengths) - self.lengths)


def least_squares_rows(texts: Texts, wanted: Floats) -> Floats:
    """Return the rows whose mean over each text is nearest to its vector `wanted` (n, dim).

    Every number below the largest token occurs in `texts`.
    """
    residual = texts.spread(wanted)[1]
    rows = np.zeros_like(residual)
    direction, power = residual.copy(), (residual**2).sum(axis=0)
    for _ in range(_CONJUGATE_STEPS):
        image = texts.spread(texts.means(direction))[1] + _RIDGE * direction
        step = power / np.maximum((direction * image).sum(axis=0), 1e-20)
        rows += step * direction
        residual -= step * image
        before, power = power, (residual**2).sum(axis=0)
        direction = residual + power / np.maximum(before, 1e-20) * direction
    return np.asarray(rows, np.float32)


@dataclass
class _Adam:
    """The optimizer of one array; `share` scales its learning rate."""

    values: Floats
    share: float = 1.0
    _moments: tuple[Floats, Floats] = field(init=False)

    def __post_init__(self) -> None:
        self._moments = np.zeros_like(self.values), np.zeros_like(self.values)

    def step(self, gradient: Floats, rate: float, number: int, rows: Ints | slice = slice(None)) -> None:
        """Update the values, or some rows of them, in step `number` of 1, 2, …"""
        first, second = self._moments
        first[rows] = _FIRST_MOMENT * first[rows] + (1 - _FIRST_MOMENT) * gradient
        second[rows] = _SECOND_MOMENT * second[rows] + (1 - _SECOND_MOMENT) * gradient**2
        mean = first[rows] / (1 - _FIRST_MOMENT**number)
        deviation = np.sqrt(second[rows] / (1 - _SECOND_MOMENT**number))
        self.values[rows] -= rate * self.share * mean / (deviation + 1e-8)


class NumpyStudent:
    """A static student in training: rows, and a residual layer whose output weights start at zero."""

    def __init__(self, rows: Floats, hidden: int, rng: np.random.Generator) -> None:
        dim = rows.shape[1]
        inner = (rng.uniform(-1, 1, (hidden, dim)) / np.sqrt(dim)).astype(np.float32)
        self._rows = _Adam(rows, share=float(np.abs(rows).mean() * np.sqrt(dim)))
        self._inner, self._inner_bias = _Adam(inner), _Adam(np.zeros(hidden, np.float32))
        self._outer = _Adam(np.zeros((dim, hidden), np.float32))
        self._outer_bias = _Adam(np.zeros(dim, np.float32))

    def train_step(
        self, texts: Texts, wanted: Floats, anchors: Floats, temperature: float, rate: float, number: int
    ) -> float:
        """Take one step of Adam down the gradient of `ranking.loss`; return the loss before it."""
        mean = texts.means(self._rows.values)
        mean_norm = _norms(mean)
        x = mean / mean_norm
        scaled = np.float32(STEEPNESS) * x
        bent, slope = _gelu(np.asarray(scaled @ self._inner.values.T + self._inner_bias.values, np.float32))
        y = x + bent @ self._outer.values.T + self._outer_bias.values
        y_norm = _norms(y)
        y /= y_norm
        loss, at_unit = _loss_gradient(y, wanted, anchors, temperature)
        at_y = _through_norm(at_unit, y, y_norm)
        at_inner = at_y @ self._outer.values * slope
        at_x = np.asarray(at_y + np.float32(STEEPNESS) * at_inner @ self._inner.values, np.float32)
        tokens, at_rows = texts.spread(_through_norm(at_x, x, mean_norm))
        self._outer.step(at_y.T @ bent, rate, number)
        self._outer_bias.step(at_y.sum(axis=0), rate, number)
        self._inner.step(at_inner.T @ scaled, rate, number)
        self._inner_bias.step(at_inner.sum(axis=0), rate, number)
        self._rows.step(at_rows, rate, number, tokens)
        return loss

    def weights(self, tokens: Ints, vocabulary: int) -> StaticWeights:
        """Return the trained weights, where `tokens` are those of the rows."""
        rows = self._rows.values
        row_of = np.zeros(vocabulary, np.int64)
        row_of[tokens] = 1 + np.arange(len(rows))
        return StaticWeights(
            np.concatenate([np.zeros_like(rows[:1]), rows]),
            self._inner.values,
            self._inner_bias.values,
            self._outer.values,
            self._outer_bias.values,
            row_of=row_of,
        )


def train_in_numpy(
    ids: Sequence[Sequence[int]],
    wanted: Floats,
    anchors: Floats,
    *,
    vocabulary: int,
    temperature: float,
    epochs: int,
    seed: int,
    report: Callable[[str], object],
) -> StaticWeights:
    """Train a static student.

    Parameters
    ----------
    ids
        Token ids of n texts, of at least one token each.
    wanted
        The teacher's vectors, (n, dim).
    anchors
        Vectors that both rank, (m, dim).
    vocabulary
        Number of tokens of the tokenizer.
    temperature, epochs, seed
        As in `training`.
    report
        Called with the loss of each epoch.

    Returns
    -------
    StaticWeights
        The student; it rejects texts with tokens that occur in none of the texts.

    Raises
    ------
    OperationCancelledError
        If the work is cancelled.
    """
    rng = np.random.default_rng(seed)
    joined = Texts.of(ids)
    tokens, numbered = np.unique(joined.tokens, return_inverse=True)
    texts = Texts(numbered, joined.lengths)
    student = NumpyStudent(least_squares_rows(texts, wanted), HIDDEN, rng)
    batch = min(_BATCH, len(ids))
    per_epoch = len(ids) // batch
    number = 0
    for epoch in range(epochs):
        order = rng.permutation(len(ids))
        total = 0.0
        for start in range(0, per_epoch * batch, batch):
            check_cancelled()
            number += 1
            rate = _RATE * (1 + np.cos(np.pi * number / (epochs * per_epoch))) / 2
            numbers = order[start : start + batch]
            sample = anchors[rng.integers(len(anchors), size=min(_ANCHORS_PER_STEP, len(anchors)))]
            total += student.train_step(
                texts.pick(numbers), wanted[numbers], sample, temperature, rate, number
            )
        report(f"epoch {epoch + 1} of {epochs}: loss {total / per_epoch:.4f}")
    return student.weights(tokens, vocabulary)


def _loss_gradient(
    predicted: Floats, wanted: Floats, anchors: Floats, temperature: float
) -> tuple[float, Floats]:
    """Return `ranking.loss` for equal weights, and its gradient with respect to `predicted`."""
    teacher = log_softmax(wanted @ anchors.T / temperature)
    student = log_softmax(predicted @ anchors.T / temperature)
    share = np.exp(teacher)
    distance = NEARNESS * (1 - (predicted * wanted).sum(axis=1))
    loss = float((distance + (share * (teacher - student)).sum(axis=1)).mean())
    gradient = (np.exp(student) - share) @ anchors / np.float32(temperature) - NEARNESS * wanted
    return loss, np.asarray(gradient / len(predicted), np.float32)


def _through_norm(gradient: Floats, unit_rows: Floats, norms: Floats) -> Floats:
    """Return the gradient before a division by the norms, from that after it."""
    along = (unit_rows * gradient).sum(axis=1, keepdims=True)
    return np.asarray((gradient - unit_rows * along) / norms, np.float32)


def _norms(rows: Floats) -> Floats:
    return np.asarray(np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), np.float32)


def _gelu(values: Floats) -> tuple[Floats, Floats]:
    """Return GELU by its tanh form, which differs from the exact one by at most 0.0005, and its slope."""
    factor, cubic = np.float32(np.sqrt(2 / np.pi)), np.float32(0.044715)
    bent = np.tanh(factor * (values + cubic * values**3))
    slope = (1 + bent) / 2 + values / 2 * (1 - bent**2) * factor * (1 + 3 * cubic * values**2)
    return values / 2 * (1 + bent), slope
