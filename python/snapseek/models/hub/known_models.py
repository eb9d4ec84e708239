"""Models that are known on this machine: students that were made here, and models that were loaded here.

A library may contain a student, and may name the folder of a model. Both may come from a stranger, and
loading a graph runs it. So a student is loaded only if its files have the hash of one that `distil` wrote
here, and a folder only if its graphs were loaded here before, or the user names it.
"""

import contextlib
import hashlib
import os
import stat
from pathlib import Path

from snapseek.atomic_file import atomic_file
from snapseek.errors import ModelError
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.hub.probe_cache import load_probe
from snapseek.user_dirs import config_dir

_MAX_FILES = 64
_MAX_BYTES = 4 << 30


def remember_student(folder: Path) -> None:
    """Record that the model in a folder was made here. A configuration that cannot be written is no error."""
    digest = _digest(folder)
    if digest is None:
        return
    path = _entry(digest)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with atomic_file(path, sync=False) as file:
            file.write(os.fsencode(folder.absolute()) + b"\n")


def is_known_student(folder: Path) -> bool:
    """Return whether exactly these files were made here. Nothing of them is run."""
    digest = _digest(folder)
    return digest is not None and _entry(digest).is_file()


def was_loaded_here(folder: Path) -> bool:
    """Return whether graphs and tokenizer of a folder were loaded here before, unchanged since."""
    try:
        graphs = [path for path in sorted(folder.rglob("*.onnx"))[:_MAX_FILES] if _is_known(path)]
        if not graphs:  # nothing of the folder is read
            return False
        files = ModelFiles.in_folder(str(folder), folder)
        needed = [files.text_graph, files.tokenizer]
        needed += [files.image_graph] if files.teacher is None and files.image_is_here else []
        return all(map(_is_known, needed))
    except (OSError, ModelError):
        return False


def _is_known(path: Path) -> bool:
    return load_probe("sha256", [path]) is not None


def _entry(digest: str) -> Path:
    return config_dir() / "students" / digest


def _digest(folder: Path) -> str | None:
    """Return the SHA-256 of names and contents of all files of a folder; None if it has links or too much."""
    digest = hashlib.sha256()
    size_bytes = 0
    try:
        paths = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
        if folder.is_symlink() or not 0 < len(paths) <= _MAX_FILES:
            return None
        for path in paths:
            status = path.lstat()
            size_bytes += status.st_size
            if not stat.S_ISREG(status.st_mode) or size_bytes > _MAX_BYTES:
                return None
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").digest()
            digest.update(os.fsencode(path.relative_to(folder).as_posix()) + b"\0" + content)
    except OSError:
        return None
    return digest.hexdigest()
