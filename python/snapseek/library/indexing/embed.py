"""Many pictures through decoder, preview and image tower, a few at a time, in the order that they came in.

A thread takes a handful of pictures all the way: each is decoded, previewed and put into the batch, then the
tower answers for the batch, one ONNX thread a call. So every core is busy without a queue between decoders
and tower, and a decoded picture is let go before the next one is read. docs/MODELS.md has the figures of the
other ways to do it.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import PictureError
from snapseek.images import DecodedImage, Preview, make_preview, open_image
from snapseek.images.decode import MAX_FILE_BYTES
from snapseek.library.indexing.bounded_map import bounded_map
from snapseek.library.records.arrow_file import Record
from snapseek.metadata import ImageMetadata
from snapseek.models import Batch, Encoder
from snapseek.sources import Picture, Sidecar, read_sidecars
from snapseek.sources.picture import content_hash

_LOOK_AHEAD = 3
"""Handfuls under way or waiting for each thread; a slow picture holds the others up only after that many."""

_HANDFUL = 8
"""The tower's cost a picture falls up to this many at a time; more would only make small folders uneven."""


@dataclass(frozen=True)
class Outcome:
    """What became of a file: a vector (1, dim) with its record, or a reason.

    `notes` say what was left out beside a picture that is there all the same.
    """

    picture: Picture
    vector: NDArray[np.float32] | None = None
    record: Record | None = None
    reason: str | None = None
    content: bytes | None = None
    """The hash of the file, where it could be read."""
    notes: tuple[str, ...] = ()


def embed_pictures(pictures: Iterable[Picture], encoder: Encoder, threads: int) -> Iterator[Outcome]:
    """The outcome of each picture, in order, with `threads` threads at work.

    Raises ModelError when the tower fails; a picture that cannot be read is an outcome with its reason.
    """
    handfuls = _parts(pictures, min(_HANDFUL, encoder.image.batch_size))
    with ThreadPoolExecutor(threads, thread_name_prefix="index") as pool:
        for outcomes in bounded_map(
            pool, lambda some: _embed(some, encoder), handfuls, threads * _LOOK_AHEAD
        ):
            yield from outcomes


def _parts(pictures: Iterable[Picture], size: int) -> Iterator[list[Picture]]:
    left = iter(pictures)
    while part := list(islice(left, size)):
        yield part


def _embed(pictures: Sequence[Picture], encoder: Encoder) -> list[Outcome]:
    batch = encoder.image.new_batch(len(pictures))
    outcomes = [_prepare(picture, encoder, batch) for picture in pictures]
    readable = [place for place, outcome in enumerate(outcomes) if outcome.reason is None]
    if not readable:
        return outcomes
    try:
        rows = encoder.image.embed_batch(batch)
    except PictureError as error:
        if len(pictures) > 1:  # one of them spoils it for the others: find out which
            return [outcome for picture in pictures for outcome in _embed([picture], encoder)]
        return [replace(outcomes[0], record=None, reason=str(error))]
    for place, row in zip(readable, rows, strict=True):
        done = outcomes[place]
        outcomes[place] = replace(done, vector=row[None])
    return outcomes


def _prepare(picture: Picture, encoder: Encoder, batch: Batch) -> Outcome:
    """Read a picture into the batch; its outcome has no vector yet, or the reason why it cannot be read."""
    if picture.problem:
        return Outcome(picture, reason=picture.problem)
    content = _content(picture)
    try:
        decoded = open_image(picture.data or picture.path, min_side=encoder.image.picture_side_px)
        preview = make_preview(decoded.image)
    except PictureError as error:
        return Outcome(picture, reason=str(error), content=content)
    batch.add(decoded.image)
    sidecar = read_sidecars(picture.path) if picture.data is None else Sidecar()
    record = _record(picture, decoded, preview, picture.metadata.merged_with(sidecar.metadata))
    return Outcome(picture, record=record, content=content, notes=sidecar.notes)


def _content(picture: Picture) -> bytes | None:
    """The hash of what a picture is made of; None for files that nobody will read."""
    if picture.size_bytes > MAX_FILE_BYTES:
        return None
    return content_hash(picture.path if picture.data is None else picture.data)


def _record(picture: Picture, decoded: DecodedImage, preview: Preview, told: ImageMetadata) -> Record:
    """The record of a picture; what people told of it counts before what its file says."""
    facts = told.merged_with(decoded.metadata)
    modified = datetime.fromtimestamp(picture.modified_ns / 1e9, UTC) if picture.modified_ns else None
    return {
        **picture.columns,
        "uri": picture.uri,
        "width": decoded.width,
        "height": decoded.height,
        "color": preview.color,
        "preview": preview.data,
        "caption": facts.caption,
        "name": picture.name,
        "folder": picture.parent,
        "size_bytes": decoded.size_bytes,
        "modified": modified,
        "kind": decoded.kind,
        "taken": facts.taken,
        "camera": facts.camera,
        "latitude": facts.latitude,
        "longitude": facts.longitude,
        "tags": list(facts.tags) or None,
        "title": facts.title,
    }
