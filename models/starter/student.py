"""The student: the shipped text tower, a table of token rows and one residual layer."""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

WIDTH, HIDDEN, VOCABULARY = 384, 512, 30522
EPOCHS, BATCH, RATE, HEAT = 6, 512, 2e-3, 0.07
SILENT = (0, 100, 101, 102, 103)  # [PAD] [UNK] [CLS] [SEP] [MASK] say nothing


class Student(nn.Module):
    """Mean of token rows → unit vector → plus a bend → unit vector, (n, 384)."""

    def __init__(self, rows: torch.Tensor) -> None:
        super().__init__()
        self.rows = nn.EmbeddingBag.from_pretrained(rows, freeze=False, mode="mean", sparse=True)
        self.inner = nn.Linear(WIDTH, HIDDEN)
        self.outer = nn.Linear(HIDDEN, WIDTH)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, tokens: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
        """Return (n, 384) unit rows of n texts: all tokens in a line, and where each text starts."""
        x = functional.normalize(self.rows(tokens, starts), dim=1)
        return functional.normalize(x + self.outer(functional.gelu(self.inner(8 * x))), dim=1)


def bags(ids: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token lists as one line of tokens and the start of each."""
    lengths = torch.tensor([0] + [len(row) for row in ids[:-1]])
    return torch.tensor([token for row in ids for token in row]), lengths.cumsum(0)


def first_rows(alone: torch.Tensor, ids: Sequence[Sequence[int]]) -> torch.Tensor:
    """Return the starting table: what the teacher says of each token alone, frequent tokens turned down."""
    counts = Counter(token for row in ids for token in row)
    total = counts.total()
    seen = torch.tensor([counts[token] / total for token in range(VOCABULARY)])
    return alone * (1e-3 / (1e-3 + seen)).unsqueeze(1)


def train(
    alone: torch.Tensor,
    ids: Sequence[Sequence[int]],
    wanted: torch.Tensor,
    classes: torch.Tensor,
    weights: torch.Tensor,
    seed: int,
) -> Student:
    """Distil the teacher into a student.

    `alone` (30522, 384): the teacher's vectors of single tokens; `ids`: tokens of each text without
    special ones; `wanted` (n, 384): the teacher's vectors; `classes` (1000, 384): the image side of
    each class; `weights` (n,): how much a text counts.
    """
    torch.manual_seed(seed)
    model = Student(first_rows(alone, ids))
    usable = torch.tensor([row for row, tokens in enumerate(ids) if tokens])
    steps = EPOCHS * (len(usable) // BATCH)
    # A batch touches a tenth of the rows: the sparse optimizer leaves the others, and is ten times as fast.
    bend = [*model.inner.parameters(), *model.outer.parameters()]
    optimizers = [
        torch.optim.SparseAdam(list(model.rows.parameters()), RATE),
        torch.optim.Adam(bend, RATE),
    ]
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(each, steps) for each in optimizers]
    for epoch in range(EPOCHS):
        order = usable[torch.randperm(len(usable))[: len(usable) // BATCH * BATCH]]
        total = 0.0
        for rows in order.split(BATCH):
            guess = model(*bags([ids[row] for row in rows.tolist()]))
            loss = _loss(guess, wanted[rows], classes, weights[rows])
            model.zero_grad()
            loss.backward()
            for each in (*optimizers, *schedules):
                each.step()
            total += loss.item()
        print(f"  student epoch {epoch + 1}: loss {total / (len(order) / BATCH):.4f}", flush=True)
    return model.eval()


def _loss(
    guess: torch.Tensor, wanted: torch.Tensor, classes: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    near = 3 * (1 - (guess * wanted).sum(1))
    profile = functional.log_softmax(wanted @ classes.T / HEAT, dim=1)
    found = functional.log_softmax(guess @ classes.T / HEAT, dim=1)
    miss = functional.kl_div(found, profile, reduction="none", log_target=True).sum(1)
    return ((near + miss) * weights).sum() / weights.sum()
