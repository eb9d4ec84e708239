"""What the user has confirmed for a library, in files of the user's own configuration.

A library may come from a stranger, so nothing inside it says which folders of this machine it may show. A
folder counts as confirmed when this user names it in a command or a call that writes the library. The file of
a library in `config_dir()/libraries` has the name of its random id. It also has the path of the library: a
copy with the same id, which a stranger may have changed, is another library as long as the first one exists.
"""

import json
import logging
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapseek.atomic_file import atomic_file, first_bytes
from snapseek.library.storage.database import Database
from snapseek.library.storage.schema import FILE_NAME
from snapseek.user_dirs import config_dir

ID_SETTING = "id"
"""The setting that holds the id of a library. Libraries of earlier versions get it with the next write."""

_FIRST_BYTES = b'{"snapseek": 1, '
MAX_BYTES = 16 << 20
"""Bounds the file of a library."""

_ID_BYTES = 16
_lock = threading.Lock()
_log = logging.getLogger("snapseek.library")


@dataclass(frozen=True)
class Confirmed:
    """What a library may read.

    Attributes
    ----------
    roots
        Files, and folders with all that is below them.
    urls
        Whether pictures on other machines may be fetched.
    models
        Models by name or folder.
    folders
        Folders with pictures that a list names: the files in them, but no folder below them.
    """

    roots: tuple[Path, ...] = ()
    urls: bool = False
    models: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()

    def with_more(self, other: "Confirmed") -> "Confirmed":
        """Return both together, without roots inside other roots."""
        named = list(dict.fromkeys((*self.roots, *other.roots)))
        known = set(named)
        roots = [root for root in named if known.isdisjoint(root.parents)]
        folders = dict.fromkeys((*self.folders, *other.folders))
        return Confirmed(
            tuple(roots),
            self.urls or other.urls,
            tuple(dict.fromkeys((*self.models, *other.models))),
            tuple(folder for folder in folders if known.isdisjoint((folder, *folder.parents))),
        )


NOTHING = Confirmed()


def load_confirmed(library: Path, library_id: str | None) -> Confirmed:
    """Return what was confirmed for a library; nothing if the file is missing, damaged or of another one."""
    return (_read(library, library_id) if library_id is not None else None) or NOTHING


def _read(library: Path, library_id: str) -> Confirmed | None:
    """Return what was confirmed. None if the id belongs to another library, which this one is a copy of."""
    path = confirmed_path(library_id)
    try:
        if path.stat().st_size > MAX_BYTES:
            return NOTHING
        entry: dict[str, Any] = json.loads(path.read_bytes())
        if _is_copy(library, Path(entry["library"])):
            return None
        roots, folders = _paths(entry["roots"]), _paths(entry.get("folders", []))
        move = _move_of(Path(entry["library"]), Path(os.path.realpath(library)), roots)
        return Confirmed(
            _with_moved(roots, move),
            entry["urls"] is True,
            tuple(_texts(entry["models"])),
            _with_moved(folders, move),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return NOTHING


def _move_of(was: Path, now: Path, roots: Iterable[Path]) -> tuple[Path, Path] | None:
    """Return the confirmed folder that was moved with the library inside it, and where it is now."""
    for root in sorted(map(_real, roots), key=lambda path: len(path.parts)):
        inside = was.relative_to(root).parts if was.is_relative_to(root) else ()
        if was != now and inside and now.parts[-len(inside) :] == inside:
            return root, Path(*now.parts[: -len(inside)])
    return None


def _with_moved(paths: tuple[Path, ...], move: tuple[Path, Path] | None) -> tuple[Path, ...]:
    """Return the paths, and where those are now that were in a folder that was moved."""
    if move is None:
        return paths
    old, new = move
    moved = (new / _real(path).relative_to(old) for path in paths if _real(path).is_relative_to(old))
    return (*paths, *moved)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _is_copy(library: Path, first: Path) -> bool:
    """Return whether a library is not the one at the path `first`, and that one is still there."""
    if os.path.realpath(library) == os.path.realpath(first):
        return False
    try:
        return not (first / FILE_NAME).samefile(library / FILE_NAME)
    except OSError:  # it was moved or deleted
        return False


def confirm(database: Database, library: Path, more: Confirmed) -> None:
    """Record that the user named these for the library at a path, which is open for writing.

    A disk that refuses is no error, but a warning: later runs need --allow-root. The command may have
    committed its work already.
    """
    try:
        _record(library, _ensure_id(database, library), more)
    except (OSError, sqlite3.OperationalError) as error:
        _log.warning(
            "cannot record in %s which folders you named (%s): pass them as --allow-root to serve and sync",
            config_dir(),
            error,
        )


def _record(library: Path, library_id: str, more: Confirmed) -> None:
    with _lock:
        before = load_confirmed(library, library_id)
        after = before.with_more(more)
        if after == before:
            return
        path = confirmed_path(library_id)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fields = {
            "library": os.path.realpath(library),
            "roots": list(map(os.fspath, after.roots)),
            "urls": after.urls,
            "models": after.models,
            "folders": list(map(os.fspath, after.folders)),
        }
        if len(json.dumps(fields)) > MAX_BYTES // 2:
            _log.warning(
                "the list names pictures in too many folders: pass --allow-root FOLDER to serve them"
            )
            fields["folders"] = []
        with atomic_file(path, may_replace=_is_ours, sync=False) as file:
            file.write(_FIRST_BYTES + json.dumps(fields)[1:].encode())


def confirmed_path(library_id: str) -> Path:
    """Return the path of the file of a library, which need not exist."""
    return config_dir() / "libraries" / f"{library_id}.json"


def _ensure_id(database: Database, library: Path) -> str:
    """Return the id of the library; make one if it has none, or that of the library it is a copy of."""
    found = database.settings.all().get(ID_SETTING)
    if found is None or _read(library, found) is None:
        found = secrets.token_hex(_ID_BYTES)
        with database.transaction():
            database.settings.update({ID_SETTING: found})
    return found


def _is_ours(path: Path) -> bool:
    return first_bytes(path, len(_FIRST_BYTES)) == _FIRST_BYTES


def _paths(values: Iterable[object]) -> tuple[Path, ...]:
    return tuple(Path(text) for text in _texts(values) if os.path.isabs(text))  # noqa: PTH117


def _texts(values: Iterable[object]) -> list[str]:
    return [value for value in values if isinstance(value, str)]
