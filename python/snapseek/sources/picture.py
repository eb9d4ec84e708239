"""One picture as a source knows it: where it is, not what it shows."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from snapseek.metadata import ImageMetadata
from snapseek.metadata.image_metadata import NOTHING

_HASH_BYTES = 16


@dataclass(frozen=True)
class Picture:
    """What should be a picture: a file, or a part of one, or what an address of the web leads to.

    `folder` and `within` are its stable key: the source, and the place in it. A file lies at `path` = both
    together; a name that is not UTF-8 keeps its bytes as os.fsdecode gives them. What is no file of its own
    has an `address`, and its bytes in `data` once the source has read them. `problem` says why a source could
    not even look at it. `facts` and `columns` are what the source knows besides.
    """

    folder: Path
    within: str
    size_bytes: int = 0
    modified_ns: int = 0
    problem: str | None = None
    address: str | None = None
    label: str | None = None
    data: bytes | None = field(default=None, repr=False, compare=False)
    metadata: ImageMetadata = field(default=NOTHING, compare=False)
    columns: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.folder / self.within

    @property
    def uri(self) -> str:
        """`file://` with all but plain ASCII escaped, so that every name has one; or the address."""
        return self.path.as_uri() if self.address is None else self.address

    @property
    def name(self) -> str:
        """The name for people: bytes that are not UTF-8 become the replacement character."""
        return displayed(self.label or Path(self._place).name)

    @property
    def parent(self) -> str:
        """The folder inside `folder` for people, with `/`, or host and folder there; empty at the top."""
        parent = Path(self._place).parent.as_posix()
        return "" if parent == "." else displayed(parent)

    @property
    def _place(self) -> str:
        """The key as a path; of a url the host and the path, without what is asked there."""
        if self.address is None or not self.address.startswith(("http://", "https://")):
            return self.within
        parts = urlsplit(self.address)
        return f"{parts.hostname}{unquote(parts.path)}".rstrip("/")


def displayed(name: str) -> str:
    """A file name as text that can be printed and stored, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "replace")


def storable(text: str) -> str:
    """A text that can be a key: what no encoding knows becomes `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


def content_hash(content: Path | bytes) -> bytes | None:
    """Return the 16-byte BLAKE2b hash of a file or of bytes, or None if the file cannot be read."""
    if isinstance(content, bytes):
        return hashlib.blake2b(content, digest_size=_HASH_BYTES).digest()
    try:
        with content.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_HASH_BYTES)).digest()
    except OSError:
        return None
