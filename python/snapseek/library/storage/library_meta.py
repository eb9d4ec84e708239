"""The settings of a library, and the rule that all its vectors come from one model."""

import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

from snapseek.errors import ModelMismatchError
from snapseek.library.storage.database import Database
from snapseek.library.storage.shard_draft import Queries
from snapseek.models import Encoder
from snapseek.models.queries.sample_queries import sample_queries
from snapseek.vectors.index import FLAT_ROWS


def library_meta(directory: Path, encoder: Encoder, next_id: int) -> dict[str, str]:
    """Return the settings of a library at `directory` that is written now with a model."""
    return {
        "name": directory.resolve().name.removesuffix(".snapseek") or directory.resolve().parent.name,
        "model": encoder.name,
        "fingerprint": encoder.space,
        "dim": str(encoder.dim),
        "created": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds"),
        "next_id": str(next_id),
    } | fresh_version()


def fresh_version() -> dict[str, str]:
    """Return a new random version; every commit that changes an answer sets one."""
    return {"version": secrets.token_hex(4)}


def queries_of(encoder: Encoder, rows: int, queries: Queries | None) -> Queries | None:
    """Return the queries to train an index for: `queries`, or for many rows sample queries of the model."""
    return sample_queries(encoder) if queries is None and rows >= FLAT_ROWS else queries


def check_sharing(database: Database, source: Path | None, encoder: Encoder) -> None:
    """Raise ModelMismatchError if vectors of `encoder` for `source` (None: pictures) would mix two models."""
    settings = database.settings.all()
    stays = any(shard.rows and shard.source != source for shard in database.shards.all())
    if stays and settings["fingerprint"] != encoder.space:
        raise mixed_models(settings["model"], encoder)


def mixed_models(model: str, encoder: Encoder) -> ModelMismatchError:
    """Return the error for adding vectors of `encoder` to a library of another `model`."""
    return ModelMismatchError(
        f"this library holds vectors of '{model}' from another source, and vectors of "
        f"'{encoder.name}' cannot be compared with them",
        hint="use that model, or another library",
    )
