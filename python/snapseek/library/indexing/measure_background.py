"""Measures the background of a model on the pictures of the package, once a model and machine."""

import contextlib

import numpy as np

from snapseek.errors import PictureError
from snapseek.images import open_image
from snapseek.library.paths import DEMO_PICTURES
from snapseek.models import Encoder
from snapseek.models.queries.background import (
    SAMPLE_QUERIES,
    Background,
    load_background,
    store_background,
)
from snapseek.models.queries.sample_queries import sample_queries


def prepare_background(encoder: Encoder, embedded: int) -> None:
    """Measure and store the background of a model, unless it is known.

    Parameters
    ----------
    encoder
        The model.
    embedded
        How many pictures were just embedded. Nothing is measured for fewer than the background has: so an
        indexing embeds at most twice as many pictures as its folder has.
    """
    pictures = sorted(DEMO_PICTURES.rglob("*.jpg"))
    known = load_background(encoder)
    is_complete = known is not None and known.pictures is not None
    if pictures and embedded >= len(pictures) and not is_complete:
        with contextlib.suppress(PictureError):  # of a tower that has no vector for one of them
            store_background(encoder, measure_background(encoder))


def measure_background(encoder: Encoder) -> Background:
    """Embed the pictures of the package and measure them with sample queries."""
    side = encoder.image.picture_side_px
    paths = sorted(DEMO_PICTURES.rglob("*.jpg"))
    vectors = [encoder.embed_images([open_image(path, min_side=side).image])[0] for path in paths]
    return Background.of(np.stack(vectors), sample_queries(encoder, SAMPLE_QUERIES), "demo pictures")
