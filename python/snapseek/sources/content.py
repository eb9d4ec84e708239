"""What a file holds, as a short hash: to know a picture again that was moved."""

import hashlib
from pathlib import Path

_HASH_BYTES = 16


def content_hash(path: Path) -> bytes | None:
    """BLAKE2b of the file's bytes, 16 bytes; None for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_HASH_BYTES)).digest()
    except OSError:
        return None
