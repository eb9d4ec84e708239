"""`collection.json`: the manifest of a collection.

    {"snapseek_collection": 1, "name": "photos", "model": "starter", "fingerprint": "…", "dim": 396,
     "next_number": 2, "deadline_s": 5.0,
     "partitions": [{"number": 0, "name": "a", "locations": ["a.snapseek"], "count": 7, "next_id": 8,
                     "commit": "…"}, …],
     "concepts": [{"key": "rex", "name": "Rex", "examples": [5, 68719476741], "counterexamples": []}, …]}

A location is a path, relative to the manifest; an URI of an object store that pyarrow knows, such as
`s3://bucket/a.snapseek`; or the address of a `snapseek serve` process. Several addresses are replicas.

The id of a picture in the collection has the number of its partition in the high bits. A number is never
used for another partition, so ids are stable while partitions come and go. `concepts`, which may be missing,
are the words that the collection was taught, with ids of the collection.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from snapseek.absolute_path import absolute_path
from snapseek.atomic_file import atomic_file
from snapseek.collection.frames import excerpt
from snapseek.errors import FormatError, InputError, LibraryNotFoundError, StorageError
from snapseek.library.concepts.edit import sorted_by_name
from snapseek.library.concepts.names import is_name, key_of
from snapseek.library.paths import COLLECTION
from snapseek.library.storage.concept_table import MAX_CONCEPTS, MAX_MARKS, ConceptRow
from snapseek.library.storage.rows import RowRef

FORMAT = "snapseek_collection"
VERSION = 1
FILE_NAME = COLLECTION

LOCAL_BITS = 36
"""Bits of an id inside its partition. With 17 bits of the number, an id is below 2^53: JavaScript's limit."""

MAX_LOCAL_ID = 2**LOCAL_BITS - 1
MAX_NUMBER = 2 ** (53 - LOCAL_BITS) - 1
MAX_BYTES = 16 << 20
MAX_PARTITIONS = 4096
MAX_LOCATIONS = 16
MAX_COUNT = MAX_LOCAL_ID
DEADLINE_S = 5.0
_MAX_DEADLINE_S = 600.0
_MAX_TEXT = 4096
_MAX_DIM = 65_536
_NAME = re.compile(r"[^\W_][\w.-]{0,99}")
_HEX = re.compile(r"[0-9a-f]{8,128}")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


@dataclass(frozen=True)
class PartitionEntry:
    """A partition of a manifest.

    Attributes
    ----------
    number
        The high bits of the ids of its pictures.
    name
        What people call it; unique in the collection.
    locations
        Where it is: one path or URI, or the addresses of its replicas.
    count, next_id, commit
        The number of pictures, the first id that is not in use, and the checksum of the commit, when it was
        added. A partition with a smaller `next_id` is older than the manifest.
    """

    number: int
    name: str
    locations: tuple[str, ...]
    count: int
    next_id: int
    commit: str

    @property
    def is_served(self) -> bool:
        """Whether servers answer for it."""
        return is_address(self.locations[0])


@dataclass(frozen=True)
class Manifest:
    """The partitions of a collection and the model that made all of them."""

    name: str
    model: str
    fingerprint: str
    dim: int
    next_number: int = 0
    deadline_s: float = DEADLINE_S
    partitions: tuple[PartitionEntry, ...] = ()
    concepts: tuple[ConceptRow, ...] = ()

    def with_partition(self, entry: PartitionEntry) -> Self:
        """Return the manifest with one more partition, or with a newer entry of one that it has."""
        known = any(one.number == entry.number for one in self.partitions)
        others = tuple(entry if one.number == entry.number else one for one in self.partitions)
        return replace(
            self,
            next_number=max(self.next_number, entry.number + 1),
            partitions=others if known else (*others, entry),
        )

    def without(self, name: str) -> Self:
        """Return the manifest without a partition; its number stays in use. Raises InputError."""
        self.entry(name)
        return replace(self, partitions=tuple(one for one in self.partitions if one.name != name))

    def entry(self, name: str) -> PartitionEntry:
        """Return the partition of that name. Raises InputError."""
        found = next((one for one in self.partitions if one.name == name), None)
        if found is None:
            known = ", ".join(one.name for one in self.partitions) or "none"
            raise InputError(expected="the name of a partition", got=repr(name), hint=f"known: {known}")
        return found

    def write(self, path: Path) -> None:
        """Write the manifest atomically; a file that is no manifest is not replaced. Raises StorageError."""
        data = json.dumps({FORMAT: VERSION, **asdict(self)}, indent=1).encode("ascii")
        check(_manifest_of(json.loads(data), path), path)
        if len(data) > MAX_BYTES:
            raise InputError(expected=f"a manifest of up to {MAX_BYTES >> 20} MB", got=f"{len(data)} bytes")
        try:
            with atomic_file(path, may_replace=is_manifest) as stream:
                stream.write(data + b"\n")
        except FileExistsError as error:
            raise InputError(
                expected=f"a collection or no file at {path}", got="another file", hint="choose another name"
            ) from error
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


