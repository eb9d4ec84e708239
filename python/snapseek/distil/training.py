"""Training in PyTorch: a student learns to say what its teacher said. Needs `snapseek[distil]`."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from snapseek.distil.ranking import NEARNESS
from snapseek.distil.static import STEEPNESS, StaticWeights
from snapseek.distil.transformer import EPSILON, TransformerWeights

Floats = NDArray[np.float32]
Ids = Sequence[Sequence[int]]
_RARE = 1e-3  # a token as frequent as this is turned down by half
_ANCHORS_A_STEP = 1024
_TOGETHER = 64


@dataclass(frozen=True)
class Course:
    """How long and how fast; `heat` is the temperature of the rankings, see `ranking.heat_of`."""

    heat: float
    epochs: int = 6
    batch: int = 512
    rate: float = 2e-3
    seed: int = 0


@dataclass(frozen=True)
class Lesson:
    """`ids` of n texts, `wanted` (n, dim) the teacher's vectors of them, `weights` (n,) how much each counts;
    `anchors` (m, dim) are what both rank: pictures, or texts where there are none.
    """

    ids: Ids
    wanted: Floats
    weights: Floats
    anchors: Floats


class Pupil(Protocol):
    """A student in training. `sparse` are tables of which a batch touches few rows."""

    sparse: list[Any]
    dense: list[Any]

    def __call__(self, ids: Ids) -> Any:
        """(n, dim) unit rows, a tensor."""


class StaticPupil:
    """Mean of token rows → unit vector → plus a bend → unit vector."""

    def __init__(self, rows: Floats, hidden: int) -> None:
        """Start from `rows` (tokens, dim) and a bend of nothing."""
        width = rows.shape[1]
        self.rows = nn.EmbeddingBag.from_pretrained(
            torch.from_numpy(rows), freeze=False, mode="mean", sparse=True
        )
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Linear(hidden, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)
        self.sparse = list(self.rows.parameters())
        self.dense = [*self.inner.parameters(), *self.outer.parameters()]

    def __call__(self, ids: Ids) -> Any:
        """(n, dim) unit rows of n texts, each of at least one token."""
        starts = torch.tensor([0] + [len(row) for row in ids[:-1]]).cumsum(0)
        tokens = torch.tensor([token for row in ids for token in row])
        x = functional.normalize(self.rows(tokens, starts), dim=1)
        bent = self.outer(functional.gelu(self.inner(STEEPNESS * x)))
        return functional.normalize(x + bent, dim=1)

    def weights(self, silent: Sequence[int] = ()) -> StaticWeights:
        """What was learned; `silent` tokens are not heard any more."""
        rows = _array(self.rows.weight)
        rows[list(silent)] = 0
        parts = (self.inner.weight, self.inner.bias, self.outer.weight, self.outer.bias)
        return StaticWeights(rows, *(_array(part) for part in parts))


class TransformerPupil:
    """Rows of tokens and places → layers that see the whole text → mean → unit vector."""

    def __init__(self, alone: Floats, width: int, layers: int, length: int, heads: int = 4) -> None:
        """Start near a bag of words: what the teacher says of each token `alone` (tokens, dim), in the
        `width` directions that tell tokens apart.
        """
        self.heads = heads
        centre = alone.mean(axis=0)
        _, values, axes = np.linalg.svd((alone - centre)[:20_000], full_matrices=False)
        scale = np.sqrt(len(alone[:20_000])) / max(float(values[:width].mean()), 1e-6)
        rows = np.zeros((len(alone), width), np.float32)
        rows[:, : len(axes[:width])] = (alone - centre) @ axes[:width].T * scale
        self.rows = nn.Embedding.from_pretrained(torch.from_numpy(rows), freeze=False, sparse=True)
        self.places = nn.Parameter(torch.zeros(length, width))
        self.layers = [_layer(width) for _ in range(layers)]
        self.norm = nn.LayerNorm(width, EPSILON)
        self.out = nn.Linear(width, alone.shape[1])
        with torch.no_grad():
            self.out.weight.zero_()
            self.out.weight[:, : len(axes[:width])] = torch.from_numpy(axes[:width].T / scale)
            self.out.bias.copy_(torch.from_numpy(centre))
        parts = [part for layer in self.layers for part in layer.values()]
        self.sparse = list(self.rows.parameters())
        self.dense = [self.places] + [p for m in [*parts, self.norm, self.out] for p in m.parameters()]

    def __call__(self, ids: Ids) -> Any:
        """(n, dim) unit rows of n texts, each of at least one token."""
        # Texts of like length go together: one long text would have all others padded to its length.
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        parts = [order[start : start + _TOGETHER] for start in range(0, len(order), _TOGETHER)]
        said = torch.cat([self._said([ids[row] for row in part]) for part in parts])
        return said[torch.tensor(order).argsort()]

    def _said(self, ids: Ids) -> Any:
        longest = max(len(row) for row in ids)
        padded = torch.tensor([[*row, *[0] * (longest - len(row))] for row in ids])
        mask = torch.arange(longest)[None] < torch.tensor([[len(row)] for row in ids])
        x = self.rows(padded) + self.places[:longest]
        for layer in self.layers:
            x = x + self._attend(layer, layer["norm1"](x), mask)
            x = x + layer["outer"](functional.gelu(layer["inner"](layer["norm2"](x))))
        kept = self.norm(x) * mask[..., None]
        return functional.normalize(self.out(kept.sum(1) / mask.sum(1, keepdim=True)), dim=1)

    def _attend(self, layer: dict[str, Any], x: Any, mask: Any) -> Any:
        split = layer["ask"](x).view(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(*split, attn_mask=mask[:, None, None])
        return layer["answer"](seen.transpose(1, 2).reshape(x.shape))

    def weights(self) -> TransformerWeights:
        """What was learned."""
        named = {"rows": _array(self.rows.weight), "places": _array(self.places)}
        modules = {"norm": self.norm, "out": self.out}
        for number, layer in enumerate(self.layers):
            modules |= {f"{number}.{name}": module for name, module in layer.items()}
        for name, module in modules.items():
            named |= {f"{name}.weight": _array(module.weight), f"{name}.bias": _array(module.bias)}
        return TransformerWeights(named, self.heads)


def _layer(width: int) -> dict[str, Any]:
    layer = {
        "norm1": nn.LayerNorm(width, EPSILON),
        "ask": nn.Linear(width, 3 * width),
        "answer": nn.Linear(width, width),
        "norm2": nn.LayerNorm(width, EPSILON),
        "inner": nn.Linear(width, 4 * width),
        "outer": nn.Linear(4 * width, width),
    }
    for name in ("answer", "outer"):
        nn.init.zeros_(layer[name].weight)
        nn.init.zeros_(layer[name].bias)
    return layer


def _array(value: Any) -> Floats:
    return np.array(value.detach().numpy(), np.float32)


def quiet(alone: Floats, ids: Ids) -> Floats:
    """The table that a static student starts with: what the teacher says of each token `alone`
    (tokens, dim), the frequent ones turned down.
    """
    counts = Counter(token for row in ids for token in row)
    total = counts.total()
    seen = torch.tensor([counts[token] / total for token in range(len(alone))])
    return _array(torch.from_numpy(alone) * (_RARE / (_RARE + seen)).unsqueeze(1))


def train_static(
    alone: Floats, lesson: Lesson, course: Course, report: Callable[[str], object], hidden: int = 512
) -> StaticPupil:
    """Teach a static student; `alone` (tokens, dim) is the table that it starts with, see `quiet`."""
    torch.manual_seed(course.seed)
    pupil = StaticPupil(alone, hidden)
    train(pupil, lesson, course, report)
    return pupil


def train_transformer(
    alone: Floats,
    lesson: Lesson,
    course: Course,
    report: Callable[[str], object],
    *,
    layers: int,
    length: int,
) -> TransformerPupil:
    """Teach a transformer student of texts of at most `length` tokens."""
    torch.manual_seed(course.seed)
    pupil = TransformerPupil(alone, width=256, layers=layers, length=length)
    train(pupil, lesson, course, report)
    return pupil


def train(pupil: Pupil, lesson: Lesson, course: Course, report: Callable[[str], object]) -> None:
    """Go through the lesson's texts `course.epochs` times; texts without a token are passed over."""
    wanted, anchors = torch.from_numpy(lesson.wanted), torch.from_numpy(lesson.anchors)
    weights = torch.from_numpy(lesson.weights)
    usable = torch.tensor([row for row, tokens in enumerate(lesson.ids) if tokens])
    batch = min(course.batch, len(usable))
    whole = len(usable) // batch * batch
    # A batch touches a tenth of the rows: the sparse optimizer leaves the others, and is ten times as fast.
    optimizers = [
        torch.optim.SparseAdam(pupil.sparse, course.rate),
        torch.optim.Adam(pupil.dense, course.rate),
    ]
    steps = course.epochs * (len(usable) // batch)
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(each, steps) for each in optimizers]
    for epoch in range(course.epochs):
        order = usable[torch.randperm(len(usable))[:whole]]
        total = 0.0
        for rows in order.split(batch):
            guess = pupil([lesson.ids[row] for row in rows.tolist()])
            cost = loss(guess, wanted[rows], _some(anchors), weights[rows], course.heat)
            for optimizer in optimizers:
                optimizer.zero_grad()
            cost.backward()
            for each in (*optimizers, *schedules):
                each.step()
            total += cost.item()
        mean = total / (whole / batch)
        if not math.isfinite(mean):
            raise FloatingPointError(f"the loss of epoch {epoch + 1} is {mean}")
        report(f"epoch {epoch + 1} of {course.epochs}: loss {mean:.4f}")


def _some(anchors: Any) -> Any:
    """All anchors where they are few; else others at every step, so that in the end all are ranked."""
    if len(anchors) <= _ANCHORS_A_STEP:
        return anchors
    return anchors[torch.randint(len(anchors), (_ANCHORS_A_STEP,))]


def loss(guess: Any, wanted: Any, anchors: Any, weights: Any, heat: float) -> Any:
    """`ranking.loss` as a tensor that can be gone down."""
    near = NEARNESS * (1 - (guess * wanted).sum(1))
    profile = functional.log_softmax(wanted @ anchors.T / heat, dim=1)
    found = functional.log_softmax(guess @ anchors.T / heat, dim=1)
    miss = functional.kl_div(found, profile, reduction="none", log_target=True).sum(1)
    return ((near + miss) * weights).sum() / weights.sum()
