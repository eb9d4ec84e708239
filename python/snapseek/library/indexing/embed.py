"""Decode, preview and embed many pictures, in order.

Each thread processes a batch from file to vector: it decodes and previews each picture, then runs the image
encoder on the batch with one ONNX thread. So every core is busy without a queue between the two steps, and
few decoded pictures are in memory. docs/MODELS.md compares the alternatives.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import ModelError, PictureError
from snapseek.images import DecodedImage, Preview, make_preview, open_image
from snapseek.images.decode import MAX_FILE_BYTES
from snapseek.library.indexing.bounded_map import bounded_map
from snapseek.library.records.arrow_gather import Record
from snapseek.metadata import ImageMetadata
from snapseek.models import Batch, Encoder
from snapseek.sources import Picture, Sidecar, read_sidecars
from snapseek.sources.picture import content_hash
from snapseek.sources.row_reader import first_line

_BATCHES_AHEAD = 3
"""Batches submitted per thread; a slow picture delays the others only after that many."""

_MAX_BATCH = 8
"""The encoder's cost per picture falls up to this batch size; larger ones spread small folders unevenly."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a file: a vector (1, dim) with its record, or the reason why there is none.

    `notes` name sidecar data that was skipped although the picture was embedded.
    """

    picture: Picture
    vector: NDArray[np.float32] | None = None
    record: Record | None = None
    reason: str | None = None
    content: bytes | None = None
    """The hash of the file, if it could be read."""
    notes: tuple[str, ...] = ()


def embed_pictures(pictures: Iterable[Picture], encoder: Encoder, threads: int) -> Iterator[Outcome]:
    """Yield the outcome of each picture, in order.

    Parameters
    ----------
    pictures
        What to embed. A picture that cannot be read gives an outcome with a reason.
    encoder
        The model.
    threads
        How many threads work.

    Raises
    ------
    ModelError
        If the encoder fails.
    """
    batches = _batched(pictures, min(_MAX_BATCH, encoder.image.batch_size))
    with ThreadPoolExecutor(threads, thread_name_prefix="index") as pool:
        work = partial(_embed, encoder=encoder)
        for outcomes in bounded_map(pool, work, batches, threads * _BATCHES_AHEAD):
            yield from outcomes


def _batched(pictures: Iterable[Picture], size: int) -> Iterator[list[Picture]]:
    remaining = iter(pictures)
    while batch := list(islice(remaining, size)):
        yield batch


def _embed(pictures: Sequence[Picture], encoder: Encoder) -> list[Outcome]:
    batch = encoder.image.new_batch(len(pictures))
    outcomes = [_prepare(picture, encoder, batch) for picture in pictures]
    readable = [index for index, outcome in enumerate(outcomes) if outcome.reason is None]
    if not readable:
        return outcomes
    try:
        rows = encoder.image.embed_batch(batch)
    except PictureError as error:
        if len(pictures) > 1:  # one of them fails the batch: embed each by itself
            return [outcome for picture in pictures for outcome in _embed([picture], encoder)]
        return [replace(outcomes[0], record=None, reason=str(error))]
    for index, row in zip(readable, rows, strict=True):
        outcomes[index] = replace(outcomes[index], vector=row[None])
    return outcomes


def _prepare(picture: Picture, encoder: Encoder, batch: Batch) -> Outcome:
    """Decode a picture into the batch. Return its outcome without a vector."""
    if picture.problem:
        return Outcome(picture, reason=picture.problem)
    content = _content(picture)
    try:
        return _decode(picture, encoder, batch, content)
    except (MemoryError, ModelError):
        raise
    except Exception as error:  # one odd file must not stop the others, whatever a decoder or a parser raises
        return Outcome(picture, reason=f"it cannot be read: {first_line(error)}", content=content)


def _decode(picture: Picture, encoder: Encoder, batch: Batch, content: bytes | None) -> Outcome:
    try:
        decoded = open_image(picture.data or picture.path, min_side=encoder.image.picture_side_px)
        preview = make_preview(decoded.image)
    except PictureError as error:
        return Outcome(picture, reason=str(error), content=content)
    sidecar = read_sidecars(picture.path) if picture.data is None else Sidecar()
    record = _record(picture, decoded, preview, picture.metadata.merged_with(sidecar.metadata))
    batch.add(decoded.image)
    return Outcome(picture, record=record, content=content, notes=sidecar.notes)


def _content(picture: Picture) -> bytes | None:
    """Return the hash of a picture's bytes; None for a file that is too large to decode."""
    if picture.size_bytes > MAX_FILE_BYTES:
        return None
    return content_hash(picture.path if picture.data is None else picture.data)


def _record(picture: Picture, decoded: DecodedImage, preview: Preview, sidecar: ImageMetadata) -> Record:
    """Return the record of a picture. Sidecar metadata overrides embedded metadata."""
    metadata = sidecar.merged_with(decoded.metadata)
    modified = datetime.fromtimestamp(picture.modified_ns / 1e9, UTC) if picture.modified_ns else None
    return {
        **picture.columns,
        "uri": picture.uri,
        "width": decoded.width,
        "height": decoded.height,
        "color": preview.color,
        "preview": preview.data,
        "caption": metadata.caption,
        "name": picture.name,
        "folder": picture.parent,
        "size_bytes": decoded.size_bytes,
        "modified": modified,
        "kind": decoded.kind,
        "taken": metadata.taken,
        "camera": metadata.camera,
        "latitude": metadata.latitude,
        "longitude": metadata.longitude,
        "tags": list(metadata.tags) or None,
        "title": metadata.title,
    }
