"""Cache of results computed from model files: checksums and probes of text towers.

Entries are in the user's cache folder, so that a model may be on a read-only disk. An entry is valid while
size and modification time of all its files are unchanged. If the folder cannot be written, results are
computed in every process.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snapseek.atomic_file import atomic_file, first_bytes, is_plain_file
from snapseek.user_dirs import cache_dir

_EDITION = 1
_FIRST_BYTES = b'{"edition": '
_SETTLED_NS = 2_000_000_000  # a file younger than this may change without a new modification time
_MAX_BYTES = 1 << 20


def load_probe(topic: str, files: Sequence[Path]) -> dict[str, Any] | None:
    """Return the stored result for these files, None if there is none or a file has changed."""
    try:
        path = _entry_path(topic, files)
        if path.stat().st_size > _MAX_BYTES:
            return None
        entry = json.loads(path.read_text("utf-8"))
        if entry["edition"] == _EDITION and entry["stamps"] == _stamps(files):
            return dict(entry["facts"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # a damaged entry counts as missing
    return None


def store_probe(topic: str, files: Sequence[Path], result: dict[str, Any]) -> None:
    """Store a result for these files, unless one was just modified or the cache cannot be written."""
    with contextlib.suppress(OSError):
        stamps = _stamps(files)
        if any(time.time_ns() - changed_ns < _SETTLED_NS for _, _, changed_ns in stamps):
            return
        path = _entry_path(topic, files)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"edition": _EDITION, "stamps": stamps, "facts": result})
        with atomic_file(path, may_replace=_is_entry, sync=False) as file:
            file.write(content.encode())


def _is_entry(path: Path) -> bool:
    """Return whether `store_probe` wrote the file, by its first bytes."""
    return first_bytes(path, len(_FIRST_BYTES)) == _FIRST_BYTES


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits, cached while the file does not change."""
    if cached := load_probe("sha256", [path]):
        return str(cached["sha256"])
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    store_probe("sha256", [path], {"sha256": digest})
    return digest


def has_verdict(topic: str, content: str) -> bool:
    """Return whether `store_verdict` stored this content, whatever the names of the files are."""
    path = _verdict_path(topic, content)
    return is_plain_file(path) and _is_entry(path)


def store_verdict(topic: str, content: str) -> None:
    """Store that a check of this content was passed, unless the cache cannot be written."""
    with contextlib.suppress(OSError):
        path = _verdict_path(topic, content)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path, may_replace=_is_entry, sync=False) as file:
            file.write(json.dumps({"edition": _EDITION, "passed": topic}).encode())


def _verdict_path(topic: str, content: str) -> Path:
    key = hashlib.sha256(f"{topic}\0{content}".encode()).hexdigest()
    return cache_dir() / "facts" / f"{key[:32]}.json"


def _stamps(files: Sequence[Path]) -> list[list[Any]]:
    stats = [(path, path.stat()) for path in files]
    return [[_name(path), stat.st_size, stat.st_mtime_ns] for path, stat in stats]


def _entry_path(topic: str, files: Sequence[Path]) -> Path:
    key = hashlib.sha256("\0".join([topic, *(_name(path) for path in files)]).encode())
    return cache_dir() / "facts" / f"{key.hexdigest()[:32]}.json"


def _name(path: Path) -> str:
    # A file name need not be valid UTF-8, so other bytes are escaped.
    return os.fsencode(path.resolve()).decode("ascii", "backslashreplace")
