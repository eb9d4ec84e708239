"""The query vector: the unit vector that the terms of a query add up to."""

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from snapseek.errors import ArrayError, InputError, NonFiniteError, PictureError
from snapseek.images import open_image
from snapseek.images.color_modes import to_rgb
from snapseek.library.search.terms import Term, written
from snapseek.models import Encoder

_CANCELLED = 1e-5
"""Terms cancel each other out if their sum is shorter than this share of the sum of their absolute weights.

The sum of equal float32 rows with opposite weights has a length of some 1e-7.
"""


class LazyEncoder(Protocol):
    """An encoder that is loaded when a term first needs it."""

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded now if it was not before."""


class StoredVectors(Protocol):
    """The vectors of a library's own pictures: a `Snapshot`."""

    def vector(self, item: int) -> NDArray[np.float32]:
        """Return (dim,) float32, unit length, of the picture with that id. Raises ItemNotFoundError."""


EmbedWords = Callable[[str, LazyEncoder], NDArray[np.float32] | None]
"""Returns the vector of words that name a concept; None for other words."""


class QueryVector:
    """The unit vector of a query, made when the ranking first needs it.

    Parameters
    ----------
    terms
        The terms of the query, at least one.
    encoder
        What embeds words and pictures from outside of the library.
    stored
        The vectors of pictures by their ids.
    embed_words
        What knows the taught concepts.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        encoder: LazyEncoder,
        stored: StoredVectors,
        embed_words: EmbedWords = lambda words, encoder: None,
    ) -> None:
        self.terms = terms
        self.encoder = encoder
        self.embed_s = 0.0
        """Seconds that it took to make the vector."""
        self.text_model: str | None = None
        """Which model embedded the words: `fast` if the student did, `full`, or None without words."""
        self.tokenize_s = 0.0
        """The part of it in which words became tokens."""
        self._stored = stored
        self._embed_words = embed_words

    @cached_property
    def value(self) -> NDArray[np.float32]:
        """(dim,) float32, unit length: the direction of the weighted sum of the terms' unit vectors.

        Raises
        ------
        InputError
            The model knows none of the words, a picture cannot be read, or the terms cancel each other out.
        ItemNotFoundError
            A term is an id that no picture has.
        """
        start = time.perf_counter()
        try:
            vectors = np.stack([self._embed(term) for term in self.terms])
        finally:
            self.embed_s += time.perf_counter() - start
        combined = combine(vectors, [term.weight for term in self.terms])
        if combined is None:
            raise InputError(
                expected="terms with a sum",
                got=f"{written(self.terms)}, which cancel each other out",
                hint="change a weight or add a term",
            )
        return combined

    def _count_tokenizing(self, seconds: float) -> None:
        self.tokenize_s += seconds

    def _embed(self, term: Term) -> NDArray[np.float32]:
        match term.subject:
            case str(words):
                taught = self._embed_words(words, self.encoder)
                if taught is not None:
                    return taught
                return self._embedded(words)
            case int(item):
                return self._stored.vector(item)
            case np.ndarray() as vector:
                return _normalized(vector, self.encoder.encoder.dim)
            case Path() as path:
                return _picture_vector(path, str(path), self.encoder.encoder)
            case picture:
                return _picture_vector(picture, "the picture", self.encoder.encoder)

    def _embedded(self, words: str) -> NDArray[np.float32]:
        encoder = self.encoder.encoder
        vector = np.asarray(encoder.text.embed([words], self._count_tokenizing)[0])
        is_fast = encoder.teacher is not None and encoder.text.embeds(words)
        self.text_model = "fast" if is_fast and self.text_model != "full" else "full"
        return vector


def combine(vectors: NDArray[np.float32], weights: Sequence[float]) -> NDArray[np.float32] | None:
    """Return the direction of a weighted sum of unit vectors.

    Parameters
    ----------
    vectors
        (n, dim) float32, unit rows.
    weights
        One weight a row.

    Returns
    -------
    NDArray or None
        (dim,) float32, unit length; None where the sum has no direction. A single row with a positive weight
        is returned bit by bit.
    """
    if len(weights) == 1 and weights[0] > 0:
        return np.asarray(vectors[0])
    total = np.asarray(weights, np.float64) @ vectors.astype(np.float64)
    norm = np.linalg.norm(total)
    if norm <= _CANCELLED * np.abs(weights).sum():
        return None
    return np.asarray(total / norm, np.float32)


def _normalized(vector: NDArray[Any], dim: int) -> NDArray[np.float32]:
    if vector.shape != (dim,) or not np.issubdtype(vector.dtype, np.floating):
        raise ArrayError(
            expected=f"a vector of floats of shape ({dim},)", got=f"{vector.dtype} of shape {vector.shape}"
        )
    norm = np.linalg.norm(vector.astype(np.float64))
    if not (np.isfinite(norm) and norm > 0):
        raise NonFiniteError(
            expected="a vector of finite numbers, not all of them 0", got=f"a vector of length {norm:g}"
        )
    return np.asarray(vector / norm, np.float32)


def _picture_vector(source: Path | Image.Image, name: str, encoder: Encoder) -> NDArray[np.float32]:
    """Return the vector of a picture that is read as the indexing reads pictures."""
    try:
        image = _upright(source) if isinstance(source, Image.Image) else _read(source, encoder)
        return np.asarray(encoder.embed_images([image])[0])
    except PictureError as error:
        raise InputError(f"cannot search by {name}: {error}") from error


def _read(path: Path, encoder: Encoder) -> Image.Image:
    try:
        path = path.expanduser()
    except RuntimeError as error:
        raise PictureError("there is no user of the name after ~") from error
    return open_image(path, min_side=encoder.image.picture_side_px).image


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return to_rgb(ImageOps.exif_transpose(picture))
    except Exception as error:  # PIL decodes lazily, and its plugins raise errors of every kind
        raise PictureError(f"it cannot be decoded: {error}") from error
