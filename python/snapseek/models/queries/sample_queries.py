"""Sample query vectors, which train a query-aware vector index."""

import contextlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snapseek.atomic_file import atomic_file, first_bytes
from snapseek.errors import OutOfRangeError
from snapseek.models.encoder import Encoder
from snapseek.models.queries.query_corpus import generate_queries
from snapseek.user_dirs import cache_dir

SAMPLE_SIZE = 4096
_MAGIC = b"\x93NUMPY"
_EDITION = 1  # incremented when the generated queries change
_OVERSAMPLE = 2  # replaces texts that a model with a small vocabulary rejects


def sample_queries(encoder: Encoder, n: int = SAMPLE_SIZE, seed: int = 0) -> NDArray[np.float32]:
    """Embed synthetic queries. The result is cached on disk by the model's fingerprint.

    Parameters
    ----------
    encoder
        The model.
    n
        Number of queries.
    seed
        Seed of the random generator.

    Returns
    -------
    NDArray[np.float32]
        Unit rows, shape (n, dim); fewer rows for a model that knows few of the words.

    Raises
    ------
    OutOfRangeError
        If `n` is below 1.
    """
    if n < 1:
        raise OutOfRangeError(expected="a sample of at least 1 query", got=str(n))
    path = cache_dir() / "samples" / f"{encoder.fingerprint[:32]}-{n}-{seed}-{_EDITION}.npy"
    rows = _load(path, n, encoder.dim)
    if rows is None:
        rows = _embed(encoder, n, seed)
        _store(path, rows)
    return rows


def _embed(encoder: Encoder, n: int, seed: int) -> NDArray[np.float32]:
    texts = generate_queries(_OVERSAMPLE * n, seed)
    known = [text for text, knows in zip(texts, encoder.text.knows(texts), strict=True) if knows]
    return encoder.text.embed_ids(encoder.text.token_ids(known[:n]))


def _load(path: Path, n: int, dim: int) -> NDArray[np.float32] | None:
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    is_valid = rows.dtype == np.float32 and rows.ndim == 2 and rows.shape[1] == dim and len(rows) <= n
    return np.asarray(rows, np.float32) if is_valid and np.isfinite(rows).all() else None


def _store(path: Path, rows: NDArray[np.float32]) -> None:
    """Write the file. If the cache cannot be written, the next call embeds the queries again."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path, may_replace=_is_array, sync=False) as file:
            np.save(file, rows)


def _is_array(path: Path) -> bool:
    return first_bytes(path, len(_MAGIC)) == _MAGIC
