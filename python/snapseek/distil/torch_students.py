"""The three students as PyTorch modules. Needs `snapseek[distil]`."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from snapseek.distil.onnx_to_torch import Replay
from snapseek.distil.prune_layers import TextGraph
from snapseek.distil.static import STEEPNESS, Neighbours, StaticWeights
from snapseek.distil.transformer import EPSILON, TransformerWeights

Floats = NDArray[np.float32]
Ids = Sequence[Sequence[int]]
_MAX_GROUP, _MIN_GROUP = 256, 16
_BLANK = -1


class StaticStudent:
    """Mean of token rows and neighbour features, normalized, plus a residual MLP, normalized."""

    def __init__(self, rows: Floats, hidden: int, wide: int = 0) -> None:
        """Start from `rows` (tokens, dim), with output layers of zeros.

        `hidden` is the width of the residual MLP, `wide` the number of neighbour features, 0 for none.
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
            self.scale = _row_scale(rows)
            self.kernel = nn.Linear(width, 3 * wide, bias=False)
            self.bias = nn.Parameter(torch.zeros(wide))
            self.back = nn.Parameter(torch.zeros(width, wide))
            self.dense += [self.kernel.weight, self.bias, self.back]

    def __call__(self, ids: Ids) -> Any:
        """Return unit rows (n, dim) of n texts, each of at least one token."""
        starts = torch.tensor([0] + [len(row) for row in ids[:-1]]).cumsum(0)
        tokens = torch.tensor([token for row in ids for token in row])
        mean = self.rows(tokens, starts)
        if self.wide:
            mean = mean + self._of_neighbours(ids)
        return self.residual_mlp(mean)

    def residual_mlp(self, mean: Any) -> Any:
        """Apply the residual MLP to means (n, dim); returns unit rows."""
        x = functional.normalize(mean, dim=1)
        residual = self.outer(functional.gelu(self.inner(STEEPNESS * x)))
        return functional.normalize(x + residual, dim=1)

    def _of_neighbours(self, ids: Ids) -> Any:
        """Return the mean neighbour features of each text, (n, dim)."""
        # All texts form one sequence with blanks between them: no padding, one product.
        sequence = torch.tensor([_BLANK] + [token for row in ids for token in (*row, _BLANK)])
        is_token = sequence != _BLANK
        rows = functional.embedding(sequence.clamp(min=0), self.rows.weight, sparse=True) * is_token[:, None]
        before, center, after = self.kernel(rows / self.scale).split(self.wide, dim=1)
        found = functional.gelu(before[:-2] + center[1:-1] + after[2:] + self.bias)[is_token[1:-1]]
        lengths = torch.tensor([len(row) for row in ids])
        owners = torch.repeat_interleave(torch.arange(len(ids)), lengths)
        total = torch.zeros(len(ids), self.wide).index_add(0, owners, found.float())
        return self.scale * functional.linear(total / lengths[:, None], self.back)

    def weights(self, muted: Sequence[int] = ()) -> StaticWeights:
        """Return the trained weights; the rows of `muted` tokens become zeros."""
        rows = _array(self.rows.weight)
        rows[list(muted)] = 0
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
        kernel = _array(self.kernel.weight / self.scale).reshape(3, self.wide, -1).transpose(1, 2, 0)
        return Neighbours(np.ascontiguousarray(kernel), _array(self.bias), _array(self.back * self.scale))


