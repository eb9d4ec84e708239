"""What an upgrade of a library to another model costs, before anything is downloaded or embedded."""

import os
import shutil
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from snapseek.library.model_choice import RecordedModel, embedding_rate
from snapseek.library.storage.database import Database
from snapseek.library.storage.disk_space import needed_bytes
from snapseek.library.storage.schema import FILES, FOLDER
from snapseek.models import Encoder
from snapseek.models.catalogue import entry_name, find_entry
from snapseek.models.hub.resolve import download_bytes
from snapseek.models.rates import measured_rate
from snapseek.threads import resolve_threads

_RECORD_BYTES = 1000
_MAX_LOOKED_UP = 50_000
"""Files that are looked up without `measures`: it takes some tenths of a second."""

_DEFAULT_DIM = 512
_DEFAULT_GMACS = 4.4
_SAMPLE_SIDE = 768
_MIN_SAMPLE_S = 0.1
_TOWER_SHARE = 0.4
"""The rate of an index as a share of what matrix products alone would allow: attention, decoding, memory."""


@dataclass(frozen=True)
class UpgradeCost:
    """What an upgrade of a library to a model costs.

    `download_bytes` is None if it is not known. `seconds` is an estimate for embedding the pictures that
    have no vector of the model yet. `disk_bytes` are needed until the switch, with the download.
    """

    model: str
    current: str
    is_current: bool
    pictures: int
    embedded: int
    """How many have a vector of the model from an upgrade that was interrupted."""
    imported: int
    """Imported vectors, which another model cannot replace."""
    download_bytes: int | None
    seconds: float
    disk_bytes: int
    free_bytes: int
    missing: int | None
    """Pictures of folders without a file now, which are embedded from their previews; None: not counted."""


def upgrade_cost(
    path: Path, model: str, model_dir: Path | None = None, *, measures: bool = True
) -> UpgradeCost:
    """Return what an upgrade of the library at `path` costs. Nothing is downloaded.

    A model that is on this machine is loaded and measured for a third of a second. Otherwise, or without
    `measures`, its rate is that of its last index here, or follows from the size of its image tower and the
    speed of matrix products.

    Raises
    ------
    LibraryNotFoundError
        There is no library.
    ModelError
        There is no such model, or it is damaged.
    """
    model = entry_name(model)
    missing = download_bytes(model, model_dir)
    recorded = RecordedModel.read(path)
    with Database.open(path) as database, database.reading():
        settings = database.settings.all()
        imported = sum(shard.rows for shard in database.shards.all() if shard.source is not None)
        unfinished = database.upgrade.model()
        embedded = len(database.upgrade.items()[0]) if unfinished and unfinished[0] == model else 0
    dim = _DEFAULT_DIM
    if missing == 0 and measures:
        encoder = Encoder.load(model, model_dir=model_dir)
        rate = embedding_rate(encoder) * resolve_threads(None)
        dim, is_current = encoder.dim, encoder.space == settings.get("fingerprint")
    else:
        entry = find_entry(model)
        dim = entry.dim if entry else _DEFAULT_DIM
        rate = measured_rate(model) or estimated_rate(entry.image_gmacs if entry else _DEFAULT_GMACS)
        is_current = settings.get("model") == model
    pictures = max(0, (recorded.count if recorded else 0) - imported)
    remaining = max(0, pictures - embedded)
    return UpgradeCost(
        model=model,
        current=settings.get("model", ""),
        is_current=is_current,
        pictures=pictures,
        embedded=min(embedded, pictures),
        imported=imported,
        download_bytes=missing,
        seconds=remaining / rate,
        disk_bytes=needed_bytes(pictures + remaining // 2, dim, _RECORD_BYTES) + (missing or 0),
        free_bytes=shutil.disk_usage(path).free,
        missing=missing_originals(path) if measures or pictures <= _MAX_LOOKED_UP else None,
    )


def estimated_rate(image_gmacs: float) -> float:
    """Estimate how many pictures a second all cores embed, from the speed of matrix products here."""
    return _TOWER_SHARE * _multiplications_a_second() / (image_gmacs * 1e9)


@lru_cache(maxsize=1)
def _multiplications_a_second() -> float:
    one = np.ones((_SAMPLE_SIDE, _SAMPLE_SIDE), np.float32)
    out = one @ one  # the first product starts the threads
    done, start_s = 0, time.perf_counter()
    while (elapsed_s := time.perf_counter() - start_s) < _MIN_SAMPLE_S:
        np.matmul(one, one, out=out)
        done += 1
    return done * _SAMPLE_SIDE**3 / elapsed_s


def missing_originals(path: Path) -> int:
    """Return how many pictures of folders have no file any more; they are embedded from their previews."""
    with Database.open(path) as database, database.reading():
        folders = {source.path for source in database.sources.all() if source.kind in (FOLDER, FILES)}
        return sum(
            row.item is not None and row.folder in folders and not os.path.lexists(row.folder / row.within)
            for row in database.files.all()
        )
