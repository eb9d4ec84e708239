"""What a file holds, as a short hash: to know a picture again that was moved."""

import hashlib
from pathlib import Path

_HASH_BYTES = 16


def content_hash(content: Path | bytes) -> bytes | None:
    """BLAKE2b of a file's bytes, or of bytes, 16 bytes; None for a file that cannot be read."""
    if isinstance(content, bytes):
        return hashlib.blake2b(content, digest_size=_HASH_BYTES).digest()
    try:
        with content.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_HASH_BYTES)).digest()
    except OSError:
        return None
