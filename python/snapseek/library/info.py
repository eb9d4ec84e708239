"""The description of a library, and of files that could not be indexed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Failure:
    """A file that could not be indexed or imported, and the reason."""

    path: Path
    reason: str


@dataclass(frozen=True)
class SkippedFile:
    """A file or folder that was not read as a picture, and its kind, such as `raw` or `hidden`."""

    path: Path
    kind: str


@dataclass(frozen=True)
class LibraryInfo:
    """The description of a library.

    `version` changes with every commit that changes an answer; `created` is ISO 8601 in UTC; `failed` counts
    the pictures that could not be indexed or imported.
    """

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
    """Whether pictures have originals on other machines, at URLs."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """The numbers of files and folders that were not read as pictures, by kind."""


@dataclass(frozen=True)
class FileCounts:
    """The numbers of files that are no pictures of a library: failed ones, and skipped ones by kind."""

    failed: int
    skipped: Mapping[str, int]
