"""Keep the newest state of a collection: of its manifest and of all its partitions."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from snapseek.collection.answers import Facts, check_facts, facts_of
from snapseek.collection.collection_snapshot import CollectionSnapshot
from snapseek.collection.frames import Frame
from snapseek.collection.manifest import Manifest, PartitionEntry, is_object_store, read_manifest
from snapseek.collection.object_store import fetched_library
from snapseek.collection.partitions import LocalPartition, Partition, Question, RemotePartition, Reply, ask
from snapseek.collection.query import Member
from snapseek.collection.replica import Replica
from snapseek.errors import LibraryError, PartitionError, SnapseekError, StorageError
from snapseek.library.encoders import EncoderPool
from snapseek.library.paths import find_library
from snapseek.library.reader import LibraryReader
from snapseek.library.storage.trust import Trust
from snapseek.threads import available_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from snapseek.library.storage.confirmations import Confirmed
    from snapseek.mapped_file import LoadMode

_CHECK_INTERVAL_S = 1.0
_AHEAD = 0.75
"""Share of the interval after which a search starts a look at the partitions, and does not wait for it."""

_MAX_WAIT_S = 0.05
_PROBE_DEADLINE_S = 2.0
_MAX_THREADS = 32
_DESCRIBE = Frame({"op": "describe"})


def open_partition(
    entry: PartitionEntry, base: Path, token: str | None, allowed: Confirmed, load: LoadMode = "map"
) -> Partition:
    """Open the partition of an entry; paths are relative to `base`.

    Raises
    ------
    SnapseekError
        Its library cannot be opened here, or the name of its server is unknown.
    """
    if entry.is_served:
        replicas = [Replica(location, token) for location in entry.locations]
        return RemotePartition(entry, replicas)
    location = entry.locations[0]
    if is_object_store(location):
        path = fetched_library(location, entry.commit)
    else:
        path = find_library(base / location)
    return LocalPartition(entry, LibraryReader._opened(path, EncoderPool(path, None), allowed, load))


def describe(partition: Partition, deadline_s: float, threads: ThreadPoolExecutor) -> Facts:
    """Return what a partition says of itself. Raises SnapseekError if it does not answer."""
    resolve([partition])
    question = Question(partition, _DESCRIBE, facts_of, is_probe=True)
    (reply,) = ask({0: question}, deadline_s, threads).values()
    if isinstance(reply, SnapseekError):
        raise reply
    facts: Facts = reply.value
    return facts


def resolve(partitions: list[Partition]) -> None:
    """Look up the addresses of servers that are not known yet; one that is unknown is left as it is."""
    for partition in partitions:
        if isinstance(partition, RemotePartition):
            for replica in partition.replicas:
                if replica.address is None:
                    with suppress(OSError, UnicodeError):
                        replica.resolve()


class CollectionCache:
    """Keeps the newest `CollectionSnapshot`. Safe to use from many threads.

    Partitions report their state about once a second while there are searches. Searches go on
    meanwhile, and each of them uses the newest state that is known.

    Raises as `read_manifest` does. Partitions that cannot answer are no error here.
    """

    def __init__(
        self, path: Path, allowed: Confirmed, load: LoadMode = "map", token: str | None = None
    ) -> None:
        self.prepare: Callable[..., object] = lambda new, old: None
        self.threads = ThreadPoolExecutor(
            min(_MAX_THREADS, max(2, available_cores())), thread_name_prefix="partition"
        )
        self._path = path
        self._allowed = allowed
        self._load = load
        self._token = token
        self._lock = threading.Lock()
        self._partitions: dict[PartitionEntry, Partition] = {}
        self._facts: dict[PartitionEntry, tuple[object, Facts]] = {}
        self._stamp: tuple[int, ...] = ()
        self._manifest: Manifest | None = None
        self._signature: object = None
        self._is_closed = False
        self._snapshot = self._read()
        self._checked_s = time.monotonic()

    def now(self) -> CollectionSnapshot:
        """Return the newest state that is known; look for a newer one about once a second.

        Only a search after a pause waits for it, a moment. Raises LibraryError after `close`.
        """
        self._check_open()
        passed_s = time.monotonic() - self._checked_s
        if passed_s >= _AHEAD * _CHECK_INTERVAL_S and self._lock.acquire(blocking=False):
            self._checked_s = time.monotonic()
            reader = threading.Thread(target=self._read_in_background, name="refresh", daemon=True)
            reader.start()
            if passed_s >= _CHECK_INTERVAL_S:
                reader.join(_MAX_WAIT_S)
        return self._snapshot

    def refresh(self) -> bool:
        """Read the state of all partitions, and return whether it has changed."""
        self._check_open()
        with self._lock:
            before = self._snapshot
            for partition in self._partitions.values():
                if isinstance(partition, LocalPartition):
                    with suppress(SnapseekError):  # the same error makes it a missing partition
                        partition.library.refresh()
            self._snapshot = self._read()
            self._checked_s = time.monotonic()
            return self._snapshot.version != before.version

    def close(self) -> None:
        """Close idle connections and end the threads; `now` and `refresh` raise LibraryError from then on."""
        self._is_closed = True
        self.threads.shutdown(wait=False, cancel_futures=True)
        for partition in self._partitions.values():
            if isinstance(partition, RemotePartition):
                for replica in partition.replicas:
                    replica.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise LibraryError(
                expected=f"the collection {self._path} to be open",
                got="one that was closed",
                hint=f"open it again with Library.open({str(self._path)!r})",
            )

    def _read_in_background(self) -> None:
        try:
            with suppress(SnapseekError):  # searches go on with what is known
                self._snapshot = self._read()
        finally:
            self._checked_s = time.monotonic()
            self._lock.release()

    def _read(self) -> CollectionSnapshot:
        manifest = self._read_manifest()
        missing: dict[int, SnapseekError] = {}
        partitions: dict[PartitionEntry, Partition] = {}
        for entry in manifest.partitions:
            try:
                partitions[entry] = self._partitions.get(entry) or self._open(entry)
            except SnapseekError as error:
                missing[entry.number] = PartitionError(error.summary, hint=error.hint)
        self._partitions = partitions
        resolve(list(partitions.values()))
        members: dict[int, Member] = {}
        before: CollectionSnapshot | None = getattr(self, "_snapshot", None)
        silent: dict[int, SnapseekError] = {}
        for entry, found in self._described(partitions, manifest.deadline_s).items():
            known = before.members.get(entry.number) if before is not None else None
            if isinstance(found, SnapseekError) and known is not None and known.entry == entry:
                silent[entry.number] = found  # queries still try it: it may be back before the next look
                members[entry.number] = known
                continue
            try:
                if isinstance(found, SnapseekError):
                    raise found
                check_facts(found.facts, entry, manifest.fingerprint, manifest.dim)
            except SnapseekError as error:
                missing[entry.number] = error
            else:
                members[entry.number] = found
        signature = (
            manifest,
            tuple((number, one.facts.version, id(one.state)) for number, one in sorted(members.items())),
            tuple(sorted((number, error.summary) for number, error in (missing | silent).items())),
        )
        if signature == self._signature:
            return self._snapshot
        self._signature = signature
        trust = _CollectionTrust(self._path, self._allowed, members)
        snapshot = CollectionSnapshot(self._path, manifest, members, missing, trust, self.threads)
        snapshot.silent.update(silent)
        if before is not None:
            snapshot.sampled.update(before.sampled)
            self.prepare(snapshot, before)
        return snapshot

    def _read_manifest(self) -> Manifest:
        """Return the manifest; the one that is known while the file does not change."""
        try:
            status = self._path.stat()
        except OSError as error:
            if self._manifest is None:
                return read_manifest(self._path)  # which raises
            raise StorageError(f"cannot read {self._path}: {error.strerror or error}") from error
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if self._manifest is None or stamp != self._stamp:
            self._manifest, self._stamp = read_manifest(self._path), stamp
        return self._manifest

    def _open(self, entry: PartitionEntry) -> Partition:
        return open_partition(entry, self._path.parent, self._token, self._allowed, self._load)

    def _described(
        self, partitions: dict[PartitionEntry, Partition], deadline_s: float
    ) -> dict[PartitionEntry, Member | SnapseekError]:
        """Return the state of each partition, or why it does not answer."""
        found: dict[PartitionEntry, Member | SnapseekError] = {}
        probes: dict[tuple[PartitionEntry, int], Question] = {}
        for entry, partition in partitions.items():
            if isinstance(partition, RemotePartition):
                for index, replica in enumerate(partition.replicas):
                    if replica.address is not None:
                        probe = Question(partition, _DESCRIBE, facts_of, replica=replica, is_probe=True)
                        probes[entry, index] = probe
            else:
                found[entry] = self._described_here(entry, partition)
        replies = ask(probes, min(deadline_s, _PROBE_DEADLINE_S), self.threads)
        for entry, partition in partitions.items():
            if isinstance(partition, RemotePartition):
                own = [reply for (one, _), reply in replies.items() if one == entry]
                found[entry] = _member_of(partition, own)
        return found

    def _described_here(self, entry: PartitionEntry, partition: LocalPartition) -> Member | SnapseekError:
        try:
            state = partition.state()
            known = self._facts.get(entry)
            if known is None or known[0] is not state:
                known = self._facts[entry] = (state, facts_of(state.answer(_DESCRIBE)))
            return Member(partition, known[1], state)
        except (SnapseekError, OSError) as error:
            return PartitionError(f"it cannot be read: {error}")


def _member_of(
    partition: RemotePartition, replies: Sequence[Reply | SnapseekError]
) -> Member | SnapseekError:
    """Return the state of a partition by its first replica that answers, or why none does."""
    for reply in replies:
        if isinstance(reply, Reply):
            return Member(partition, reply.value)
    errors = [reply for reply in replies if isinstance(reply, SnapseekError)]
    return errors[0] if errors else PartitionError("the name of its server is unknown")


class _CollectionTrust(Trust):
    """Permits the models that the user has named for one of the libraries that are open here."""

    def __init__(self, path: Path, allowed: Confirmed, members: dict[int, Member]) -> None:
        super().__init__(path.parent, None, allowed)
        states = [member.state for member in members.values() if member.state is not None]
        self._trusts = [state.snapshot.trust for state in states]

    def permits_model(self, model: str) -> bool:
        return super().permits_model(model) or any(one.permits_model(model) for one in self._trusts)
