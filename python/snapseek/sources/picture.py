"""One picture of a source: its location and metadata, not its pixels."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from snapseek.metadata import ImageMetadata
from snapseek.metadata.image_metadata import NO_METADATA

_HASH_BYTES = 16
_MAX_TIME_NS = 2**63 - 2**56  # a float, which `modified` is made of, rounds no smaller one to 2**63


@dataclass(frozen=True, slots=True)
class SidecarFile:
    """A file with metadata next to a picture: its name, and its size and time when it was listed.

    The row of a table that describes the picture counts as one, too: see `row_stamp`.
    """

    name: str
    size_bytes: int
    modified_ns: int


def row_stamp(table: Path, values: Mapping[str, Any]) -> SidecarFile:
    """Return the row of a table as a sidecar file: its size is 0, and its time a hash of the values."""
    text = repr(sorted(values.items(), key=lambda item: str(item[0])))
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return SidecarFile(table.name, 0, int.from_bytes(digest, "big") >> 1)


@dataclass(frozen=True)
class Picture:
    """A file, a part of a file, or a URL that should be a picture.

    Attributes
    ----------
    folder, within
        The stable key: the source, and the path or key inside it. A name that is not UTF-8 keeps its bytes,
        as `os.fsdecode` returns them.
    size_bytes, modified_ns
        Size and modification time of the file, 0 if unknown: a time outside the years 1678 to 2261, which 64
        bits do not hold, counts as unknown.
    problem
        Why the source could not list or read the picture.
    address
        The URI of a picture that is not a file of its own.
    label
        A name for people, in place of the last part of the key.
    data
        The bytes of such a picture, once the source has read them.
    metadata, columns
        Metadata and custom columns that the source holds for the picture.
    sidecars
        The sidecar files of a picture that is a file, those that override first; None if nobody listed them.
        Also the row of a table with the picture, which `PictureSource.read` reads.
    """

    folder: Path
    within: str
    size_bytes: int = 0
    modified_ns: int = 0
    problem: str | None = None
    address: str | None = None
    label: str | None = None
    data: bytes | None = field(default=None, repr=False, compare=False)
    metadata: ImageMetadata = field(default=NO_METADATA, compare=False)
    columns: Mapping[str, Any] = field(default_factory=dict, compare=False)
    sidecars: tuple[SidecarFile, ...] | None = field(default=None, compare=False)

    @property
    def held_bytes(self) -> int:
        """How much memory its bytes and the texts of its columns take."""
        return len(self.data or b"") + sum(map(held_bytes, self.columns.values()))

    def __post_init__(self) -> None:
        if abs(self.modified_ns) >= _MAX_TIME_NS:
            object.__setattr__(self, "modified_ns", 0)

    @property
    def member_name(self) -> str:
        """The name that tells what its bytes are, of a file in an archive; empty for any other picture."""
        return self.address if self.address is not None and self.address.startswith("tar:///") else ""

    @property
    def content(self) -> Path | bytes:
        """Its bytes, even if there are none; the path of a picture that is a file."""
        return self.path if self.data is None else self.data

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self.folder / self.within

    @property
    def uri(self) -> str:
        """The address, or a `file://` URI, in which all but plain ASCII is escaped."""
        return self.path.as_uri() if self.address is None else self.address

    @property
    def name(self) -> str:
        """The name for people; bytes that are not UTF-8 become the replacement character."""
        return displayed(self.label or Path(self.key_path).name)

    @property
    def parent(self) -> str:
        """The parent folder relative to `folder`, with `/`; for a URL, host and path; empty at the top."""
        parent = Path(self.key_path).parent.as_posix()
        return "" if parent == "." else displayed(parent)

    @property
    def key_path(self) -> str:
        """The key as a path; for a URL, host and path without the query."""
        if self.address is None or not self.address.startswith(("http://", "https://")):
            return self.within
        parts = urlsplit(self.address)
        return f"{parts.hostname}{unquote(parts.path)}".rstrip("/")


def held_bytes(value: object) -> int:
    """Return the length of all texts and bytes in a value."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(held_bytes, value.values()))
    return sum(map(held_bytes, value)) if isinstance(value, list | tuple) else 0


def displayed(name: str) -> str:
    """Return a file name as valid Unicode; bytes that are not UTF-8 become the replacement character."""
    return os.fsencode(name).decode("utf-8", "replace")


def storable(text: str) -> str:
    """Return the text with lone surrogates replaced by `?`, so that it can be stored."""
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
