"""Flush files to the disk, and checksum them."""

import os
import zlib
from pathlib import Path

from snapseek.atomic_file import flush_to_disk

_BLOCK_BYTES = 1 << 20


def sync_file(path: Path) -> None:
    """Flush the content of a file."""
    with path.open("r+b") as file:  # Windows flushes only what is open for writing
        flush_to_disk(file.fileno())


def sync_directory(path: Path) -> None:
    """Flush the names in a directory, if the system can."""
    if hasattr(os, "O_DIRECTORY"):  # Windows opens no directory
        descriptor = os.open(path, os.O_RDONLY)
        try:
            flush_to_disk(descriptor)
        finally:
            os.close(descriptor)


def crc_of(path: Path) -> int:
    """Return the CRC-32 of a file."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            crc = zlib.crc32(block, crc)
    return crc
