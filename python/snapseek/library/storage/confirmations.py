"""What the user has confirmed for a library, in files of the user's own configuration.

A library may come from a stranger, so nothing inside it says which folders of this machine it may show. A
folder counts as confirmed when this user names it in a command or a call that writes the library. The file of
a library in `config_dir()/libraries` has the name of its random id.
"""

import contextlib
import json
import os
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapseek.atomic_file import atomic_file, first_bytes
from snapseek.library.storage.database import Database
from snapseek.user_dirs import config_dir

ID_SETTING = "id"
"""The setting that holds the id of a library. Libraries of earlier versions get it with the next write."""

_FIRST_BYTES = b'{"snapseek": 1, '
_MAX_BYTES = 16 << 20
_ID_BYTES = 16
_lock = threading.Lock()


@dataclass(frozen=True)
class Confirmed:
    """What a library may read: folders and files, urls, and models by name or folder."""

    roots: tuple[Path, ...] = ()
    urls: bool = False
    models: tuple[str, ...] = ()

    def with_more(self, other: "Confirmed") -> "Confirmed":
        """Return both together, without roots inside other roots."""
        named = list(dict.fromkeys((*self.roots, *other.roots)))
        known = set(named)
        roots = [root for root in named if known.isdisjoint(root.parents)]
        return Confirmed(
            tuple(roots), self.urls or other.urls, tuple(dict.fromkeys((*self.models, *other.models)))
        )


NOTHING = Confirmed()


def load_confirmed(library_id: str | None) -> Confirmed:
    """Return what was confirmed for the library of that id; nothing if the file is missing or damaged."""
    if library_id is None:
        return NOTHING
    path = confirmed_path(library_id)
    try:
        if path.stat().st_size > _MAX_BYTES:
            return NOTHING
        entry: dict[str, Any] = json.loads(path.read_bytes())
        return Confirmed(
            tuple(Path(root) for root in _texts(entry["roots"]) if os.path.isabs(root)),  # noqa: PTH117
            entry["urls"] is True,
            tuple(_texts(entry["models"])),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return NOTHING


def confirm(database: Database, more: Confirmed) -> None:
    """Record that the user named these for the library, which is open for writing.

    A configuration that cannot be written is no error: the library asks for confirmation again later.
    """
    library_id = _ensure_id(database)
    with _lock, contextlib.suppress(OSError):
        before = load_confirmed(library_id)
        after = before.with_more(more)
        if after == before:
            return
        path = confirmed_path(library_id)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fields = {"roots": list(map(os.fspath, after.roots)), "urls": after.urls, "models": after.models}
        with atomic_file(path, may_replace=_is_ours, sync=False) as file:
            file.write(_FIRST_BYTES + json.dumps(fields)[1:].encode())


def confirmed_path(library_id: str) -> Path:
    """Return the path of the file of a library, which need not exist."""
    return config_dir() / "libraries" / f"{library_id}.json"


def _ensure_id(database: Database) -> str:
    """Return the id of the library; make one if it has none."""
    found = database.settings.all().get(ID_SETTING)
    if found is None:
        found = secrets.token_hex(_ID_BYTES)
        with database.transaction():
            database.settings.update({ID_SETTING: found})
    return found


def _is_ours(path: Path) -> bool:
    return first_bytes(path, len(_FIRST_BYTES)) == _FIRST_BYTES


def _texts(values: Iterable[object]) -> list[str]:
    return [value for value in values if isinstance(value, str)]
