"""What was found out about files, kept between runs: hashes of big graphs, answers to probes.

Facts lie in the user's cache folder, never beside the model, so that a model on a read-only disk works. They
are believed only while size and time of change of every file stay the same; where the folder cannot be
written, everything is found out anew each time.
"""

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snapseek.atomic_file import atomic_file, first_bytes

_EDITION = 1
_BEGINNING = b'{"edition": '
_SETTLED_NS = 2_000_000_000  # a file younger than this may change again without a new time of change
_MAX_BYTES = 1 << 20


def cache_folder() -> Path:
    """Return the user's own folder for what can be made again: `SNAPSEEK_CACHE`, or the system's."""
    if chosen := os.environ.get("SNAPSEEK_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        return (
            Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "snapseek" / "cache"
        )
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "snapseek"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snapseek"


def load_probe(topic: str, files: Sequence[Path]) -> dict[str, Any] | None:
    """Return what `remember` kept about these files, or None when it kept nothing or one of them changed."""
    try:
        place = _place(topic, files)
        if place.stat().st_size > _MAX_BYTES:
            return None
        kept = json.loads(place.read_text("utf-8"))
        if kept["edition"] == _EDITION and kept["stamps"] == _stamps(files):
            return dict(kept["facts"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # nothing kept, or nothing that can be read: the same to who asks
    return None


def store_probe(topic: str, files: Sequence[Path], facts: dict[str, Any]) -> None:
    """Keep facts about these files, unless one has only just been written or the folder refuses."""
    with contextlib.suppress(OSError):
        stamps = _stamps(files)
        if any(time.time_ns() - changed_ns < _SETTLED_NS for _, _, changed_ns in stamps):
            return
        place = _place(topic, files)
        place.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"edition": _EDITION, "stamps": stamps, "facts": facts})
        with atomic_file(place, may_replace=_is_ours, sync=False) as file:
            file.write(content.encode())


def _is_ours(place: Path) -> bool:
    """Return whether `remember` wrote the file: it begins as all of them do."""
    return first_bytes(place, len(_BEGINNING)) == _BEGINNING


def sha256_of(path: Path) -> str:
    """64 hex digits of the file's content, computed once as long as the file does not change."""
    if kept := load_probe("sha256", [path]):
        return str(kept["sha256"])
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    store_probe("sha256", [path], {"sha256": digest})
    return digest


def _stamps(files: Sequence[Path]) -> list[list[Any]]:
    stats = [(path, path.stat()) for path in files]
    return [[_name(path), stat.st_size, stat.st_mtime_ns] for path, stat in stats]


def _place(topic: str, files: Sequence[Path]) -> Path:
    key = hashlib.sha256("\0".join([topic, *(_name(path) for path in files)]).encode())
    return cache_folder() / "facts" / f"{key.hexdigest()[:32]}.json"


def _name(path: Path) -> str:
    # Names need not be text; ASCII with escapes always is.
    return os.fsencode(path.resolve()).decode("ascii", "backslashreplace")
