"""Decode, preview and embed many pictures, in order.

Each thread processes a batch from file to vector: it decodes and previews each picture, then runs the image
encoder on the batch with one ONNX thread. So every core is busy without a queue between the two steps, and
few decoded pictures are in memory. A budget bounds their bytes, whatever their size: see `MemoryBudget`.
docs/MODELS.md compares the alternatives.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import ModelError, PictureError
from snapseek.images import DecodedImage, Preview, make_preview, open_image
from snapseek.images.decode import MAX_FILE_BYTES
from snapseek.library.indexing.bounded_map import bounded_map
from snapseek.library.indexing.describe import location_columns, merged_metadata, metadata_columns
from snapseek.library.indexing.memory_budget import MemoryBudget
from snapseek.library.records.arrow_gather import Record
from snapseek.metadata import ImageMetadata
from snapseek.models import Batch, Encoder
from snapseek.models.rates import store_rate
from snapseek.sources import Picture, Sidecar, read_sidecars
from snapseek.sources.picture import content_hash
from snapseek.sources.row_reader import first_line

_BATCHES_AHEAD = 3
"""Batches submitted per thread; a slow picture delays the others only after that many."""

_MAX_BATCH_BYTES = 16 << 20
"""A batch of pictures that are in memory already ends here."""

_MAX_BATCH = 8
"""The encoder's cost per picture falls up to this batch size; larger ones spread small folders unevenly."""

_TRUNCATED = "the JPEG file is truncated; the part that is there was read"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a file: a vector (1, dim) with its record, or the reason why there is none.

    `notes` say that the end of the file is missing, and name sidecar data that was skipped, although the
    picture was embedded.
    """

    picture: Picture
    vector: NDArray[np.float32] | None = None
    record: Record | None = None
    reason: str | None = None
    content: bytes | None = None
    """The hash of the file, if it could be read."""
    notes: tuple[str, ...] = ()


def embed_pictures(
    pictures: Iterable[Picture], encoder: Encoder, threads: int, *, describe: bool = True
) -> Iterator[Outcome]:
    """Yield the outcome of each picture, in order.

    Parameters
    ----------
    pictures
        What to embed. A picture that cannot be read gives an outcome with a reason.
    encoder
        The model.
    threads
        How many threads work.
    describe
        Whether the outcomes have records and hashes; otherwise vectors alone.

    Raises
    ------
    ModelError
        If the encoder fails.
    """
    batches = _batched(pictures, min(_MAX_BATCH, encoder.image.batch_size))
    embedded, start_s = 0, time.perf_counter()
    with ThreadPoolExecutor(threads, thread_name_prefix="index") as pool:
        preparing = _Preparing(encoder, MemoryBudget.for_threads(threads), describe)
        work = partial(_embed, preparing=preparing)
        try:
            for outcomes in bounded_map(pool, work, batches, threads * _BATCHES_AHEAD, _batch_bytes):
                yield from outcomes
                embedded += sum(outcome.vector is not None for outcome in outcomes)
        finally:
            store_rate(encoder.name, embedded, time.perf_counter() - start_s)


def _batched(pictures: Iterable[Picture], size: int) -> Iterator[list[Picture]]:
    batch: list[Picture] = []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == size or _batch_bytes(batch) >= _MAX_BATCH_BYTES:
            yield batch
            batch = []  # not cleared: the receiver keeps it
    if batch:
        yield batch


def _batch_bytes(batch: Sequence[Picture]) -> int:
    return sum(picture.held_bytes for picture in batch)


@dataclass(frozen=True)
class _Preparing:
    """How pictures are prepared: for which model, within which memory, and whether records are made."""

    encoder: Encoder
    budget: MemoryBudget
    describe: bool


def _embed(pictures: Sequence[Picture], preparing: _Preparing) -> list[Outcome]:
    return [_without_data(outcome) for outcome in _embed_batch(pictures, preparing)]


def _without_data(outcome: Outcome) -> Outcome:
    """Return the outcome without the file of its picture, which nobody reads any more."""
    if outcome.picture.data is None:
        return outcome
    return replace(outcome, picture=replace(outcome.picture, data=None))


def _embed_batch(pictures: Sequence[Picture], preparing: _Preparing) -> list[Outcome]:
    encoder = preparing.encoder
    batch = encoder.image.new_batch(len(pictures))
    outcomes = [_prepare(picture, preparing, batch) for picture in pictures]
    readable = [index for index, outcome in enumerate(outcomes) if outcome.reason is None]
    if not readable:
        return outcomes
    try:
        rows = encoder.image.embed_batch(batch)
    except PictureError as error:
        if len(pictures) > 1:  # one of them fails the batch: embed each by itself
            return [outcome for picture in pictures for outcome in _embed_batch([picture], preparing)]
        return [replace(outcomes[0], record=None, reason=str(error))]
    for index, row in zip(readable, rows, strict=True):
        outcomes[index] = replace(outcomes[index], vector=row[None])
    return outcomes


def _prepare(picture: Picture, preparing: _Preparing, batch: Batch) -> Outcome:
    """Decode a picture into the batch. Return its outcome without a vector."""
    if picture.problem:
        return Outcome(picture, reason=picture.problem)
    content = _content(picture) if preparing.describe else None
    try:
        return _decode(picture, preparing, batch, content)
    except (MemoryError, ModelError):
        raise
    except Exception as error:  # one odd file must not stop the others, whatever a decoder or a parser raises
        return Outcome(picture, reason=f"it cannot be read: {first_line(error)}", content=content)


def _decode(picture: Picture, preparing: _Preparing, batch: Batch, content: bytes | None) -> Outcome:
    min_side = preparing.encoder.image.picture_side_px
    with preparing.budget.reservation() as reservation:
        try:
            decoded = open_image(
                picture.content, name=picture.member_name, min_side=min_side, reserve=reservation.take
            )
            if not preparing.describe:
                batch.add(decoded.image)
                del decoded  # before the reservation ends
                return Outcome(picture)
            preview = make_preview(decoded.image)
        except PictureError as error:
            return Outcome(picture, reason=str(error), content=content)
        sidecar = read_sidecars(picture.path, picture.sidecars) if picture.data is None else Sidecar()
        metadata = merged_metadata(picture.name, picture.metadata, sidecar.metadata, decoded.metadata)
        record = _record(picture, decoded, preview, metadata)
        batch.add(decoded.image)
        notes = (_TRUNCATED, *sidecar.notes) if decoded.is_truncated else sidecar.notes
        del decoded  # before the reservation ends
    return Outcome(picture, record=record, content=content, notes=notes)


def _content(picture: Picture) -> bytes | None:
    """Return the hash of a picture's bytes; None for a file that is too large to decode."""
    if picture.size_bytes > MAX_FILE_BYTES:
        return None
    return content_hash(picture.content)


def _record(picture: Picture, decoded: DecodedImage, preview: Preview, metadata: ImageMetadata) -> Record:
    return {
        **metadata_columns(metadata),
        **picture.columns,
        **location_columns(picture),
        "width": decoded.width,
        "height": decoded.height,
        "color": preview.color,
        "preview": preview.data,
        "size_bytes": decoded.size_bytes,
        "kind": decoded.kind,
        "is_truncated": decoded.is_truncated or None,
        "duration_s": decoded.duration_s,
    }
