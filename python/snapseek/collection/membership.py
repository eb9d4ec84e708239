"""Create a collection, add and remove partitions, and verify them."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from snapseek.absolute_path import absolute_path
from snapseek.collection.answers import Facts, check_facts
from snapseek.collection.manifest import (
    DEADLINE_S,
    MAX_LOCAL_ID,
    MAX_LOCATIONS,
    Manifest,
    PartitionEntry,
    checked_location,
    is_address,
    is_object_store,
    is_partition_name,
    read_manifest,
)
from snapseek.collection.partitions import LocalPartition
from snapseek.collection.state_cache import describe, open_partition
from snapseek.collection.teaching import exclusive_manifest, known_marks, with_concepts
from snapseek.errors import InputError, ModelMismatchError, OutOfRangeError, PartitionError, SnapseekError
from snapseek.library.storage.confirmations import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from snapseek.library.storage.concept_table import ConceptRow

_UNUSABLE = re.compile(r"[^\w.-]+")
_NO_COMMIT = "0" * 32


def create_collection(
    path: Path,
    locations: Sequence[Sequence[str]],
    *,
    name: str = "",
    token: str | None = None,
    deadline_s: float = DEADLINE_S,
) -> Manifest:
    """Write the manifest of a new collection.

    Parameters
    ----------
    path
        Where to write it, usually `collection.json`.
    locations
        The partitions; each a library, or the addresses of its replicas.
    name
        The name of the collection; by default that of its directory.
    token
        The access token of servers.
    deadline_s
        The time that a partition has for each answer.

    Raises
    ------
    InputError
        There is no partition, a location cannot be used, or a file is at `path`.
    ModelMismatchError
        The partitions have different models.
    SnapseekError
        A partition cannot be opened.
    """
    path = absolute_path(path)
    if not locations:
        raise InputError(expected="at least one library", got="none")
    if os.path.lexists(path):
        raise InputError(
            expected=f"no file at {path}", got="one", hint=f"run: snapseek collection add {path} LIBRARY"
        )
    manifest: Manifest | None = None
    for replicas in locations:
        manifest = _added(manifest, path, replicas, name, token, deadline_s)
    assert manifest is not None
    manifest.write(path)
    return manifest


def add_partition(
    path: Path, replicas: Sequence[str], *, name: str = "", token: str | None = None
) -> PartitionEntry:
    """Add a partition to the manifest at `path`, or renew the entry of one that it has.

    Raises as `create_collection` does.
    """
    path = absolute_path(path)
    with exclusive_manifest(path) as manifest:
        changed = _added(manifest, path, replicas, name, token, manifest.deadline_s)
        changed.write(path)
    locations = _locations(replicas, path)
    return next(entry for entry in changed.partitions if entry.locations == tuple(locations))


def remove_partition(path: Path, name: str) -> None:
    """Remove a partition from the manifest at `path`; its library stays. Raises InputError."""
    path = absolute_path(path)
    with exclusive_manifest(path) as manifest:
        manifest.without(name).write(path)


def verify_partitions(path: Path, token: str | None = None) -> Iterator[tuple[PartitionEntry, str | None]]:
    """Yield each partition of the manifest at `path` with a sentence about its problem; None if it has none.

    Every server of a partition is queried, not only the first one. The library of another partition is a
    problem, too: its pictures would be found twice. The files of libraries are read by `snapseek verify`.
    """
    path = absolute_path(path)
    manifest = read_manifest(path)
    names: dict[str, str] = {}
    with _threads() as threads:
        for entry in manifest.partitions:
            problems = []
            for location in entry.locations:
                try:
                    one = replace(entry, locations=(location,))
                    partition = open_partition(one, path.parent, token, NOTHING)
                    facts = describe(partition, manifest.deadline_s, threads)
                    check_facts(facts, entry, manifest.fingerprint, manifest.dim)
                    other = names.setdefault(facts.commit, entry.name)
                    if other != entry.name:
                        problems.append(f"{location}: the library of partition {other} is there, too")
                except SnapseekError as error:
                    problems.append(f"{location}: {error.summary}")
            yield entry, "; ".join(problems) or None


def _added(
    manifest: Manifest | None,
    path: Path,
    replicas: Sequence[str],
    name: str,
    token: str | None,
    deadline_s: float,
) -> Manifest:
    """Return the manifest with one more partition; without a manifest, a new one of its model."""
    locations = _locations(replicas, path)
    found = _found_at(locations, path, token, deadline_s)
    facts = [one.facts for one in found]
    if manifest is None:
        manifest = Manifest(
            name or path.parent.name or "collection",
            facts[0].model,
            facts[0].fingerprint,
            facts[0].dim,
            deadline_s=deadline_s,
        )
        name = ""
    for location, one in zip(locations, facts, strict=True):
        if one.fingerprint != manifest.fingerprint or one.dim != manifest.dim:
            raise ModelMismatchError(
                expected=f"a library of '{manifest.model}' ({manifest.fingerprint[:12]}) at {location}",
                got=f"'{one.model}' ({one.fingerprint[:12]})",
                hint="upgrade it to that model, or put it into another collection",
            )
        if one.commit != facts[0].commit:
            raise InputError(
                expected="servers of the same library as replicas of a partition",
                got=f"another library, or another state of it, at {location}",
                hint="separate partitions by spaces, and replicas by commas",
            )
        if one.next_id > MAX_LOCAL_ID:
            raise OutOfRangeError(expected=f"ids up to {MAX_LOCAL_ID} in {location}", got=str(one.next_id))
    known = next((one for one in manifest.partitions if set(one.locations) & set(locations)), None)
    first = facts[0]
    same = next((one for one in manifest.partitions if one.commit == first.commit and one is not known), None)
    if same is not None:
        raise InputError(
            expected="another library than those in the collection",
            got=f"the library of partition {same.name} at {locations[0]}",
            hint="join the addresses of replicas by commas",
        )
    entry = PartitionEntry(
        number=manifest.next_number if known is None else known.number,
        name=name or (known.name if known else _free_name(manifest, locations[0], first)),
        locations=tuple(locations),
        count=first.count,
        next_id=min(one.next_id for one in facts),
        commit=first.commit,
    )
    if not is_partition_name(entry.name):
        raise InputError(expected="a name of letters, digits, points, - and _", got=repr(entry.name))
    changed = manifest.with_partition(entry)
    if known is not None:
        return changed
    return replace(changed, concepts=with_concepts(changed.concepts, entry.number, found[0].concepts))


def _locations(replicas: Sequence[str], path: Path) -> list[str]:
    """Return locations as the manifest at `path` has them: paths relative to it, where they are below it."""
    if not 1 <= len(replicas) <= MAX_LOCATIONS:
        raise InputError(expected=f"1 to {MAX_LOCATIONS} locations of a partition", got=str(len(replicas)))
    found = [checked_location(location) for location in replicas]
    if len(found) > 1 and not all(map(is_address, found)):
        raise InputError(
            expected="addresses of servers as replicas", got="a path", hint="serve it: snapseek serve"
        )
    return [
        location.rstrip("/")
        if is_address(location) or is_object_store(location)
        else _relative(location, path)
        for location in found
    ]


def _relative(location: str, path: Path) -> str:
    absolute = absolute_path(location)
    base = path.parent
    return absolute.relative_to(base).as_posix() if absolute.is_relative_to(base) else str(absolute)


@dataclass(frozen=True)
class _Found:
    """What a library or a server says of itself; of a library of this machine the words it was taught."""

    facts: Facts
    concepts: Sequence[ConceptRow] = ()


def _found_at(locations: Sequence[str], path: Path, token: str | None, deadline_s: float) -> list[_Found]:
    """Return what is at each location. Raises SnapseekError for one that cannot be used."""
    found = []
    with _threads() as threads:
        for location in locations:
            entry = PartitionEntry(0, "partition", (location,), 0, 0, _NO_COMMIT)
            try:
                partition = open_partition(entry, path.parent, token, NOTHING)
                facts = describe(partition, deadline_s, threads)
            except PartitionError as error:
                raise PartitionError(f"{location} cannot be added: {error.summary}") from error
            if isinstance(partition, LocalPartition):
                found.append(_Found(facts, known_marks(partition.library.snapshot())))
            else:
                found.append(_Found(facts))
    return found


def _free_name(manifest: Manifest, location: str, facts: Facts) -> str:
    """Return a name for a partition that no other one has."""
    path = urlsplit(location).path if is_address(location) else location
    stem = Path(path.rstrip("/")).name.removesuffix(".snapseek") or facts.name
    base = _UNUSABLE.sub("-", stem).strip("-._")[:80] or "partition"
    taken = {entry.name for entry in manifest.partitions}
    names = [base, *(f"{base}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads
