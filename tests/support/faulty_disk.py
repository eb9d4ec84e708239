"""Simulated power cuts: compiles faulty_disk.c, and reads its log."""

import os
import random
import subprocess
from pathlib import Path


def compile_faulty_disk(directory: Path) -> Path:
    """Compile faulty_disk.c into `directory`; return the shared library."""
    target = directory / "faulty_disk.so"
    source = Path(__file__).parent / "faulty_disk.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", target, source, "-ldl", "-lpthread"], check=True)
    return target


class PowerCut:
    """Writes and names that were not synced when a log ended."""

    def __init__(self, log: Path) -> None:
        self.ranges: dict[int, list[tuple[int, int]]] = {}
        self.unsafe_names: dict[int, Path] = {}
        folders: dict[int, Path] = {}
        for line in log.read_text().splitlines():
            kind, inode, *fields = line.split(" ", 3 if line[0] == "w" else 2)
            self._note(kind, int(inode), fields, folders)

    def _note(self, kind: str, inode: int, fields: list[str], folders: dict[int, Path]) -> None:
        if kind == "w":
            self.ranges.setdefault(inode, []).append((int(fields[0]), int(fields[1])))
        elif kind == "s":
            self.ranges.pop(inode, None)
            safe = [key for key, path in self.unsafe_names.items() if _inode(path.parent) == inode]
            for key in safe:
                del self.unsafe_names[key]
        else:
            if kind == "c":
                self.ranges.pop(inode, None)
            self.unsafe_names[inode] = Path(fields[0])

    def happen(self, root: Path, chance: random.Random) -> None:
        """Lose a random part of the unsynced names and bytes below `root`."""
        for path in [path for path in root.rglob("*") if path.is_file()]:
            inode = _inode(path)
            if inode in self.unsafe_names and chance.random() < 0.5:
                path.unlink()
            else:
                for offset, length in self.ranges.get(inode, []):
                    _damage(path, offset, length, chance)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1


def _damage(path: Path, offset: int, length: int, chance: random.Random) -> None:
    size = path.stat().st_size
    length = min(length, size - offset)
    if length <= 0:
        return
    what = chance.choice(["kept", "zeros", "noise", "cut"])
    start = offset + chance.randrange(length)
    if what == "cut" and offset + length == size:
        os.truncate(path, start)
    elif what in ("zeros", "noise"):
        with path.open("r+b") as file:
            file.seek(start)
            fields = offset + length - start
            file.write(bytes(fields) if what == "zeros" else chance.randbytes(fields))
