"""The teacher's vectors of the training texts."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from snapseek.cancellation import check_cancelled
from snapseek.errors import InputError
from snapseek.models import Encoder
from snapseek.threads import available_cores

Floats = NDArray[np.float32]
LARGEST_TABLE = 65_536  # in tokens; of a larger vocabulary, only tokens in the texts are embedded alone
_CHUNK = 64
"""Texts that one thread embeds between two reports of progress."""

Count = Callable[[int, int], object]
"""Called with the work that is done, and all work."""


@dataclass(frozen=True)
class Answers:
    """Vectors of the teacher: `wanted` (n, dim) of `ids`, and `alone` (tokens, dim) of single tokens.

    `alone` has no rows if single tokens were not embedded.
    """

    ids: list[list[int]]
    wanted: Floats
    alone: Floats


def embed_with_teacher(
    encoder: Encoder, texts: Sequence[str], *, alone: bool = True, count: Count = lambda done, total: None
) -> Answers:
    """Embed texts with the teacher and, if `alone`, also each token between special tokens.

    Texts without a vector are left out. A token without a vector has a row of zeros. Raises
    OperationCancelledError if the work is cancelled.
    """
    ids = encoder.text.token_ids(texts)
    rows = _embed_tokens(encoder, ids) if alone else np.zeros((0, encoder.dim), np.float32)
    chunks = [ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK)]
    wanted = np.zeros((len(ids), encoder.dim), np.float32)
    with _cancelling(ThreadPoolExecutor(available_cores())) as pool:
        for number, vectors in enumerate(pool.map(partial(_embed_or_zero, encoder), chunks)):
            check_cancelled()
            start = number * _CHUNK
            wanted[start : start + len(vectors)] = vectors
            count(start + len(vectors), len(ids))
    is_known = np.abs(wanted).sum(axis=1) > 0
    return Answers([row for row, known in zip(ids, is_known, strict=True) if known], wanted[is_known], rows)


@contextmanager
def _cancelling(pool: ThreadPoolExecutor) -> Iterator[ThreadPoolExecutor]:
    """Yield the pool; after an error, what has not started is dropped."""
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _embed_tokens(encoder: Encoder, ids: Sequence[Sequence[int]]) -> Floats:
    before, after = encoder.text.tokenizer.special_ids("dog")
    tokens = range(encoder.text.tokenizer.size)
    if len(tokens) > LARGEST_TABLE:
        embedded = np.unique(np.concatenate([np.array(row) for row in ids]))
    else:
        embedded = np.arange(len(tokens))
    rows = np.zeros((len(tokens), encoder.dim), np.float32)
    rows[embedded] = _embed_or_zero(encoder, [[*before, int(token), *after] for token in embedded])
    return rows


def _embed_or_zero(encoder: Encoder, rows: Sequence[Sequence[int]]) -> Floats:
    """Return vectors (n, dim), zeros for token ids without a vector."""
    try:
        return encoder.text.embed_ids(rows)
    except InputError:
        if len(rows) == 1:
            return np.zeros((1, encoder.dim), np.float32)
    half = len(rows) // 2
    return np.concatenate([_embed_or_zero(encoder, rows[:half]), _embed_or_zero(encoder, rows[half:])])
