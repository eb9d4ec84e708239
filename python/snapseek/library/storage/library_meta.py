"""What a library says of itself, and whether two models may share it."""

import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

from snapseek.errors import ModelMismatchError
from snapseek.library.storage.database import Database
from snapseek.library.storage.shard import Queries
from snapseek.models import Encoder
from snapseek.models.queries.sample_queries import sample_queries
from snapseek.vectors.index import FLAT_ROWS


def library_meta(directory: Path, encoder: Encoder, next_id: int) -> dict[str, str]:
    """The settings of a library at `directory` that is written now by that model."""
    return {
        "name": directory.resolve().name.removesuffix(".snapseek") or directory.resolve().parent.name,
        "model": encoder.name,
        "fingerprint": encoder.space,
        "dim": str(encoder.dim),
        "created": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds"),
        "next_id": str(next_id),
    } | fresh_version()


def fresh_version() -> dict[str, str]:
    """The setting that tells one state of a library from all others."""
    return {"version": secrets.token_hex(4)}


def queries_of(encoder: Encoder, rows: int, given: Queries | None) -> Queries | None:
    """What an index of so many rows is built for: the queries given, or texts that the model knows."""
    return sample_queries(encoder) if given is None and rows >= FLAT_ROWS else given


def check_sharing(catalogue: Database, source: Path | None, encoder: Encoder) -> None:
    """Let `source` (None: pictures) be replaced by vectors of `encoder` only if all others are of it too.

    Raises ModelMismatchError.
    """
    settings = catalogue.settings()
    stays = any(shard.rows and shard.source != source for shard in catalogue.shards())
    if stays and settings["fingerprint"] != encoder.space:
        raise ModelMismatchError(
            f"this library holds vectors of '{settings['model']}' from another source, and vectors of "
            f"'{encoder.name}' cannot be compared with them: use that model, or another library"
        )
