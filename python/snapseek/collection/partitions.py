"""The partitions of a collection: libraries opened here, or served elsewhere."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from snapseek.collection.answers import version_of
from snapseek.collection.frames import Frame
from snapseek.collection.partition_state import PartitionState
from snapseek.collection.scatter import OK, Call, StateGoneError, scatter
from snapseek.errors import InputError, PartitionError, SnapseekError

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from snapseek.collection.manifest import PartitionEntry
    from snapseek.collection.replica import Replica
    from snapseek.library.reader import LibraryReader

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
Parse = Callable[[Frame], T]
"""Checks an answer and returns what it holds. Raises PartitionError."""

GONE = 409
"""The status of an answer by a server that no longer has the state that a request names."""

_DEFAULT_HEDGE_S = 0.1
_MIN_HEDGE_S = 0.005
_HEDGE_FACTOR = 1.5
_MAX_LATENCIES = 64
_HEDGE_UPDATE = 16


class LocalPartition:
    """A library that is open in this process."""

    def __init__(self, entry: PartitionEntry, library: LibraryReader) -> None:
        self.entry = entry
        self.library = library
        self._state: PartitionState | None = None

    def state(self) -> PartitionState:
        """Return the newest state."""
        snapshot = self.library.snapshot()
        if self._state is None or self._state.snapshot is not snapshot:
            self._state = PartitionState(snapshot)
        return self._state


class RemotePartition:
    """A partition that one or more servers answer for. Safe to use from many threads."""

    def __init__(self, entry: PartitionEntry, replicas: Sequence[Replica]) -> None:
        self.entry = entry
        self.replicas = tuple(replicas)
        self._latencies: deque[float] = deque(maxlen=_MAX_LATENCIES)
        self._lock = threading.Lock()
        self._answers = 0
        self.hedge_s = _DEFAULT_HEDGE_S
        """After this time a second replica is queried: half again the slowest twentieth of answers."""

    def took(self, seconds: float) -> None:
        """Remember how long an answer took."""
        with self._lock:
            self._latencies.append(seconds)
            self._answers += 1
            if self._answers % _HEDGE_UPDATE == 0:
                known = sorted(self._latencies)
                self.hedge_s = max(_MIN_HEDGE_S, _HEDGE_FACTOR * known[int(0.95 * len(known))])

    def in_order(self, first: Replica | None) -> list[Replica]:
        """Return the replicas that have an address, with `first` before the others."""
        usable = [replica for replica in self.replicas if replica.address is not None]
        return sorted(usable, key=lambda replica: replica is not first) if first else usable


Partition = LocalPartition | RemotePartition


@dataclass
class Question:
    """A request to one partition.

    Attributes
    ----------
    partition
        Who answers.
    frame, body
        The request, and its bytes.
    parse
        Checks the answer.
    state
        The state that answers for a library that is open here.
    version
        The version that must answer; None for any.
    replica
        The replica to prefer.
    is_probe
        Whether it only looks whether `replica`, and no other one, is well.
    """

    partition: Partition
    frame: Frame
    parse: Parse[Any]
    state: PartitionState | None = None
    version: str | None = None
    replica: Replica | None = None
    body: bytes = b""
    is_probe: bool = False


@dataclass(frozen=True)
class Reply:
    """A checked answer, and the replica that gave it."""

    value: Any
    version: str
    replica: Replica | None = None


def ask(
    questions: Mapping[K, Question], deadline_s: float, threads: ThreadPoolExecutor
) -> dict[K, Reply | SnapseekError]:
    """Ask partitions at the same time. Return the reply or the failure of each."""
    local = {number: one for number, one in questions.items() if isinstance(one.partition, LocalPartition)}
    remote = {number: one for number, one in questions.items() if number not in local}
    found: dict[K, Reply | SnapseekError] = {}
    waiting: dict[K, Future[Reply | SnapseekError]] = {}
    if len(local) > 1 or remote:
        waiting = {number: threads.submit(_answer_here, question) for number, question in local.items()}
    else:
        found |= {number: _answer_here(question) for number, question in local.items()}
    if remote:
        found |= _ask_servers(remote, deadline_s)
    for number, future in waiting.items():
        try:
            found[number] = future.result(deadline_s)
        except TimeoutError:
            found[number] = PartitionError(f"it did not answer within {deadline_s:g} seconds")
    return found


def _answer_here(question: Question) -> Reply | SnapseekError:
    try:
        assert isinstance(question.partition, LocalPartition)
        state = question.state or question.partition.state()
        return Reply(question.parse(state.answer(question.frame)), state.version)
    except InputError:
        raise
    except (SnapseekError, OSError) as error:
        return PartitionError(f"it cannot be read: {error}")


def _ask_servers(questions: Mapping[K, Question], deadline_s: float) -> dict[K, Reply | SnapseekError]:
    calls = {number: _call_of(question) for number, question in questions.items()}
    scatter(list(calls.values()), deadline_s)
    found: dict[K, Reply | SnapseekError] = {}
    for number, call in calls.items():
        if call.winner is None:
            found[number] = call.failure or PartitionError("no answer")
            continue
        partition = questions[number].partition
        assert isinstance(partition, RemotePartition)
        partition.took(call.took_s)
        value, version = call.result
        found[number] = Reply(value, version, call.winner)
    return found


def _call_of(question: Question) -> Call:
    partition = question.partition
    assert isinstance(partition, RemotePartition)
    body = question.body or question.frame.encode()

    def request(replica: Replica) -> bytes:
        return replica.head(len(body), question.version) + body

    is_probe = question.is_probe and question.replica is not None
    return Call(
        [question.replica] if is_probe and question.replica else partition.in_order(question.replica),
        request,
        partial(_accept, question),
        partition.hedge_s,
        is_probe=question.is_probe,
    )


def _accept(question: Question, status: int, body: memoryview) -> tuple[Any, str]:
    if status == GONE:
        raise StateGoneError("another state than that of its first answer")
    if status != OK:
        raise PartitionError(f"the HTTP status {status}{_HINTS.get(status, '')}")
    try:
        frame = Frame.decode(body)
    except InputError as error:
        raise PartitionError(f"an answer that cannot be read: {error}") from error
    version = version_of(frame)
    if question.version is not None and version != question.version:
        raise PartitionError("an answer of another version than was requested")
    return question.parse(frame), version


_HINTS = {
    401: ": set SNAPSEEK_PARTITION_TOKEN to its access token",
    404: ": it may be an earlier version of snapseek",
    429: ": it limits the rate of this router",
}
