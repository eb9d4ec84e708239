"""When a library was last synchronized with all its sources, and which of their pictures were not found."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from snapseek.library.storage.checked_values import MAX_SETTING_CHARACTERS
from snapseek.library.storage.database import Database

_SETTING = "last_sync"
_MAX_MISSING = 100
_MAX_TIME_CHARACTERS = 40


@dataclass(frozen=True)
class LastSync:
    """The end of the last sync that was not stopped.

    `ended` is ISO 8601 in UTC. `missing` are sources that are gone or empty, and folders of a source that are
    empty: their pictures are kept until somebody confirms that they are gone.
    """

    ended: str
    missing: tuple[Path, ...] = ()

    @classmethod
    def read(cls, database: Database) -> Self | None:
        """Read it; None if there was none, or if the entry is of another form."""
        try:
            entry = json.loads(database.settings.all().get(_SETTING, "null"))
            ended = datetime.fromisoformat(entry["ended"][:_MAX_TIME_CHARACTERS]).isoformat(
                timespec="seconds"
            )
            paths = [Path(path) for path in entry["missing"][:_MAX_MISSING] if "\0" not in path]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return cls(ended, tuple(path for path in paths if path.is_absolute() and ".." not in path.parts))


def record_sync(database: Database, missing: Sequence[Path], synced: Sequence[Path] | None) -> None:
    """Store that a sync has ended now. More paths than fit are left out.

    `synced` are the sources that were synchronized, None for all: what is missing elsewhere is still missing.
    """
    before = LastSync.read(database) if synced is not None else None
    others = [path for path in before.missing if not _is_below(path, synced or ())] if before else []
    texts = [os.fspath(path) for path in dict.fromkeys([*missing, *others])][:_MAX_MISSING]
    ended = datetime.now(UTC).isoformat(timespec="seconds")
    while len(value := json.dumps({"ended": ended, "missing": texts})) > MAX_SETTING_CHARACTERS:
        texts.pop()
    with database.transaction():
        database.settings.update({_SETTING: value})


def _is_below(path: Path, sources: Sequence[Path]) -> bool:
    return any(path.is_relative_to(source) for source in sources)
