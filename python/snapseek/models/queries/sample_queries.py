"""What people will ask, as vectors: a sample for an index that is trained for its queries."""

import contextlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snapseek.atomic_file import atomic_file, first_bytes
from snapseek.errors import InputError
from snapseek.models.encoder import Encoder
from snapseek.models.hub.probe_cache import cache_folder
from snapseek.models.queries.query_corpus import generate_queries

SAMPLE_SIZE = 4096
_MAGIC = b"\x93NUMPY"
_EDITION = 1  # counts up when the shipped texts change
_SPARE = 2  # a model that knows few words refuses some texts; others stand in


def sample_queries(encoder: Encoder, n: int = SAMPLE_SIZE, seed: int = 0) -> NDArray[np.float32]:
    """Return (n, dim) float32 unit rows: what the model's text tower says of `n` shipped texts.

    The same for the same model, `n` and `seed`; kept in the user's cache, by the model's fingerprint. A model
    that knows no word of some texts gets others; one that knows almost none gives fewer rows. Raises
    InputError for an `n` below 1.
    """
    if n < 1:
        raise InputError(expected="a sample of at least 1 query", got=str(n))
    place = cache_folder() / "samples" / f"{encoder.fingerprint[:32]}-{n}-{seed}-{_EDITION}.npy"
    kept = _kept(place, n, encoder.dim)
    if kept is None:
        kept = _asked(encoder, n, seed)
        _keep(place, kept)
    return kept


def _asked(encoder: Encoder, n: int, seed: int) -> NDArray[np.float32]:
    texts = generate_queries(_SPARE * n, seed)
    known = [text for text, knows in zip(texts, encoder.text.knows(texts), strict=True) if knows]
    return encoder.text.embed_ids(encoder.text.token_ids(known[:n]))


def _kept(place: Path, n: int, dim: int) -> NDArray[np.float32] | None:
    try:
        rows = np.load(place, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    sound = rows.dtype == np.float32 and rows.ndim == 2 and rows.shape[1] == dim and len(rows) <= n
    return np.asarray(rows, np.float32) if sound and np.isfinite(rows).all() else None


def _keep(place: Path, rows: NDArray[np.float32]) -> None:
    """Write the file unless the folder refuses; then the sample is made anew next time."""
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(place, may_replace=_is_array, sync=False) as file:
            np.save(file, rows)


def _is_array(place: Path) -> bool:
    return first_bytes(place, len(_MAGIC)) == _MAGIC