def ref_of(item: int) -> RowRef:
    """Return the number of the partition of an id, and the id there; -1 where no partition can have it."""
    return RowRef(item >> LOCAL_BITS, item & MAX_LOCAL_ID) if item >= 0 else RowRef(-1, 0)


def id_of(ref: RowRef) -> int:
    """Return the id in the collection of a picture of a partition."""
    return (ref.shard << LOCAL_BITS) | ref.row


def is_manifest(path: Path) -> bool:
    """Return whether a file begins like a manifest."""
    try:
        with path.open("rb") as stream:
            return f'"{FORMAT}"'.encode() in stream.read(64)
    except OSError:
        return False


def manifest_path(path: str | Path) -> Path | None:
    """Return the path of the manifest that `path` names: a `.json` file, or a directory with one; or None."""
    absolute = absolute_path(path)
    if absolute.suffix == ".json" and not absolute.is_dir():
        return absolute
    inside = absolute / FILE_NAME
    return inside if is_manifest(inside) else None


def read_manifest(path: Path) -> Manifest:
    """Read a manifest and check every field.

    Raises
    ------
    LibraryNotFoundError
        There is no such file.
    FormatError
        It is no manifest, or a field of it cannot be used.
    StorageError
        It cannot be read.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise LibraryNotFoundError(
            expected=f"a collection at {path}",
            got="none",
            hint=f"create one with: snapseek collection create {path} LIBRARY...",
        ) from error
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise _refusal(path, f"a manifest of up to {MAX_BYTES >> 20} MB", "a larger file")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _refusal(path, "JSON", f"something else: {error}") from error
    manifest = _manifest_of(body, path)
    check(manifest, path)
    return manifest


def check(manifest: Manifest, path: Path) -> None:
    """Raise FormatError unless the partitions of a manifest fit each other."""
    if len(manifest.partitions) > MAX_PARTITIONS:
        raise _refusal(path, f"up to {MAX_PARTITIONS} partitions", str(len(manifest.partitions)))
    for field in ("number", "name"):
        values = [getattr(entry, field) for entry in manifest.partitions]
        repeated = next((value for value in values if values.count(value) > 1), None)
        if repeated is not None:
            raise _refusal(path, f"a different {field} for each partition", f"{repeated!r} twice")
    used = max((entry.number for entry in manifest.partitions), default=-1)
    if not used < manifest.next_number <= MAX_NUMBER + 1:
        raise _refusal(path, f"next_number from {used + 1} to {MAX_NUMBER + 1}", str(manifest.next_number))


def is_address(location: str) -> bool:
    """Return whether a location is the address of a server."""
    return location.lower().startswith(("http://", "https://"))


def is_object_store(location: str) -> bool:
    """Return whether a location is an URI of an object store."""
    return _SCHEME.match(location) is not None and not is_address(location)


def checked_location(location: str) -> str:
    """Return a location. Raises InputError for one that names no partition."""
    if not location or len(location) > _MAX_TEXT or "\0" in location:
        raise InputError(expected="the path, URI or address of a library", got=repr(location[:80]))
    if not is_address(location):
        return location
    try:
        parts = urlsplit(location)
        is_usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_usable = False
    if not is_usable or parts.username is not None or parts.query or parts.fragment:
        raise InputError(
            expected="an address such as http://10.0.0.5:8000, without user name, query or fragment",
            got=repr(location[:80]),
            hint="set the token of partitions in SNAPSEEK_PARTITION_TOKEN",
        )
    return location


def _manifest_of(body: object, path: Path) -> Manifest:
    if not isinstance(body, dict) or FORMAT not in body:
        raise _refusal(path, f"an object with {FORMAT!r}", "another file")
    if body[FORMAT] != VERSION:
        raise FormatError(
            expected=f"a collection of format {VERSION} at {path}",
            got=excerpt(body[FORMAT]),
            hint="it may be newer than this version: upgrade snapseek",
        )
    read = _Fields(body, path, "the manifest")
    listed = body.get("partitions")
    if not isinstance(listed, list) or len(listed) > MAX_PARTITIONS:
        raise _refusal(path, f"partitions to be a list of up to {MAX_PARTITIONS} objects", excerpt(listed))
    return Manifest(
        name=read.text("name"),
        model=read.text("model"),
        fingerprint=read.text("fingerprint", lambda text: _HEX.fullmatch(text) is not None),
        dim=read.integer("dim", 1, _MAX_DIM),
        next_number=read.integer("next_number", 0, MAX_NUMBER + 1),
        deadline_s=read.seconds("deadline_s"),
        partitions=tuple(_entry_of(entry, path, index) for index, entry in enumerate(listed)),
        concepts=_concepts_of(body.get("concepts", []), path),
    )


def _concepts_of(listed: object, path: Path) -> tuple[ConceptRow, ...]:
    if not isinstance(listed, list) or len(listed) > MAX_CONCEPTS:
        raise _refusal(path, f"concepts to be a list of up to {MAX_CONCEPTS} objects", excerpt(listed))
    found = {}
    for index, body in enumerate(listed):
        if not isinstance(body, dict):
            raise _refusal(path, f"concept {index} to be an object", excerpt(body))
        read = _Fields(body, path, f"concept {index}")
        name = read.text("name", is_name)
        found[key_of(name)] = ConceptRow(
            key_of(name), name, read.ids("examples"), read.ids("counterexamples")
        )
    if len(found) < len(listed):
        raise _refusal(path, "a different name for each concept", "one twice")
    return sorted_by_name(found.values())


def _entry_of(body: object, path: Path, index: int) -> PartitionEntry:
    if not isinstance(body, dict):
        raise _refusal(path, f"partition {index} to be an object", excerpt(body))
    read = _Fields(body, path, f"partition {index}")
    return PartitionEntry(
        number=read.integer("number", 0, MAX_NUMBER),
        name=read.text("name", is_partition_name),
        locations=read.locations("locations"),
        count=read.integer("count", 0, MAX_COUNT),
        next_id=read.integer("next_id", 0, MAX_COUNT + 1),
        commit=read.text("commit", lambda text: _HEX.fullmatch(text) is not None),
    )


def is_partition_name(text: str) -> bool:
    """Return whether a text can be the name of a partition: letters, digits, points, `-` and `_`."""
    return _NAME.fullmatch(text) is not None


class _Fields:
    """The fields of an object of the manifest, each checked when it is read."""

    def __init__(self, body: Mapping[str, Any], path: Path, where: str) -> None:
        self._body = body
        self._path = path
        self._where = where

    def text(self, name: str, is_valid: Callable[[str], bool] = lambda text: True) -> str:
        value = self._body.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT or not is_valid(value):
            raise self._refusal(name, "a text that can be used", value)
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        value = self._body.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._refusal(name, f"an integer from {low} to {high}", value)
        return value

    def seconds(self, name: str) -> float:
        value = self._body.get(name, DEADLINE_S)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MAX_DEADLINE_S:
            raise self._refusal(name, f"seconds above 0, up to {_MAX_DEADLINE_S:g}", value)
        return float(value)

    def ids(self, name: str) -> tuple[int, ...]:
        value = self._body.get(name)
        if not isinstance(value, list) or len(value) > MAX_MARKS:
            raise self._refusal(name, f"a list of up to {MAX_MARKS} ids", value)
        if not all(type(item) is int and 0 <= item < 1 << 53 for item in value):
            raise self._refusal(name, "a list of ids", value)
        return tuple(sorted(set(value)))

    def locations(self, name: str) -> tuple[str, ...]:
        value = self._body.get(name)
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_LOCATIONS:
            raise self._refusal(name, f"a list of 1 to {MAX_LOCATIONS} texts", value)
        if not all(isinstance(entry, str) for entry in value):
            raise self._refusal(name, "a list of texts", value)
        if len(value) > 1 and not all(map(is_address, value)):
            raise self._refusal(name, "addresses of servers, where there are several", value)
        try:
            return tuple(map(checked_location, value))
        except InputError as error:
            raise self._refusal(name, error.expected or "locations", value) from error

    def _refusal(self, name: str, expected: str, value: object) -> FormatError:
        return _refusal(self._path, f"{name} of {self._where} to be {expected}", excerpt(value))


def _refusal(path: Path, expected: str, got: str) -> FormatError:
    return FormatError(expected=f"{expected} in {path}", got=got, hint="correct it, or create it again")
