"""The libraries that this user has opened, most recent first, in a file of the user's data directory."""

import contextlib
import json
import os
from pathlib import Path

from snapseek.absolute_path import absolute_path
from snapseek.atomic_file import atomic_file, first_bytes
from snapseek.library.storage.schema import FILE_NAME
from snapseek.user_dirs import config_dir

_FILE = "recent.json"
_FIRST_BYTES = b'{"snapseek_recent": '
_MAX_BYTES = 1 << 20
MAX_LIBRARIES = 50
"""Beyond it, the library that was opened longest ago is forgotten."""


def recent_libraries() -> list[Path]:
    """Return the absolute paths of the libraries that were opened here and still exist, most recent first."""
    return list(filter(_is_there, _read()))


def remember_library(path: Path) -> None:
    """Put a library first. A file that cannot be written, or that is not ours, stays as it is."""
    opened = absolute_path(path)
    paths = [opened, *(other for other in _read() if other != opened)][:MAX_LIBRARIES]
    file_path = config_dir() / _FILE
    with contextlib.suppress(OSError, UnicodeEncodeError):
        file_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with atomic_file(file_path, may_replace=_is_ours, sync=False) as file:
            file.write(_FIRST_BYTES + json.dumps(list(map(os.fspath, paths))).encode() + b"}\n")


def _read() -> list[Path]:
    """Return the paths in the file; none if it is missing, damaged or not ours."""
    path = config_dir() / _FILE
    try:
        if path.stat().st_size > _MAX_BYTES or not _is_ours(path):
            return []
        entries = json.loads(path.read_bytes())["snapseek_recent"]
        paths = [Path(entry) for entry in entries if isinstance(entry, str) and "\0" not in entry]
        return [path for path in paths if path.is_absolute()]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def _is_there(library: Path) -> bool:
    """Return whether a library can be found: one on a disk that does not answer hides no other."""
    try:
        return (library / FILE_NAME).is_file()
    except OSError:
        return False


def _is_ours(path: Path) -> bool:
    return first_bytes(path, len(_FIRST_BYTES)) == _FIRST_BYTES
