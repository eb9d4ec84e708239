"""What makes files safe against a power cut."""

import os
import zlib
from pathlib import Path

_BLOCK_BYTES = 1 << 20


def sync_file(path: Path) -> None:
    """Make what is in the file safe."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Make the names in it safe, where the system has a way to."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def crc_of(path: Path) -> int:
    """CRC-32 of the whole file."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            crc = zlib.crc32(block, crc)
    return crc
