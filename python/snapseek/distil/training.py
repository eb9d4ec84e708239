"""Training in PyTorch: a student learns to say what its teacher said. Needs `snapseek[distil]`."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from snapseek.distil.onnx_to_torch import Replay
from snapseek.distil.prune_layers import TextGraph
from snapseek.distil.ranking import NEARNESS
from snapseek.distil.static import STEEPNESS, Neighbours, StaticWeights
from snapseek.distil.transformer import EPSILON, TransformerWeights

Floats = NDArray[np.float32]
Ids = Sequence[Sequence[int]]
_RARE = 1e-3  # a token as frequent as this is turned down by half
_ANCHORS_A_STEP = 1024
_TOGETHER, _FEW = 256, 16
_BLANK = -1
HIDDEN, WIDE = 1024, 256  # of a student's bend, and of what neighbours add
_LAYER_RATE, _WARMING = 1e-3, 200
_GENTLE, _SMALL_BATCH = 5e-4, 128  # for what has learned before
_FEWEST_STEPS, _SMALLEST_BATCH = 32, 32


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast; `heat` is the temperature of the rankings, see `ranking.heat_of`.

    Tables learn at `rate`, layers at `layer_rate`, or at `rate` too where it is None; both grow for `warming`
    steps, of a tenth of all at most, and then fall. `halves` computes layers in bfloat16, see
    `bf16_is_faster`.
    """

    temperature: float
    epochs: int = 6
    batch: int = 512
    rate: float = 2e-3
    seed: int = 0
    layer_rate: float | None = None
    warming: int = 0
    bf16: bool = False


@dataclass(frozen=True)
class TrainSet:
    """`ids` of n texts, `wanted` (n, dim) the teacher's vectors of them, `weights` (n,) how much each counts;
    `anchors` (m, dim) are what both rank: pictures, or texts where there are none.
    """

    ids: Ids
    wanted: Floats
    weights: Floats
    anchors: Floats


class Student(Protocol):
    """A student in training. `sparse` are tables of which a batch touches few rows."""

    sparse: list[Any]
    dense: list[Any]

    def __call__(self, ids: Ids) -> Any:
        """Return (n, dim) unit rows, a tensor."""


class StaticStudent:
    """Mean of token rows, and of what neighbours add → unit vector → plus a bend → unit vector."""

    def __init__(self, rows: Floats, hidden: int, wide: int = 0) -> None:
        """Start from `rows` (tokens, dim), a bend of nothing and, where `wide` is not 0, so many features of
        neighbours that add nothing yet.
        """
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
        self.wide = wide
        if wide:
            self.loudness = _loudness(rows)
            self.beside = nn.Linear(width, 3 * wide, bias=False)
            self.bias = nn.Parameter(torch.zeros(wide))
            self.back = nn.Parameter(torch.zeros(width, wide))
            self.dense += [self.beside.weight, self.bias, self.back]

    def __call__(self, ids: Ids) -> Any:
        """Return (n, dim) unit rows of n texts, each of at least one token."""
        starts = torch.tensor([0] + [len(row) for row in ids[:-1]]).cumsum(0)
        tokens = torch.tensor([token for row in ids for token in row])
        mean = self.rows(tokens, starts)
        if self.wide:
            mean = mean + self._of_neighbours(ids)
        return self.residual_mlp(mean)

    def residual_mlp(self, mean: Any) -> Any:
        """Return (n, dim) unit rows of means (n, dim) that are not bent yet."""
        x = functional.normalize(mean, dim=1)
        bent = self.outer(functional.gelu(self.inner(STEEPNESS * x)))
        return functional.normalize(x + bent, dim=1)

    def _of_neighbours(self, ids: Ids) -> Any:
        """Return (n, dim) the mean of what the places of each text add."""
        # All texts lie in one line with a blank between: no padding, one product.
        line = torch.tensor([_BLANK] + [token for row in ids for token in (*row, _BLANK)])
        said = line != _BLANK
        rows = functional.embedding(line.clamp(min=0), self.rows.weight, sparse=True) * said[:, None]
        before, at, behind = self.beside(rows / self.loudness).split(self.wide, dim=1)
        found = functional.gelu(before[:-2] + at[1:-1] + behind[2:] + self.bias)[said[1:-1]]
        lengths = torch.tensor([len(row) for row in ids])
        owners = torch.repeat_interleave(torch.arange(len(ids)), lengths)
        total = torch.zeros(len(ids), self.wide).index_add(0, owners, found.float())
        return self.loudness * functional.linear(total / lengths[:, None], self.back)

    def weights(self, silent: Sequence[int] = ()) -> StaticWeights:
        """Return what was learned; `silent` tokens are not heard any more."""
        rows = _array(self.rows.weight)
        rows[list(silent)] = 0
        return StaticWeights(
            rows,
            inner=_array(self.inner.weight),
            inner_bias=_array(self.inner.bias),
            outer=_array(self.outer.weight),
            outer_bias=_array(self.outer.bias),
            neighbours=self._neighbours(),
        )

    def _neighbours(self) -> Neighbours | None:
        if not self.wide:
            return None
        kernel = _array(self.beside.weight / self.loudness).reshape(3, self.wide, -1).transpose(1, 2, 0)
        return Neighbours(np.ascontiguousarray(kernel), _array(self.bias), _array(self.back * self.loudness))


