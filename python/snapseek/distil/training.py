"""Train a student in PyTorch to reproduce the vectors of its teacher. Needs `snapseek[distil]`."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from snapseek.distil.ranking import NEARNESS
from snapseek.distil.torch_students import PrunedStudent, StaticStudent, TransformerStudent

Floats = NDArray[np.float32]
Ids = Sequence[Sequence[int]]
_RARE = 1e-3  # a token of this relative frequency is halved
_ANCHORS_PER_STEP = 1024
HIDDEN, WIDE = 1024, 256  # width of a student's residual MLP, and of its convolution over neighbours
_LAYER_RATE, _WARMUP_STEPS = 1e-3, 200
_FINE_TUNING_RATE, _FINE_TUNING_BATCH = 5e-4, 128
_MIN_STEPS, _MIN_BATCH = 32, 32


@dataclass(frozen=True)
class TrainConfig:
    """Training options.

    Attributes
    ----------
    temperature
        Temperature of the rankings; see `ranking.temperature_of`.
    epochs
        Number of passes over the texts.
    batch
        Texts per step; fewer for a small training set.
    rate
        Peak learning rate of embedding tables.
    seed
        Seed of all random choices.
    layer_rate
        Peak learning rate of layers, `rate` if None.
    warmup_steps
        Steps of linear warm-up before cosine annealing, at most a tenth of all steps.
    bf16
        Whether to compute layers in bfloat16; see `bf16_is_faster`.
    """

    temperature: float
    epochs: int = 6
    batch: int = 512
    rate: float = 2e-3
    seed: int = 0
    layer_rate: float | None = None
    warmup_steps: int = 0
    bf16: bool = False


@dataclass(frozen=True)
class TrainSet:
    """Training data.

    Attributes
    ----------
    ids
        Token ids of n texts.
    wanted
        The teacher's vectors of the texts, (n, dim).
    weights
        Weight of each text in the loss, (n,).
    anchors
        Vectors that student and teacher rank, (m, dim): of pictures, or of texts if there are none.
    """

    ids: Ids
    wanted: Floats
    weights: Floats
    anchors: Floats


class Student(Protocol):
    """A student in training. `sparse` parameters are tables; a batch updates few of their rows."""

    sparse: list[Any]
    dense: list[Any]

    def __call__(self, ids: Ids) -> Any:
        """Return unit rows (n, dim) as a tensor."""


def downweight_frequent(alone: Floats, ids: Ids) -> Floats:
    """Return the initial table of a static student: `alone`, with frequent tokens scaled down.

    `alone` (tokens, dim) are the teacher's vectors of single tokens. A token of relative frequency f in `ids`
    is scaled by a / (a + f), the smooth inverse frequency of Arora et al. (2017).
    """
    counts = Counter(token for row in ids for token in row)
    total = counts.total()
    frequency = np.array([counts[token] / total for token in range(len(alone))], np.float32)
    return np.asarray(alone * (_RARE / (_RARE + frequency))[:, None], np.float32)


def train_static(
    alone: Floats,
    train_set: TrainSet,
    config: TrainConfig,
    report: Callable[[str], object],
    *,
    hidden: int = 512,
    wide: int = 0,
) -> StaticStudent:
    """Train a static student that starts from the table `alone` (tokens, dim); see `downweight_frequent`.

    `hidden` is the width of its residual MLP, `wide` the number of features of neighbouring tokens.
    """
    torch.manual_seed(config.seed)
    student = StaticStudent(alone, hidden, wide)
    train(student, train_set, config, report)
    return student


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
    """Train a transformer student for texts of at most `length` tokens; `alone` as in `train_static`."""
    torch.manual_seed(config.seed)
    student = TransformerStudent(alone, hidden, width=256, layers=layers, length=length)
    train(student, train_set, replace(config, layer_rate=_LAYER_RATE, warmup_steps=_WARMUP_STEPS), report)
    return student


def train_pruned(
    student: PrunedStudent, train_set: TrainSet, config: TrainConfig, report: Callable[[str], object]
) -> PrunedStudent:
    """Fine-tune a student that starts as a subset of its teacher's layers."""
    torch.manual_seed(config.seed)
    train(
        student,
        train_set,
        replace(config, batch=_FINE_TUNING_BATCH, rate=_FINE_TUNING_RATE, warmup_steps=_WARMUP_STEPS),
        report,
    )
    return student


