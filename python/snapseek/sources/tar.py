"""Pictures in tar archives (webdataset, img2dataset): `0001.jpg` with `0001.txt` and `0001.json`.

Members are read in place and never extracted, so their names cannot lead outside of the archive.
"""

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from snapseek.errors import InputError
from snapseek.file_kinds import PICTURE_SUFFIXES, RAW_SUFFIXES, is_still_name
from snapseek.metadata import ImageMetadata
from snapseek.metadata.image_metadata import NO_METADATA
from snapseek.sources.archive_uri import TAR, member_uri
from snapseek.sources.exclusions import is_skipped
from snapseek.sources.fields.sidecar import MAX_SIDECAR_BYTES, read_caption, read_json, read_url
from snapseek.sources.picture import Picture, storable
from snapseek.sources.row_reader import first_line
from snapseek.sources.source import changed, matched

KIND = "tar"
MAX_MEMBER_BYTES = 512 << 20

_TEXT_SUFFIXES = (".txt", ".json")
_BLOCK_BYTES = 512
_MAX_SECONDS = 253_402_300_799  # the end of the year 9999


class TarImages:
    """The pictures in one archive, or in all archives of a folder."""

    kind = KIND

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self.path = path

    def find(self) -> Iterator[Picture]:
        """Yield the pictures in the order of the archive. The key is the archive and the member's name."""
        for path in archives(self.path):
            yield from (self._picture(path, member) for member in _pictures(path))

    def columns(self) -> pa.Schema:
        """Return the column `url`: where a picture was fetched from, if the archive says so."""
        return pa.schema([("url", pa.string())])

    def notes(self) -> tuple[str, ...]:
        """Return no notes."""
        return ()

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """Return the pictures with their bytes, and the metadata in the other members of their sample."""
        for picture, sample in matched(pictures, self._samples(), lambda sample: sample[0]):
            if sample is None:
                yield changed(picture)
            else:
                _, path, member, members = sample
                yield _with_bytes(picture, path, member, members)

    def _samples(self) -> Iterator[tuple[str, Path, "_Member", list["_Member"]]]:
        """Yield key, archive, member and the texts of the same sample, for each picture."""
        for path in archives(self.path):
            texts: dict[str, list[_Member]] = {}
            for member in _members(path):
                if member.suffix in _TEXT_SUFFIXES and member.size_bytes <= MAX_SIDECAR_BYTES:
                    texts.setdefault(member.sample, []).append(member)
            for member in _pictures(path):
                yield self._key(path, member), path, member, texts.get(member.sample, [])

    def _key(self, path: Path, member: "_Member") -> str:
        archive = "" if path == self.path else path.relative_to(self.path).as_posix()
        if member.problem is not None and member.name == "":  # the problem is of the whole archive
            return archive or "."
        return f"{archive}/{member.key}" if archive else member.key

    def _picture(self, path: Path, member: "_Member") -> Picture:
        return Picture(
            self.path,
            self._key(path, member),
            member.size_bytes,
            member.modified_ns,
            problem=member.problem,
            address=member_uri(TAR, path, member.name),
        )


def archives(path: Path) -> list[Path]:
    """Return the archive at a path, or those below a folder by name. Raises InputError if there is none."""
    found = sorted(_archives_below(path)) if path.is_dir() else [path]
    files = [file for file in found if file.is_file()]
    if not files:
        raise InputError(expected=f"a tar archive at {path}", got="none" if path.exists() else "nothing")
    return files


def has_archives(folder: Path) -> bool:
    """Return whether there is an archive in a folder or below it."""
    return any(path.is_file() for path in _archives_below(folder))


def _archives_below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*.tar"):
        if not any(map(is_skipped, path.relative_to(folder).parts)):
            yield path


@dataclass(frozen=True, slots=True)
class _Member:
    """A file in an archive. `key` is its name, with a number if the name occurs more than once."""

    name: str
    key: str
    offset: int
    size_bytes: int
    modified_ns: int = 0
    problem: str | None = None

    @property
    def sample(self) -> str:
        """The part of the name that all files of one sample share: up to the first dot of the file name."""
        folder, _, last = self.name.rpartition("/")
        return f"{folder}/{last.partition('.')[0]}"

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix.lower()

    @property
    def is_picture(self) -> bool:
        return is_still_name(self.name) or self.problem is not None


def _pictures(path: Path) -> Iterator[_Member]:
    """Yield the members that are pictures. A RAW file belongs to a picture of the same sample."""
    pictures: set[str] | None = None  # the samples of pictures, if there is a RAW file
    for member in _members(path):
        if not member.is_picture:
            continue
        if member.suffix in RAW_SUFFIXES:
            if pictures is None:
                pictures = {other.sample for other in _members(path) if other.suffix in PICTURE_SUFFIXES}
            if member.sample in pictures:
                continue
        yield member


def _members(path: Path) -> Iterator[_Member]:
    """Yield the regular files of an archive; if it is damaged, then a last member with the `problem`."""
    names: dict[str, int] = {}
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            end = path.stat().st_size
            while (info := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # bounds memory
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
        problem = f"the archive says that the picture has {info.size} bytes, which is not possible"
    return _Member(
        name,
        name if count == 1 else f"{name} ({count})",
        info.offset_data,
        min(max(info.size, 0), end),
        _nanoseconds(info.mtime),
        problem if is_still_name(name) else None,
    )


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000) if 0 < seconds < _MAX_SECONDS else 0


def _early_end(file: BinaryIO, offset: int, end: int) -> str | None:
    """Return why reading stopped, None at the two empty blocks that end an archive or at its last byte."""
    file.seek(offset)
    block = file.read(_BLOCK_BYTES)
    # The offset is either at the empty block that was read, or after it.
    if offset >= end and not block:
        file.seek(max(0, end - _BLOCK_BYTES))
        return None if offset == end else "ends within a member"
    return None if not block.strip(b"\0") else "is damaged: nothing after this point can be read"


def _with_bytes(picture: Picture, path: Path, member: _Member, members: list[_Member]) -> Picture:
    try:
        with path.open("rb") as file:
            data = _content(file, member)
            metadata, url = _sample_metadata(file, members)
    except OSError as error:
        return replace(picture, problem=f"the archive cannot be read: {error.strerror or error}")
    return replace(
        picture, address=member_uri(TAR, path, member.name), data=data, metadata=metadata, columns=url
    )


def _content(file: BinaryIO, member: _Member) -> bytes:
    file.seek(member.offset)
    return file.read(member.size_bytes)


def _sample_metadata(file: BinaryIO, members: list[_Member]) -> tuple[ImageMetadata, dict[str, str]]:
    """Return the metadata and the URL in the text and JSON members of a sample; invalid ones are skipped."""
    metadata, columns = NO_METADATA, dict[str, str]()
    for suffix, read in ((".txt", read_caption), (".json", read_json)):
        for member in members:
            if member.suffix == suffix:
                data = _content(file, member)
                try:
                    metadata = metadata.merged_with(read(data))
                    columns |= read_url(data) if suffix == ".json" else {}
                except ValueError:
                    continue
    return metadata, columns
