"""One query over the partitions of a collection: what they have answered, and which of them are lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from snapseek.collection.partitions import Partition, Question, Reply, ask
from snapseek.collection.scatter import StateGoneError
from snapseek.errors import PartitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from concurrent.futures import ThreadPoolExecutor

    from snapseek.collection.answers import Facts
    from snapseek.collection.concepts import SentConcepts
    from snapseek.collection.frames import Frame
    from snapseek.collection.manifest import PartitionEntry
    from snapseek.collection.partition_state import PartitionState
    from snapseek.collection.replica import Replica
    from snapseek.errors import SnapseekError
    from snapseek.library.storage.rows import RowRef

T = TypeVar("T")
_MAX_RESTARTS = 2
"""So often a query begins again with a partition whose state went away meanwhile."""


@dataclass(frozen=True)
class Member:
    """A partition in one state of a collection.

    Attributes
    ----------
    partition
        Who answers.
    facts
        What it has said of itself.
    state
        The state that answers, for a library that is open in this process.
    """

    partition: Partition
    facts: Facts
    state: PartitionState | None = None

    @property
    def entry(self) -> PartitionEntry:
        """Its entry in the manifest."""
        return self.partition.entry


class PartitionLostError(Exception):
    """A partition failed in the middle of a query, which begins again without it."""


class PartitionQuery:
    """The partitions that answer one query, each always from the same state.

    If one fails, `PartitionLostError` ends the attempt, and the next one asks the others only. What they have
    answered before is kept, so a restart costs little.

    Parameters
    ----------
    members
        The partitions by number.
    deadline_s
        The time that a partition has for each answer.
    threads
        Run what libraries of this process answer.
    concepts
        Those that filters name; sent with every filter.
    """

    def __init__(
        self,
        members: Mapping[int, Member],
        deadline_s: float,
        threads: ThreadPoolExecutor,
        concepts: SentConcepts | None = None,
    ) -> None:
        self.members = dict(members)
        self.lost: dict[int, SnapseekError] = {}
        """Why partitions do not answer, by number."""
        self._deadline_s = deadline_s
        self._threads = threads
        self._concepts = concepts
        self._known: dict[tuple[int, object], Any] = {}
        self._versions: dict[int, str] = {}
        self._replicas: dict[int, Replica] = {}
        self._restarts: dict[int, int] = {}
        self.early: dict[int, Frame] = {}
        """Answers that records came with, by the number of the partition. Few of them have results."""

    def ask_all(self, key: object, frame: Frame, parse: Callable[[Frame, Member], T]) -> dict[int, T]:
        """Ask every partition the same; see `ask`."""
        return self.ask(key, dict.fromkeys(self.members, frame), parse)

    def ask(
        self, key: object, frames: Mapping[int, Frame], parse: Callable[[Frame, Member], T]
    ) -> dict[int, T]:
        """Return the checked answers of partitions, by number.

        Parameters
        ----------
        key
            Identifies the request in this query.
        frames
            The requests by the number of the partition.
        parse
            Checks an answer.

        Raises
        ------
        PartitionLostError
            A partition failed. It is no member any more.
        """
        missing = {number: frame for number, frame in frames.items() if (number, key) not in self._known}
        if missing:
            self._ask(key, missing, parse)
        return {number: self._known[number, key] for number in frames}

    def forget_answers(self) -> None:
        """Forget what partitions have answered, to free memory; they still answer from the same state."""
        self._known.clear()

    def _ask(self, key: object, frames: Mapping[int, Frame], parse: Callable[[Frame, Member], T]) -> None:
        frames = frames if self._concepts is None else self._concepts.added_to(frames)
        bodies = {id(frame): b"" for frame in frames.values()}
        questions = {}
        for number, frame in frames.items():
            member = self.members[number]
            if member.state is None and not bodies[id(frame)]:
                bodies[id(frame)] = frame.encode()  # once for all that get the same
            questions[number] = Question(
                member.partition,
                frame,
                _with(parse, member),
                member.state,
                self._versions.get(number),
                self._replicas.get(number),
                bodies[id(frame)],
            )
        failures = {}
        for number, reply in ask(questions, self._deadline_s, self._threads).items():
            if isinstance(reply, Reply):
                self._known[number, key] = reply.value
                self._versions[number] = reply.version
                if reply.replica is not None:
                    self._replicas[number] = reply.replica
            else:
                failures[number] = reply
        if failures:
            self._drop(failures)
            raise PartitionLostError

    def _drop(self, failures: Mapping[int, SnapseekError]) -> None:
        for number, error in failures.items():
            restarts = self._restarts.get(number, 0)
            if isinstance(error, StateGoneError) and restarts < _MAX_RESTARTS:
                self._restarts[number] = restarts + 1
                self._forget(number)
            else:
                self.lost[number] = error
                del self.members[number]

    def _forget(self, number: int) -> None:
        """Forget what a partition has answered, so that another state of it answers all of the query."""
        self._versions.pop(number, None)
        self._replicas.pop(number, None)
        self.early.pop(number, None)
        for known in [key for key in self._known if key[0] == number]:
            del self._known[known]

    def check_complete(self, wanted: Iterable[RowRef], found: Collection[RowRef]) -> None:
        """Raise PartitionLostError if a partition has lost a picture that it has named."""
        lost = {ref.shard for ref in wanted if ref not in found}
        for number in lost:
            self.lost[number] = PartitionError("it has no record of a picture that it has found")
            del self.members[number]
        if lost:
            raise PartitionLostError

    def version_of(self, number: int) -> str:
        """Return the version of the state of a partition that has answered."""
        return self._versions.get(number, self.members[number].facts.version)

    def trainings(self) -> list[str]:
        """Return the trainings that partitions share, if most of the rows of a training are here.

        Such a partition needs to find its part of the best of all these rows only.
        """
        rows: dict[tuple[str, int], int] = {}
        for member in self.members.values():
            key = (member.facts.training, member.facts.trained_rows)
            rows[key] = rows.get(key, 0) + member.facts.count
        return sorted({name for (name, trained), found in rows.items() if name and 2 * found >= trained})

    def versions(self) -> list[tuple[int, str]]:
        """Return number and version of each partition that answers."""
        return [(number, self.version_of(number)) for number in sorted(self.members)]


def _with(parse: Callable[[Frame, Member], T], member: Member) -> Callable[[Frame], T]:
    return lambda frame: parse(frame, member)
