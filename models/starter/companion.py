"""The companion space: 128 dimensions in which a text is close to the classes that it should match."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from corpus import Sample

WIDTH, EPOCHS, BATCH = 128, 5, 512


@dataclass(frozen=True)
class Space:
    """The ConSE space: centered sentence embeddings in the 256 principal directions of the classes.

    `centre` (384,), `axes` (384, 256), `texts` (1000, 384): the classes' own embeddings.
    """

    centre: torch.Tensor
    axes: torch.Tensor
    texts: torch.Tensor

    @classmethod
    def fit(cls, texts: torch.Tensor, width: int = 256) -> "Space":
        """Fit to the (1000, 384) class texts."""
        centre = texts.mean(0)
        _, _, right = torch.linalg.svd(texts - centre, full_matrices=False)
        # A singular vector's sign is arbitrary: fix it, so that every machine finds the same axes.
        signs = torch.sign(right.gather(1, right.abs().argmax(1, keepdim=True)))
        return cls(centre, (right * signs)[:width].T.contiguous(), texts)

    @property
    def classes(self) -> torch.Tensor:
        """Return the (1000, 256) class vectors."""
        return (self.texts - self.centre) @ self.axes

    def project(self, embedded: torch.Tensor) -> torch.Tensor:
        """Project (n, 384) sentence embeddings to (n, 256) unit rows."""
        return functional.normalize((embedded - self.centre) @ self.axes, dim=1)


class Companion(nn.Module):
    """g: (n, 384) sentence embeddings → (n, 128) unit rows, with a table of (1000, 128) class rows."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.register_buffer("centre", space.centre)
        self.linear = nn.Parameter(space.axes[:, :WIDTH].clone())
        self.residual = nn.Sequential(nn.Linear(384, 768), nn.GELU(), nn.Linear(768, WIDTH))
        nn.init.zeros_(self.residual[2].weight)
        nn.init.zeros_(self.residual[2].bias)
        start = functional.normalize((space.texts - space.centre) @ space.axes[:, :WIDTH], dim=1)
        self.register_buffer("start", start)
        self.table = nn.Parameter(start.clone())
        self.log_temperature = nn.Parameter(torch.tensor(0.07).log())

    def forward(self, embedded: torch.Tensor) -> torch.Tensor:
        """Project (n, 384) sentence embeddings to (n, 128) unit rows."""
        x = embedded - self.centre
        return functional.normalize(x @ self.linear + self.residual(10 * x), dim=1)

    @property
    def classes(self) -> torch.Tensor:
        """Return the (1000, 128) unit class rows."""
        return functional.normalize(self.table, dim=1)

    def loss(self, embedded: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch: (n, 384), target (n, 1000) summing to 1, weight (n,)."""
        projected = self(embedded)
        predicted = functional.log_softmax(projected @ self.classes.T / self.log_temperature.exp(), dim=1)
        divergence = functional.kl_div(predicted, target, reduction="none").sum(1)
        centered = functional.normalize(embedded - self.centre, dim=1)
        distortion = (projected @ projected.T - centered @ centered.T).square().mean()
        drift = (self.table - self.start).square().sum(1).mean()
        return (divergence * weight).sum() / weight.sum() + 50 * distortion + drift


def targets(samples: list[Sample]) -> torch.Tensor:
    """Return the (n, 1000) float32 distribution of classes that each sample matches."""
    table = torch.zeros(len(samples), 1000)
    for row, sample in enumerate(samples):
        classes = torch.tensor(sample.classes)
        table[row].index_add_(0, classes, torch.full((len(classes),), 1 / len(classes)))
    return table


def train(space: Space, embedded: torch.Tensor, samples: list[Sample], seed: int) -> Companion:
    """Fit the companion to samples and their (n, 384) embeddings."""
    torch.manual_seed(seed)
    model = Companion(space)
    weights = torch.tensor([sample.weight for sample in samples])
    steps = EPOCHS * (len(samples) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(samples))[: len(samples) // BATCH * BATCH]
        total = 0.0
        for rows in order.split(BATCH):
            target = targets([samples[row] for row in rows.tolist()])
            loss = model.loss(embedded[rows], target, weights[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"  companion epoch {epoch + 1}: loss {total / (len(order) / BATCH):.4f}", flush=True)
    return model.eval()
