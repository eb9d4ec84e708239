"""Facts about a library, and the files that it could not index."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Failure:
    """A file that could not be indexed, and the reason."""

    path: Path
    reason: str


@dataclass(frozen=True)
class LibraryInfo:
    """Facts about a library. `version` changes with its content; `created` is ISO 8601 in UTC."""

    path: Path
    name: str
    count: int
    failed: int
    dim: int
    model: str
    fingerprint: str
    provider: str
    kernel: str
    version: str
    created: str
    size_bytes: int
    folders: tuple[Path, ...]
    has_remote: bool = False
    """Whether the originals of pictures may be at remote URLs."""
