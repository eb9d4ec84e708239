"""Which model embeds the pictures of a library: its own; for a new library the one that the user prefers."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from snapseek.errors import LibraryNotFoundError, ModelMismatchError
from snapseek.library.encoders import load_recorded
from snapseek.library.storage.confirmations import ID_SETTING
from snapseek.library.storage.database import Database
from snapseek.library.storage.trust import Trust
from snapseek.models import Encoder
from snapseek.models.hub.resolve import default_model

_SAMPLE_BATCH = 4
_MIN_SAMPLE_S = 0.3


@dataclass(frozen=True)
class RecordedModel:
    """The model that embedded the pictures of a library, and how many there are."""

    path: Path
    name: str
    fingerprint: str
    count: int
    trust: Trust

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read it from the library at `path`; None without a library, or if it has no picture."""
        try:
            database = Database.open(path)
        except LibraryNotFoundError:
            return None
        try:
            with database.reading():
                settings = database.settings.all()
                count = sum(shard.rows for shard in database.shards.all())
                count -= sum(map(len, database.shards.tombstones().values()))
        finally:
            database.close()
        if "fingerprint" not in settings or not count:
            return None
        trust = Trust(path, settings.get(ID_SETTING))
        return cls(path, settings["model"], settings["fingerprint"], count, trust)

    def load(self) -> Encoder:
        """Return the model.

        Raises ModelError if it is not on this machine, and ModelMismatchError if it has changed.
        """
        encoder = load_recorded(self.name, self.trust)
        if encoder.space != self.fingerprint:
            raise ModelMismatchError(
                expected=f"'{self.name}' ({self.fingerprint[:12]}), which made the library {self.path}",
                got=f"another model of that name ({encoder.space[:12]})",
                hint=f"restore it, or name a model to embed all pictures again: --model {self.name}",
            )
        return encoder


def encoder_for(path: Path, model_dir: Path | None = None) -> Encoder:
    """Return the model for pictures that are added to the library at `path`, which need not exist.

    It is the model of the library. A new library gets `default_model()`.

    Raises
    ------
    FormatError
        The library is damaged.
    ModelError, ModelMismatchError
        Its model is not on this machine, or has changed.
    """
    recorded = RecordedModel.read(path)
    return recorded.load() if recorded else Encoder.load(default_model(model_dir), model_dir=model_dir)


def embedding_rate(encoder: Encoder) -> float:
    """Measure how many pictures a second the image tower embeds, for a third of a second."""
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    batch = [Image.fromarray(noise)] * _SAMPLE_BATCH
    encoder.embed_images(batch)  # the first run prepares the session
    done, start_s = 0, time.perf_counter()
    while (elapsed_s := time.perf_counter() - start_s) < _MIN_SAMPLE_S:
        encoder.embed_images(batch)
        done += _SAMPLE_BATCH
    return done / elapsed_s