class TransformerStudent:
    """A static student, with a narrow transformer that adds to the mean of token rows."""

    def __init__(
        self, rows: Floats, hidden: int, width: int, layers: int, length: int, heads: int = 4
    ) -> None:
        """Start from `rows` (tokens, dim) like a static student; the transformer adds zeros at first."""
        self.bag = StaticStudent(rows, hidden)
        self.heads = heads
        self.scale = _row_scale(rows) / 2
        self.positions = nn.Parameter(0.1 * torch.randn(length, width))
        self.layers = [_layer(width) for _ in range(layers)]
        self.named = {
            "project_in": nn.Linear(rows.shape[1], width),
            "norm": nn.LayerNorm(width, EPSILON),
            "out": nn.Linear(width, rows.shape[1]),
            "mlp.inner": self.bag.inner,
            "mlp.outer": self.bag.outer,
        }
        nn.init.zeros_(self.named["out"].weight)
        nn.init.zeros_(self.named["out"].bias)
        for number, layer in enumerate(self.layers):
            self.named |= {f"{number}.{name}": module for name, module in layer.items()}
        self.sparse = self.bag.sparse
        self.dense = [self.positions] + [p for module in self.named.values() for p in module.parameters()]

    def __call__(self, ids: Ids) -> Any:
        """Return unit rows (n, dim) of n texts, each of at least one token."""
        order, parts = _length_groups(ids)
        vectors = torch.cat([self._forward([ids[row] for row in part]) for part in parts])
        return self.bag.residual_mlp(vectors[torch.tensor(order).argsort()])

    def _forward(self, ids: Ids) -> Any:
        lengths = torch.tensor([len(row) for row in ids])
        longest = int(lengths.max())
        padded = torch.tensor([[*row, *[0] * (longest - len(row))] for row in ids])
        mask = torch.arange(longest)[None] < lengths[:, None]
        rows = functional.embedding(padded, self.bag.rows.weight, sparse=True) * mask[..., None]
        x = self.named["project_in"](rows / self.scale) + self.positions[:longest]
        for layer in self.layers:
            x = x + self._attend(layer, layer["norm1"](x), mask)
            x = x + layer["outer"](functional.gelu(layer["inner"](layer["norm2"](x))))
        mean = (self.named["norm"](x) * mask[..., None]).sum(1) / lengths[:, None]
        return functional.normalize(rows.sum(1), dim=1) + self.named["out"](mean).float()

    def _attend(self, layer: dict[str, Any], x: Any, mask: Any) -> Any:
        split = layer["qkv"](x).view(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(*split, attn_mask=mask[:, None, None])
        return layer["attention_out"](attended.transpose(1, 2).reshape(x.shape))

    def weights(self) -> TransformerWeights:
        """Return the trained weights."""
        named = {"rows": _array(self.bag.rows.weight), "positions": _array(self.positions)}
        for name, module in self.named.items():
            named |= {f"{name}.weight": _array(module.weight), f"{name}.bias": _array(module.bias)}
        named["project_in.weight"] /= self.scale
        return TransformerWeights(named, self.heads)


class PrunedStudent:
    """The teacher's graph with a subset of its layers."""

    def __init__(self, graph: TextGraph, pad_id: int, length: int | None) -> None:
        """Start from `graph`. Texts are padded with `pad_id` to `length`, or to the longest of a group.

        Raises ModelError for a graph with an unsupported operator.
        """
        self.graph, self.pad_id, self.length = graph, pad_id, length
        self.replay = Replay(graph)
        tables = graph.tables
        self.sparse = [weight for name, weight in self.replay.weights.items() if name in tables]
        self.dense = [weight for name, weight in self.replay.weights.items() if name not in tables]

    def __call__(self, ids: Ids) -> Any:
        """Return unit rows (n, dim) of n texts, as token ids with special tokens."""
        order, parts = _length_groups(ids)
        vectors = torch.cat([self._forward([ids[row] for row in part]) for part in parts])
        return functional.normalize(vectors.float(), dim=1)[torch.tensor(order).argsort()]

    def _forward(self, ids: Ids) -> Any:
        lengths = torch.tensor([len(row) for row in ids])
        longest = self.length or int(lengths.max())
        padded = torch.tensor([[*row, *[self.pad_id] * (longest - len(row))] for row in ids])
        mask = (torch.arange(longest)[None] < lengths[:, None]).long()
        feeds = {self.graph.ids: padded, self.graph.mask: mask}
        return self.replay({name: feeds.get(name, torch.zeros_like(mask)) for name in self.graph.inputs})

    def weights(self) -> TextGraph:
        """Return the trained weights."""
        weights = {name: _array(weight) for name, weight in self.replay.weights.items()}
        return replace(self.graph, weights=weights)


def _length_groups(ids: Ids) -> tuple[list[int], list[list[int]]]:
    """Return indices sorted by length, and the same in groups to pad together.

    Lengths in a group differ by at most a quarter, unless it is small.
    """
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    parts: list[list[int]] = [[]]
    for row in order:
        part = parts[-1]
        if len(part) >= _MAX_GROUP or (len(part) >= _MIN_GROUP and len(ids[row]) > 1.25 * len(ids[part[0]])):
            parts.append([])
        parts[-1].append(row)
    return order, parts


def _layer(width: int) -> dict[str, Any]:
    layer = {
        "norm1": nn.LayerNorm(width, EPSILON),
        "qkv": nn.Linear(width, 3 * width),
        "attention_out": nn.Linear(width, width),
        "norm2": nn.LayerNorm(width, EPSILON),
        "inner": nn.Linear(width, 4 * width),
        "outer": nn.Linear(4 * width, width),
    }
    for name in ("attention_out", "outer"):
        nn.init.zeros_(layer[name].weight)
        nn.init.zeros_(layer[name].bias)
    return layer


def _row_scale(rows: Floats) -> float:
    """Return the divisor of rows (tokens, dim) that brings their entries close to 1 for a layer."""
    lengths = np.linalg.norm(rows, axis=1)
    nonzero = lengths[lengths > 0]
    return float(nonzero.mean()) / math.sqrt(rows.shape[1]) * 4 if len(nonzero) else 1.0


def _array(value: Any) -> Floats:
    return np.array(value.detach().numpy(), np.float32)
