"""CLIP-like vectors for benchmarks, where real ones are not available.

Two narrow cones, images and texts, with a gap between them; a power-law spectrum; concepts in two levels with
Zipf-like sizes; text queries that are distributed differently from the images: they share the concept and add
noise of their own in a partly different subspace. With the defaults the cosines are 0.50 between images, 0.57
between texts, 0.16 +- 0.04 between an image and a text, and 0.30 to 0.40 for the best image of a text, as
they are reported for CLIP ViT-B/32. A figure measured here holds for this set only: say so next to it.

There are two more sets. "harder" has a flatter spectrum, and its rows are farther from their concepts.
"fitted" is fitted to real embeddings of CLIP ViT-B/32 (OpenAI), of 747 images and some 2,100 texts. What
was fitted, real value and value of the set: share of the variance in the first 8, 32, 64 and 128
directions, images .34 .58 .71 .84 and .33 .60 .73 .85, texts .20 .43 .60 .79 and .18 .46 .63 .79, images in
the metric of centred texts .37 .66 .80 .92 and .45 .67 .79 .91; mean cosines of images .45 and .45, of
texts .75 and .75, of text and image .17 to .19 and .18; of a text and the best of 747 images .24 to .25 and
.26.

    python -m benches.clip_like OUT [--n 1500000] [--dim 512] [--seed 0] [--set default]

writes to OUT
    base.npy                      (n, dim) float16, unit rows: what is indexed
    text_train.npy                (20000, dim) float32: a sample of queries to train with
    text.npy, image.npy           (1000, dim) float32: the queries
    text_truth.npy, image_truth.npy  (1000, 100) int64: their best rows, exact by inner product
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TRAIN_QUERIES = 20_000
QUERIES = 1_000
TRUTH_DEPTH = 100

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Statistics:
    """How a set is distributed. Variances are relative to the squared length of a mean.

    Attributes
    ----------
    coarse, leaf, own
        Variance of the coarse concept, of the concept in it, and of an image around its concept.
    spectrum, text_spectrum
        Offset and exponent: direction i has a variance proportional to (i + offset) ** -exponent.
    kept
        How far the order of the directions is the same for texts; 0 is a random one, below 0 the reverse.
    means
        Cosine of the mean of images and the mean of texts.
    text_concept, text_noise
        Factor of the concept in a text, and standard deviation of the rest.
    """

    coarse: float = 0.40
    leaf: float = 0.35
    own: float = 0.25
    spectrum: tuple[float, float] = (4.0, 0.9)
    text_spectrum: tuple[float, float] = (4.0, 0.9)
    kept: float = 0.6
    means: float = 0.30
    text_concept: float = 0.38
    text_noise: float = 0.80


SETS = {
    "default": Statistics(),
    "harder": Statistics(coarse=0.3, leaf=0.3, own=0.4, spectrum=(4.0, 0.6), text_spectrum=(4.0, 0.6)),
    "fitted": Statistics(
        coarse=0.49,
        leaf=0.43,
        own=0.30,
        spectrum=(5.0, 1.26),
        text_spectrum=(22.0, 1.48),
        kept=-0.2,
        means=0.31,
        text_concept=0.08,
        text_noise=0.57,
    ),
}


class ClipLike:
    """A distribution of images and texts. Draws advance one generator: their order is part of the result."""

    def __init__(
        self,
        dim: int = 512,
        seed: int = 0,
        coarse: int = 400,
        leaves: int = 20_000,
        statistics: Statistics = SETS["default"],
    ):
        self.dim = dim
        self.statistics = statistics
        self.rng = np.random.default_rng(seed)
        self.basis = np.linalg.qr(self.rng.standard_normal((dim, dim)))[0]
        self.scale = self._spectrum(*statistics.spectrum)
        self.text_scale = self._partly_shuffled(self._spectrum(*statistics.text_spectrum), statistics.kept)
        self.concepts = self._concepts(coarse, leaves)
        weight = (np.arange(leaves) + 50.0) ** -0.8
        self.image_weight = weight / weight.sum()
        self.text_weight = np.sqrt(weight) / np.sqrt(weight).sum()
        self.image_mean = self._spike()
        self.text_mean = self._mean_cosine_with(self.image_mean)

    def images(self, n: int) -> NDArray[np.float64]:
        """(n, dim) float64 unit rows."""
        concept = self.concepts[self.rng.choice(len(self.concepts), n, p=self.image_weight)]
        spread = np.abs(1 + 0.3 * self.rng.standard_normal((n, 1)))
        own = np.sqrt(self.statistics.own) * self._noise(n, self.scale) * spread
        return self._unit(self.image_mean + concept + own)

    def texts(self, n: int) -> NDArray[np.float64]:
        """(n, dim) float64 unit rows."""
        concept = self.concepts[self.rng.choice(len(self.concepts), n, p=self.text_weight)]
        own = self.statistics.text_noise * self._noise(n, self.text_scale)
        return self._unit(self.text_mean + self.statistics.text_concept * concept + own)

    def _spectrum(self, offset: float, exponent: float) -> NDArray[np.float64]:
        variance = (np.arange(self.dim) + offset) ** -exponent
        return np.sqrt(variance / variance.sum())

    def _partly_shuffled(self, scale: NDArray[np.float64], kept: float) -> NDArray[np.float64]:
        order = self.rng.permutation(self.dim)
        return scale[np.argsort(np.argsort(order + kept * np.arange(self.dim)))]

    def _concepts(self, coarse: int, leaves: int) -> Floats:
        centres = self._noise(coarse, self.scale)
        parents = centres[self.rng.integers(0, coarse, leaves)]
        own = np.sqrt(self.statistics.leaf) * self._noise(leaves, self.scale)
        return np.sqrt(self.statistics.coarse) * parents + own

    def _spike(self) -> NDArray[np.float64]:
        """A few dimensions carry the mean, as in CLIP."""
        vector = np.zeros(self.dim)
        vector[self.rng.choice(self.dim, 12)] = self.rng.standard_normal(12)
        return vector / np.linalg.norm(vector)

    def _mean_cosine_with(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        free = self._spike()
        free -= (free @ mean) * mean
        cosine = self.statistics.means
        return cosine * mean + np.sqrt(1 - cosine**2) * free / np.linalg.norm(free)

    def _noise(self, n: int, scale: NDArray[np.float64]) -> NDArray[np.float32]:
        return (self.rng.standard_normal((n, self.dim)) * scale).astype(np.float32)

    def _unit(self, rows: Floats) -> NDArray[np.float64]:
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)) @ self.basis.T


def exact(base: Floats, queries: Floats, k: int = TRUTH_DEPTH, block: int = 50_000) -> NDArray[np.int64]:
    """The best rows by inner product, best first, block by block.

    base (n, dim) float16 or float32, queries (q, dim) float32 -> (q, min(k, n)) int64.
    """
    scores = np.empty((len(queries), 0), np.float32)
    rows = np.empty((len(queries), 0), np.int64)
    for start in range(0, len(base), block):
        part = queries @ np.asarray(base[start : start + block], np.float32).T
        numbers = np.broadcast_to(np.arange(start, start + part.shape[1]), part.shape)
        scores, rows = _best(np.hstack([scores, part]), np.hstack([rows, numbers]), k)
    return rows


def _best(scores: NDArray[np.float32], rows: NDArray[np.int64], k: int) -> tuple[Floats, NDArray[np.int64]]:
    """The k best columns of each line, best first; equal scores by lower row."""
    if scores.shape[1] > k:
        kept = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        scores, rows = np.take_along_axis(scores, kept, 1), np.take_along_axis(rows, kept, 1)
    order = np.lexsort((rows, -scores), axis=1)
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)


def write_base(path: Path, model: ClipLike, n: int, block: int = 100_000) -> NDArray[np.float16]:
    """Fills a mapped (n, dim) float16 file block by block."""
    base = np.lib.format.open_memmap(path, "w+", np.float16, (n, model.dim))
    for start in range(0, n, block):
        base[start : start + block] = model.images(min(block, n - start))
    return base


def write_set(out: Path, n: int, dim: int, seed: int, name: str = "default") -> None:
    """Writes the files of the module's table; two and a half minutes for 1.5 million on two cores."""
    out.mkdir(parents=True, exist_ok=True)
    model = ClipLike(dim, seed, statistics=SETS[name])
    base = write_base(out / "base.npy", model, n)
    np.save(out / "text_train.npy", model.texts(TRAIN_QUERIES).astype(np.float32))
    for kind, queries in (("text", model.texts(QUERIES)), ("image", model.images(QUERIES))):
        np.save(out / f"{kind}.npy", queries.astype(np.float32))
        np.save(out / f"{kind}_truth.npy", exact(base, queries.astype(np.float32)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Write a set of CLIP-like vectors with queries and their truth."
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--n", type=int, default=1_500_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", choices=SETS, default="default")
    given = parser.parse_args()
    write_set(given.out, given.n, given.dim, given.seed, given.set)


if __name__ == "__main__":
    main()
