"""How many pictures a second each model embeds here: measured while indexing, kept in the cache."""

import contextlib
import json
import math
from pathlib import Path

from snapseek.atomic_file import atomic_file, first_bytes
from snapseek.user_dirs import cache_dir

_FIRST_BYTES = b'{"edition": 1, "pictures_a_second": '
_MAX_BYTES = 1 << 16
_MAX_MODELS = 64
MIN_PICTURES = 64
"""Fewer pictures say little: the first ones wait for the model."""


def store_rate(model: str, pictures: int, seconds: float) -> None:
    """Store the rate of an index with that model, unless it was short or the cache cannot be written."""
    if pictures < MIN_PICTURES or seconds <= 0:
        return
    rates = _read()
    rates.pop(model, None)
    rates = dict(list(rates.items())[1 - _MAX_MODELS :]) | {model: round(pictures / seconds, 2)}
    with contextlib.suppress(OSError):
        _path().parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(_path(), may_replace=_is_ours, sync=False) as file:
            file.write(json.dumps({"edition": 1, "pictures_a_second": rates}).encode())


def measured_rate(model: str) -> float | None:
    """Return how many pictures a second the last index with that model embedded here; None without one."""
    return _read().get(model)


def _read() -> dict[str, float]:
    """Return the stored rates; none of a missing or damaged file."""
    try:
        if _path().stat().st_size > _MAX_BYTES:
            return {}
        stored = json.loads(_path().read_bytes())["pictures_a_second"].items()
        return {str(model): float(rate) for model, rate in stored if 0 < float(rate) < math.inf}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _path() -> Path:
    return cache_dir() / "rates.json"


def _is_ours(path: Path) -> bool:
    return first_bytes(path, len(_FIRST_BYTES)) == _FIRST_BYTES
