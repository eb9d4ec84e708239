"""What a library says of itself and of the files that are not in it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Failure:
    """A file that is not in the library, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class LibraryInfo:
    """What a library is. `version` changes whenever its content does; `created` is ISO 8601 in UTC."""

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
    """Whether originals of some pictures are elsewhere, at an address of their own."""
