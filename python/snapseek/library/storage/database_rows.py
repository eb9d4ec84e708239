"""Rows of the catalogue, as values."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class FileRow:
    """What is known of one file of a source: the item it became, or the reason why it did not.

    `content` is the hash of its bytes, where it was taken. `is_removed` says that the user took the picture
    out of the library while its file stays.
    """

    folder: Path
    within: str
    size_bytes: int
    modified_ns: int
    item: int | None
    reason: str | None
    content: bytes | None = None
    is_removed: bool = False


@dataclass(frozen=True)
class ImportRow:
    """A file of vectors that was taken in: how many of its rows, and why `left_out` of them were not."""

    source: Path
    within: str
    size_bytes: int
    modified_ns: int
    rows: int
    left_out: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class Source:
    """Where pictures came from: a place of a kind."""

    number: int
    kind: str
    place: Path


@dataclass(frozen=True)
class ShardRow:
    """A shard that exists. `source` is the folder that it was imported from, None for indexed pictures.

    `generation` counts the commits up to the one that made it; `records_crc` is the CRC-32 of its records.
    """

    stem: str
    rows: int
    source: Path | None = None
    generation: int = field(default=0, compare=False)
    records_crc: int | None = field(default=None, compare=False)