class TransformerStudent:
    """A static pupil to whose mean of rows a narrow transformer adds what the whole text says."""

    def __init__(
        self, rows: Floats, hidden: int, width: int, layers: int, length: int, heads: int = 4
    ) -> None:
        """Start from `rows` (tokens, dim) as a static pupil does; `layers` of `width` add nothing yet."""
        self.bag = StaticStudent(rows, hidden)
        self.heads = heads
        self.loudness = _loudness(rows) / 2
        self.places = nn.Parameter(0.1 * torch.randn(length, width))
        self.layers = [_layer(width) for _ in range(layers)]
        self.named = {
            "narrow": nn.Linear(rows.shape[1], width),
            "norm": nn.LayerNorm(width, EPSILON),
            "out": nn.Linear(width, rows.shape[1]),
            "bend.inner": self.bag.inner,
            "bend.outer": self.bag.outer,
        }
        nn.init.zeros_(self.named["out"].weight)
        nn.init.zeros_(self.named["out"].bias)
        for number, layer in enumerate(self.layers):
            self.named |= {f"{number}.{name}": module for name, module in layer.items()}
        self.sparse = self.bag.sparse
        self.dense = [self.places] + [p for module in self.named.values() for p in module.parameters()]

    def __call__(self, ids: Ids) -> Any:
        """Return (n, dim) unit rows of n texts, each of at least one token."""
        order, parts = _alike(ids)
        said = torch.cat([self._said([ids[row] for row in part]) for part in parts])
        return self.bag.residual_mlp(said[torch.tensor(order).argsort()])

    def _said(self, ids: Ids) -> Any:
        lengths = torch.tensor([len(row) for row in ids])
        longest = int(lengths.max())
        padded = torch.tensor([[*row, *[0] * (longest - len(row))] for row in ids])
        mask = torch.arange(longest)[None] < lengths[:, None]
        rows = functional.embedding(padded, self.bag.rows.weight, sparse=True) * mask[..., None]
        x = self.named["narrow"](rows / self.loudness) + self.places[:longest]
        for layer in self.layers:
            x = x + self._attend(layer, layer["norm1"](x), mask)
            x = x + layer["outer"](functional.gelu(layer["inner"](layer["norm2"](x))))
        mean = (self.named["norm"](x) * mask[..., None]).sum(1) / lengths[:, None]
        return functional.normalize(rows.sum(1), dim=1) + self.named["out"](mean).float()

    def _attend(self, layer: dict[str, Any], x: Any, mask: Any) -> Any:
        split = layer["ask"](x).view(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(*split, attn_mask=mask[:, None, None])
        return layer["answer"](seen.transpose(1, 2).reshape(x.shape))

    def weights(self) -> TransformerWeights:
        """Return what was learned."""
        named = {"rows": _array(self.bag.rows.weight), "places": _array(self.places)}
        for name, module in self.named.items():
            named |= {f"{name}.weight": _array(module.weight), f"{name}.bias": _array(module.bias)}
        named["narrow.weight"] /= self.loudness
        return TransformerWeights(named, self.heads)


class PrunedStudent:
    """The teacher's graph without most of its layers."""

    def __init__(self, graph: TextGraph, pad_id: int, length: int | None) -> None:
        """Start as `graph` is. Texts are filled up with `pad_id`: all to `length` ids, or where it is None,
        those that go together to the longest. Raises ModelError for a graph that cannot be taught.
        """
        self.graph, self.pad_id, self.length = graph, pad_id, length
        self.replay = Replay(graph)
        tables = graph.tables
        self.sparse = [weight for name, weight in self.replay.weights.items() if name in tables]
        self.dense = [weight for name, weight in self.replay.weights.items() if name not in tables]

    def __call__(self, ids: Ids) -> Any:
        """Return (n, dim) unit rows of n texts as the teacher's ids, with its marks."""
        order, parts = _alike(ids)
        said = torch.cat([self._said([ids[row] for row in part]) for part in parts])
        return functional.normalize(said.float(), dim=1)[torch.tensor(order).argsort()]

    def _said(self, ids: Ids) -> Any:
        lengths = torch.tensor([len(row) for row in ids])
        longest = self.length or int(lengths.max())
        padded = torch.tensor([[*row, *[self.pad_id] * (longest - len(row))] for row in ids])
        mask = (torch.arange(longest)[None] < lengths[:, None]).long()
        named = {self.graph.ids: padded, self.graph.mask: mask}
        return self.replay({name: named.get(name, torch.zeros_like(mask)) for name in self.graph.inputs})

    def weights(self) -> TextGraph:
        """Return what was learned."""
        learned = {name: _array(weight) for name, weight in self.replay.weights.items()}
        return replace(self.graph, weights=learned)


def _alike(ids: Ids) -> tuple[list[int], list[list[int]]]:
    """Return rows by length, and the same in parts that are padded together: within a quarter, or a few."""
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    parts: list[list[int]] = [[]]
    for row in order:
        part = parts[-1]
        if len(part) >= _TOGETHER or (len(part) >= _FEW and len(ids[row]) > 1.25 * len(ids[part[0]])):
            parts.append([])
        parts[-1].append(row)
    return order, parts


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


def _loudness(rows: Floats) -> float:
    """Return what rows (tokens, dim) are divided by, so that their entries are near 1 where a layer reads them."""
    lengths = np.linalg.norm(rows, axis=1)
    heard = lengths[lengths > 0]
    return float(heard.mean()) / math.sqrt(rows.shape[1]) * 4 if len(heard) else 1.0


def _array(value: Any) -> Floats:
    return np.array(value.detach().numpy(), np.float32)


def downweight_frequent(alone: Floats, ids: Ids) -> Floats:
    """Return the table that a static student starts with: what the teacher says of each token `alone`
    (tokens, dim), the frequent ones turned down.
    """
    counts = Counter(token for row in ids for token in row)
    total = counts.total()
    seen = torch.tensor([counts[token] / total for token in range(len(alone))])
    return _array(torch.from_numpy(alone) * (_RARE / (_RARE + seen)).unsqueeze(1))


def train_static(
    alone: Floats,
    train_set: TrainSet,
    config: TrainConfig,
    report: Callable[[str], object],
    *,
    hidden: int = 512,
    wide: int = 0,
) -> StaticStudent:
    """Teach a static student; `alone` (tokens, dim) is the table that it starts with, see `quiet`.

    `hidden` is the width of its bend, `wide` how many features of neighbouring tokens it has.
    """
    torch.manual_seed(config.seed)
    pupil = StaticStudent(alone, hidden, wide)
    train(pupil, train_set, config, report)
    return pupil


def train_transformer(
    alone: Floats,
    train_set: TrainSet,
    config: TrainConfig,
    report: Callable[[str], object],
    *,
    layers: int,
    length: int,
    hidden: int = HIDDEN,
) -> TransformerStudent:
    """Teach a transformer student of texts of at most `length` tokens; `alone` as for `train_static`."""
    torch.manual_seed(config.seed)
    pupil = TransformerStudent(alone, hidden, width=256, layers=layers, length=length)
    train(pupil, train_set, replace(config, layer_rate=_LAYER_RATE, warming=_WARMING), report)
    return pupil


def train_pruned(
    student: PrunedStudent, train_set: TrainSet, config: TrainConfig, report: Callable[[str], object]
) -> PrunedStudent:
    """Teach a student that begins as some layers of its teacher, at its own pace."""
    torch.manual_seed(config.seed)
    train(student, train_set, replace(config, batch=_SMALL_BATCH, rate=_GENTLE, warming=_WARMING), report)
    return student


def train(
    student: Student, train_set: TrainSet, config: TrainConfig, report: Callable[[str], object]
) -> None:
    """Go through the lesson's texts `course.epochs` times; texts without a token are passed over."""
    wanted, anchors = torch.from_numpy(train_set.wanted), torch.from_numpy(train_set.anchors)
    weights = torch.from_numpy(train_set.weights)
    usable = torch.tensor([row for row, tokens in enumerate(train_set.ids) if tokens])
    batch = _batch(config.batch, len(usable))
    whole = len(usable) // batch * batch
    # A batch touches a tenth of the rows: the sparse optimizer leaves the others, and is ten times as fast.
    optimizers = [
        torch.optim.SparseAdam(student.sparse, config.rate),
        torch.optim.Adam(student.dense, config.layer_rate or config.rate),
    ]
    steps = config.epochs * (len(usable) // batch)
    schedules = [_schedule(each, steps, min(config.warming, steps // 10)) for each in optimizers]
    for epoch in range(config.epochs):
        order = usable[torch.randperm(len(usable))[:whole]]
        total = 0.0
        for rows in order.split(batch):
            with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
                guess = student([train_set.ids[row] for row in rows.tolist()]).float()
            cost = loss(guess, wanted[rows], _some(anchors), weights[rows], config.temperature)
            for optimizer in optimizers:
                optimizer.zero_grad()
            cost.backward()
            for each in (*optimizers, *schedules):
                each.step()
            total += cost.item()
        mean = total / (whole / batch)
        if not math.isfinite(mean):
            raise FloatingPointError(f"the loss of epoch {epoch + 1} is {mean}")
        report(f"epoch {epoch + 1} of {config.epochs}: loss {mean:.4f}")


def _batch(most: int, texts: int) -> int:
    """Return how many texts a step takes: fewer where an epoch would be less than 32 steps."""
    return min(most, max(texts // _FEWEST_STEPS, _SMALLEST_BATCH), texts)


def _schedule(optimizer: Any, steps: int, warming: int) -> Any:
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR
    if not warming:
        return cosine(optimizer, steps)
    grow = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / warming, total_iters=warming)
    fall = cosine(optimizer, max(steps - warming, 1))
    return torch.optim.lr_scheduler.SequentialLR(optimizer, [grow, fall], [warming])


def bf16_is_faster() -> bool:
    """Return whether this processor multiplies in bfloat16 at least twice as fast as in float32."""
    return _product_s(torch.float32) > 2 * _product_s(torch.bfloat16)


def _product_s(kind: Any, runs: int = 8) -> float:
    left, right = torch.ones(512, 384, dtype=kind), torch.ones(384, 512, dtype=kind)
    spent = []
    for _ in range(runs):
        start = time.perf_counter()
        left @ right
        spent.append(time.perf_counter() - start)
    return min(spent)


def _some(anchors: Any) -> Any:
    """Return all anchors where they are few; else others at every step, so that in the end all are ranked."""
    if len(anchors) <= _ANCHORS_A_STEP:
        return anchors
    return anchors[torch.randint(len(anchors), (_ANCHORS_A_STEP,))]


def loss(guess: Any, wanted: Any, anchors: Any, weights: Any, temperature: float) -> Any:
    """`ranking.loss` as a tensor that can be gone down."""
    near = NEARNESS * (1 - (guess * wanted).sum(1))
    profile = functional.log_softmax(wanted @ anchors.T / temperature, dim=1)
    found = functional.log_softmax(guess @ anchors.T / temperature, dim=1)
    miss = functional.kl_div(found, profile, reduction="none", log_target=True).sum(1)
    return ((near + miss) * weights).sum() / weights.sum()
