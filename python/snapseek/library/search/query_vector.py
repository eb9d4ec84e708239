"""The terms of a query made into the one unit vector that is searched for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from snapseek.errors import InputError, PictureError
from snapseek.images import open_image
from snapseek.images.color_modes import to_rgb
from snapseek.library.search.terms import Term, written
from snapseek.models import Encoder

_CANCELLED = 1e-5  # of the sum of weights; float32 rows that are equal leave about 1e-7


class Space(Protocol):
    """Where vectors come from: a `Library`."""

    @property
    def encoder(self) -> Encoder:
        """The model for words and for pictures from elsewhere; asked for only when one comes."""

    def vector(self, item: int) -> NDArray[np.float32]:
        """(dim,) float32, unit length, of the stored picture with that id."""


def query_vector(terms: Sequence[Term], space: Space) -> NDArray[np.float32]:
    """(dim,) float32, unit length: the direction of the sum of the terms' unit vectors times their weights.

    Raises InputError for words that the model does not know, for a picture that cannot be read, and for terms
    that cancel each other out; ItemNotFoundError for an id of no picture.
    """
    vectors = np.stack([_vector(term, space) for term in terms])
    combined = combine(vectors, [term.weight for term in terms])
    if combined is None:
        raise InputError(
            f"the terms of {written(terms)} cancel each other out; change a weight or add a term"
        )
    return combined


def combine(vectors: NDArray[np.float32], weights: Sequence[float]) -> NDArray[np.float32] | None:
    """(dim,) float32, unit length: the direction of the weighted sum of (n, dim) float32 unit rows.

    None where the sum has no direction. A single row of a weight above 0 is given back bit by bit.
    """
    if len(weights) == 1 and weights[0] > 0:
        return np.asarray(vectors[0])
    total = np.asarray(weights, np.float64) @ vectors.astype(np.float64)
    norm = np.linalg.norm(total)
    if norm <= _CANCELLED * np.abs(weights).sum():
        return None
    return np.asarray(total / norm, np.float32)


def _vector(term: Term, space: Space) -> NDArray[np.float32]:
    match term.subject:
        case str(words):
            return np.asarray(space.encoder.embed_texts([words])[0])
        case int(item):
            return space.vector(item)
        case np.ndarray() as vector:
            return _unit(vector, space.encoder.dim)
        case Path() as path:
            return _picture_vector(path, str(path), space.encoder)
        case picture:
            return _picture_vector(picture, "the picture", space.encoder)


def _unit(vector: NDArray[Any], dim: int) -> NDArray[np.float32]:
    if vector.shape != (dim,) or not np.issubdtype(vector.dtype, np.floating):
        raise InputError(f"expected a vector of shape ({dim},), found {vector.dtype} of {vector.shape}")
    norm = np.linalg.norm(vector.astype(np.float64))
    if not (np.isfinite(norm) and norm > 0):
        raise InputError("expected a vector of finite numbers, not all of them 0")
    return np.asarray(vector / norm, np.float32)


def _picture_vector(source: Path | Image.Image, name: str, encoder: Encoder) -> NDArray[np.float32]:
    """The picture is read as an index reads it."""
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
    except Exception as error:  # a picture that PIL opened is decoded only now, by whatever its file leads to
        raise PictureError(f"it cannot be decoded: {error}") from error