def train(
    student: Student, train_set: TrainSet, config: TrainConfig, report: Callable[[str], object]
) -> None:
    """Train for `config.epochs` epochs. Texts without a token are skipped.

    Raises FloatingPointError if the loss is not finite.
    """
    wanted, anchors = torch.from_numpy(train_set.wanted), torch.from_numpy(train_set.anchors)
    weights = torch.from_numpy(train_set.weights)
    usable = torch.tensor([row for row, tokens in enumerate(train_set.ids) if tokens])
    batch = _batch(config.batch, len(usable))
    used = len(usable) // batch * batch
    # A batch updates a tenth of the rows, so that a sparse optimizer is ten times as fast.
    optimizers = [
        torch.optim.SparseAdam(student.sparse, config.rate),
        torch.optim.Adam(student.dense, config.layer_rate or config.rate),
    ]
    steps = config.epochs * (len(usable) // batch)
    schedules = [_schedule(each, steps, min(config.warmup_steps, steps // 10)) for each in optimizers]
    for epoch in range(config.epochs):
        order = usable[torch.randperm(len(usable))[:used]]
        total = 0.0
        for rows in order.split(batch):
            with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
                predicted = student([train_set.ids[row] for row in rows.tolist()]).float()
            cost = loss(predicted, wanted[rows], _sample(anchors), weights[rows], config.temperature)
            for optimizer in optimizers:
                optimizer.zero_grad()
            cost.backward()
            for each in (*optimizers, *schedules):
                each.step()
            total += cost.item()
        mean = total / (used / batch)
        if not math.isfinite(mean):
            raise FloatingPointError(f"the loss of epoch {epoch + 1} is {mean}")
        report(f"epoch {epoch + 1} of {config.epochs}: loss {mean:.4f}")


def _batch(max_size: int, texts: int) -> int:
    """Return the texts per step: fewer if an epoch had less than 32 steps."""
    return min(max_size, max(texts // _MIN_STEPS, _MIN_BATCH), texts)


def _schedule(optimizer: Any, steps: int, warmup_steps: int) -> Any:
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR
    if not warmup_steps:
        return cosine(optimizer, steps)
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / warmup_steps, total_iters=warmup_steps)
    decay = cosine(optimizer, max(steps - warmup_steps, 1))
    return torch.optim.lr_scheduler.SequentialLR(optimizer, [warmup, decay], [warmup_steps])


def bf16_is_faster() -> bool:
    """Return whether this processor multiplies bfloat16 at least twice as fast as float32."""
    return _product_s(torch.float32) > 2 * _product_s(torch.bfloat16)


def _product_s(dtype: Any, runs: int = 8) -> float:
    left, right = torch.ones(512, 384, dtype=dtype), torch.ones(384, 512, dtype=dtype)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        left @ right
        times.append(time.perf_counter() - start)
    return min(times)


def _sample(anchors: Any) -> Any:
    """Return at most `_ANCHORS_PER_STEP` anchors, random ones if there are more."""
    if len(anchors) <= _ANCHORS_PER_STEP:
        return anchors
    return anchors[torch.randint(len(anchors), (_ANCHORS_PER_STEP,))]


def loss(predicted: Any, wanted: Any, anchors: Any, weights: Any, temperature: float) -> Any:
    """Return `ranking.loss` as a differentiable tensor."""
    near = NEARNESS * (1 - (predicted * wanted).sum(1))
    profile = functional.log_softmax(wanted @ anchors.T / temperature, dim=1)
    found = functional.log_softmax(predicted @ anchors.T / temperature, dim=1)
    miss = functional.kl_div(found, profile, reduction="none", log_target=True).sum(1)
    return ((near + miss) * weights).sum() / weights.sum()
