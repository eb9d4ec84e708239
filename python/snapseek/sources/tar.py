"""Pictures in tar archives as of webdataset and img2dataset: `0001.jpg` with `0001.txt` and `0001.json`.

Nothing is unpacked to the disk: a member is read where it lies, so its name can be whatever it likes.
"""

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from snapseek.errors import InputError
from snapseek.metadata import ImageMetadata
from snapseek.metadata.image_metadata import NOTHING
from snapseek.sources.archive_uri import TAR, member_uri
from snapseek.sources.fields.sidecar import MAX_SIDECAR_BYTES, read_caption, read_json, read_url
from snapseek.sources.folder import PICTURE_SUFFIXES
from snapseek.sources.picture import Picture, storable
from snapseek.sources.row_reader import first_line
from snapseek.sources.source import changed, matched

KIND = "tar"
MAX_MEMBER_BYTES = 512 << 20

_BLOCK_BYTES = 512
_MAX_SECONDS = 253_402_300_799  # the end of the year 9999


class TarImages:
    """The pictures in one archive, or in all archives of a folder."""

    kind = KIND

    def __init__(self, place: Path) -> None:
        """`place` is looked at when it is asked for something."""
        self.place = place

    def find(self) -> Iterator[Picture]:
        """Each picture by the path of its archive and its own name, in the order in which they lie there."""
        for path in archives(self.place):
            yield from (self._picture(path, member) for member in _members(path) if member.is_picture)

    def columns(self) -> pa.Schema:
        """As the protocol has it: where a picture was fetched from, if the archive tells."""
        return pa.schema([("url", pa.string())])

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """As the protocol has it: with their bytes, and what the members beside them tell."""
        for picture, sample in matched(pictures, self._samples(), lambda sample: sample[0]):
            if sample is None:
                yield changed(picture)
            else:
                _, path, member, beside = sample
                yield _with_bytes(picture, path, member, beside)

    def _samples(self) -> Iterator[tuple[str, Path, "_Member", list["_Member"]]]:
        """Each picture with its key, its archive, and the members of its own name beside it."""
        for path in archives(self.place):
            for _, group in groupby(_members(path), key=lambda member: member.sample):
                members = list(group)
                for member in members:
                    if member.is_picture:
                        yield self._key(path, member), path, member, members

    def _key(self, path: Path, member: "_Member") -> str:
        if member.problem is not None and member.name == "":  # all that lies in the archive is meant
            return "." if path == self.place else path.name
        return member.key if path == self.place else f"{path.name}/{member.key}"

    def _picture(self, path: Path, member: "_Member") -> Picture:
        return Picture(
            self.place,
            self._key(path, member),
            member.size_bytes,
            member.modified_ns,
            problem=member.problem,
            address=member_uri(TAR, path, member.name),
        )


def archives(place: Path) -> list[Path]:
    """The archives at a place, in order of name. Raises InputError when there is none."""
    found = sorted(place.glob("*.tar")) if place.is_dir() else [place]
    files = [path for path in found if path.is_file()]
    if not files:
        raise InputError(expected=f"a tar archive at {place}", got="none" if place.exists() else "nothing")
    return files


@dataclass(frozen=True, slots=True)
class _Member:
    """A file in an archive. `key` is its name, or that with its number where a name comes twice."""

    name: str
    key: str
    offset: int
    size_bytes: int
    modified_ns: int = 0
    problem: str | None = None

    @property
    def sample(self) -> str:
        """What the files of one sample have in common: all up to the first dot of the last part."""
        folder, _, last = self.name.rpartition("/")
        return f"{folder}/{last.partition('.')[0]}"

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix.lower()

    @property
    def is_picture(self) -> bool:
        return self.suffix in PICTURE_SUFFIXES or self.problem is not None


def _members(path: Path) -> Iterator[_Member]:
    """The ordinary files in an archive; where it is damaged, a last one with the `problem`."""
    names: dict[str, int] = {}
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            end = path.stat().st_size
            while (info := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # which would grow with the archive
                if info.isreg() and not info.issparse():
                    names[info.name] = count = names.get(info.name, 0) + 1
                    yield _member(info, count, end)
            problem = _early_end(file, archive.offset, end)
    except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError, RecursionError) as error:
        problem = f"cannot be read: {first_line(error)}"
    if problem:
        yield _Member("", "", 0, 0, problem=f"the archive {path.name} {problem}")


def _member(info: tarfile.TarInfo, count: int, end: int) -> _Member:
    name = storable(info.name)
    problem = None
    if info.size > MAX_MEMBER_BYTES or info.offset_data + info.size > end:
        problem = f"the archive says that the picture has {info.size} bytes, which it cannot have"
    return _Member(
        name,
        name if count == 1 else f"{name} ({count})",
        info.offset_data,
        min(max(info.size, 0), end),
        _nanoseconds(info.mtime),
        problem if Path(name).suffix.lower() in PICTURE_SUFFIXES else None,
    )


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000) if 0 < seconds < _MAX_SECONDS else 0


def _early_end(file: BinaryIO, offset: int, end: int) -> str | None:
    """Why reading stopped, unless it was at the two empty blocks that an archive ends with, or at its end."""
    file.seek(offset)
    block = file.read(_BLOCK_BYTES)
    # The offset may be at the empty block that was read, or behind it.
    if offset >= end and not block:
        file.seek(max(0, end - _BLOCK_BYTES))
        return None if offset == end else "ends within a member"
    return None if not block.strip(b"\0") else "is damaged: what comes behind cannot be read"


def _with_bytes(picture: Picture, path: Path, member: _Member, beside: list[_Member]) -> Picture:
    try:
        with path.open("rb") as file:
            data = _content(file, member)
            facts, url = _told(file, beside)
    except OSError as error:
        return replace(picture, problem=f"the archive cannot be read: {error.strerror or error}")
    return replace(
        picture, address=member_uri(TAR, path, member.name), data=data, metadata=facts, columns=url
    )


def _content(file: BinaryIO, member: _Member) -> bytes:
    file.seek(member.offset)
    return file.read(member.size_bytes)


def _told(file: BinaryIO, beside: list[_Member]) -> tuple[ImageMetadata, dict[str, str]]:
    """The facts in the texts beside a picture, and the url that it came from; broken ones tell nothing."""
    facts, columns = NOTHING, dict[str, str]()
    for suffix, read in ((".txt", read_caption), (".json", read_json)):
        for member in beside:
            if member.suffix == suffix and member.size_bytes <= MAX_SIDECAR_BYTES:
                data = _content(file, member)
                try:
                    facts = facts.merged_with(read(data))
                    columns |= read_url(data) if suffix == ".json" else {}
                except ValueError:
                    continue
    return facts, columns
