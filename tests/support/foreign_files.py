"""Foreign files in the folders that a library writes: created, recorded byte by byte, compared later."""

import os
import secrets
import shutil
import stat
from pathlib import Path

from snapseek.library.storage import owned_files

STEM, OTHER = "0123456789abcdef", "fedcba9876543210"
SHARD_NAMES = [
    "notes.txt",
    "model-00001.safetensors",
    f"{STEM}.snap",
    f"{STEM}.arrow",
    f"{STEM}.arrow.tmp",
    f"{STEM}.f16.tmp",
    f"{STEM}.snap.12-0.tmp",
    f"{STEM}.3.facet",
    f".{STEM}.3.facet.{OTHER}.tmp",
]
"""Names next to shards, most of them of exactly our pattern."""
LIVING = [".7.facet", ".arrow.tmp", ".snap.12-0.tmp"]
"""What a name of a shard that exists may end in."""
LIBRARY_NAMES = [
    "notes.txt",
    "library.db.ab12cd34.tmp",
    "library.db.ab12cd34.tmp-wal",
    "library.db-shm",
    "library.db-wal",
    "library.db-journal",
    "library.db.bak",
    "previews.db",
    "previews.db-shm",
    "previews.db-journal",
    "writer.lock",
    "student",
    "student.tmp",
    "library.db",
    "shards",
]
CONTENTS = [b"", b"mine"]
CONTENTS += [b"ARROW1\0\0 mine", b"\x89SNAP\r\n\x1a mine", b"SNAPFACE mine", b"SQLite format 3\0" * 9]
KINDS = ["file", "folder", "hard link", "link", "link to a folder", "dangling link"]


class ForeignFiles:
    """The recorded state of all foreign files."""

    def __init__(self, home: Path) -> None:
        """`home` is a folder of the user's, outside of the library, that links lead to."""
        self.home = home
        self._known: dict[Path, tuple[object, ...]] = {}
        home.mkdir(parents=True)

    def put(self, path: Path, kind: str, content: bytes) -> None:
        """Create something at `path` and record it, if the path is free and its parent is a folder."""
        if os.path.lexists(path) or not path.parent.is_dir():
            return
        target = self.home / secrets.token_hex(6)
        if kind == "file":
            path.write_bytes(content)
        elif kind == "folder":
            path.mkdir()
            (path / f"{STEM}.snap").write_bytes(content)
            (path / "keep.txt").write_bytes(content)
        elif kind == "dangling link":
            path.symlink_to(target)
        elif kind == "link to a folder":
            target.mkdir()
            (target / f"{STEM}.arrow").write_bytes(content)
            path.symlink_to(target)
        else:
            target.write_bytes(content)
            (path.hardlink_to if kind == "hard link" else path.symlink_to)(target)
        self.remember(path)
        self.remember(target)

    def remember(self, path: Path) -> None:
        """Record the state of a file, a link or a whole folder; a missing file is recorded as missing."""
        self._known[path] = state_of(path)
        if path.is_dir() and not path.is_symlink():
            for inner in path.rglob("*"):
                self._known[inner] = state_of(inner)

    def forget(self, path: Path) -> None:
        """Stop tracking a path and all below it."""
        self._known = {known: state for known, state in self._known.items() if not known.is_relative_to(path)}

    def changed(self) -> list[str]:
        """Return every path that differs from its recorded state."""
        return [
            f"{path}: was {state}, is {state_of(path)}"
            for path, state in self._known.items()
            if state_of(path) != state
        ]

    def __contains__(self, path: Path) -> bool:
        return path in self._known


def state_of(path: Path) -> tuple[object, ...]:
    """Return kind, identity and content of a path, or None. For a folder, only its identity."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ()
    same = (stat.S_IFMT(status.st_mode), status.st_ino)
    if stat.S_ISLNK(status.st_mode):
        return (*same, path.readlink())
    return (*same, status.st_mtime_ns, path.read_bytes()) if stat.S_ISREG(status.st_mode) else same


def swap_after_check(how: str, target: Path) -> None:
    """Replace a path by a link, once, between a check and the use that it protects.

    `how`: "open" swaps the folder of the shards after it was opened, "check" before that, "file" a file in it
    after its status was read. The link leads to `target`.
    """
    done: list[Path] = []

    def swap(path: Path) -> None:
        if not done and path.name == "shards" and path.is_dir() and not path.is_symlink():
            done.append(path)
            path.rename(path.with_name("shards.real"))
            path.symlink_to(target)

    opened, checked = owned_files.OwnedDirectory.__init__, owned_files.check_directory
    status = owned_files.OwnedDirectory.status

    def open_then_swap(self, path):
        opened(self, path)
        swap(path)

    def check_then_swap(path):
        checked(path)
        swap(path)

    def status_then_swap(self, name):
        found = status(self, name)
        path = self._path / name
        if not done and self._path.name == "shards" and path.is_file() and not path.is_symlink():
            done.append(path)
            path.rename(target / f"moved-{name}")
            path.symlink_to(target / "keep.txt")
        return found

    if how == "open":
        owned_files.OwnedDirectory.__init__ = open_then_swap
    elif how == "check":
        owned_files.check_directory = check_then_swap
    else:
        owned_files.OwnedDirectory.status = status_then_swap


def undo_swap(library: Path) -> None:
    """Undo `swap_after_check`."""
    if (library / "shards.real").is_dir():
        (library / "shards").unlink()
        (library / "shards.real").rename(library / "shards")


def stand_in(target: Path, library: Path) -> None:
    """Fill `target`, a folder of the user's, with files that are called like those of the library."""
    target.mkdir(exist_ok=True)
    (target / "keep.txt").write_bytes(b"keep")
    for path in (library / "shards").iterdir() if (library / "shards").is_dir() else ():
        if not (target / path.name).exists():
            (target / path.name).write_bytes(b"of the user")


def clear(directory: Path) -> None:
    """Remove a folder of a test."""
    shutil.rmtree(directory, ignore_errors=True)
