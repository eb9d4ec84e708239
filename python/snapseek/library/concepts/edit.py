"""Changes of the concepts of a library, each in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from snapseek.errors import InputError, ItemNotFoundError, OutOfRangeError
from snapseek.library.concepts.names import checked_name, key_of
from snapseek.library.search.request import unknown_concept
from snapseek.library.storage.concept_table import MAX_CONCEPTS, MAX_MARKS, ConceptRow
from snapseek.library.storage.database import Database
from snapseek.library.storage.library_meta import fresh_version
from snapseek.library.storage.schema import MIN_ID
from snapseek.library.storage.shard_files import exclusive_writer
from snapseek.library.storage.shards import Shards

_MAX_ID = 2**63 - 1


@dataclass(frozen=True)
class Marks:
    """Changes of the marks of one concept, checked.

    Attributes
    ----------
    name
        The name of the concept.
    examples, counterexamples, unmarked
        The ids of pictures that show it, that do not, and whose marks are removed.
    """

    name: str
    examples: tuple[int, ...]
    counterexamples: tuple[int, ...]
    unmarked: tuple[int, ...]

    @classmethod
    def of(
        cls,
        name: object,
        examples: Iterable[int],
        counterexamples: Iterable[int] = (),
        unmarked: Iterable[int] = (),
    ) -> Self:
        """Check the arguments of `Library.teach`. Raises InputError."""
        name = checked_name(name)
        lists = [_checked_ids(items) for items in (examples, counterexamples, unmarked)]
        _check_disjoint(*lists)
        if not any(lists):
            raise InputError(expected="the ids of pictures that show it or do not", got="none")
        return cls(name, *map(tuple, lists))

    @property
    def key(self) -> str:
        """The key of the concept."""
        return key_of(self.name)

    def applied(self, rows: Sequence[ConceptRow]) -> tuple[ConceptRow, ...]:
        """Return the concepts with these marks.

        Raises InputError if the concept would have too many marks or no example, or if there are too many.
        """
        found = {row.key: row for row in rows}
        row = found.get(self.key)
        if row is None and len(found) >= MAX_CONCEPTS:
            raise OutOfRangeError(expected=f"at most {MAX_CONCEPTS} concepts", got="one more")
        before = row or ConceptRow(self.key, self.name, (), ())
        examples = (
            (set(before.examples) | set(self.examples)) - set(self.counterexamples) - set(self.unmarked)
        )
        others = (
            (set(before.counterexamples) | set(self.counterexamples))
            - set(self.examples)
            - set(self.unmarked)
        )
        if not examples:
            raise InputError(
                expected="at least one picture that shows it",
                got="none",
                hint="to forget a concept: snapseek concepts delete NAME",
            )
        if len(examples) + len(others) > MAX_MARKS:
            raise OutOfRangeError(
                expected=f"at most {MAX_MARKS} marked pictures of a concept",
                got=str(len(examples) + len(others)),
            )
        found[self.key] = ConceptRow(before.key, before.name, tuple(sorted(examples)), tuple(sorted(others)))
        return sorted_by_name(found.values())


def teach(
    directory: Path,
    name: str,
    examples: Iterable[int],
    counterexamples: Iterable[int] = (),
    unmarked: Iterable[int] = (),
) -> None:
    """Mark pictures as examples or counterexamples of a concept, or remove marks; see `Library.teach`."""
    marks = Marks.of(name, examples, counterexamples, unmarked)
    with exclusive_writer(directory) as database:
        _check_known(directory, database, [*marks.examples, *marks.counterexamples])
        marks.applied(database.concepts.all())  # which refuses too many
        with database.transaction():
            database.concepts.add(marks.key, marks.name)
            database.concepts.mark(marks.key, marks.examples, is_example=True)
            database.concepts.mark(marks.key, marks.counterexamples, is_example=False)
            database.concepts.unmark(marks.key, marks.unmarked)
            database.settings.update(fresh_version())


def rename_concept(directory: Path, name: str, new_name: str) -> None:
    """Give a concept another name. Raises InputError if there is none, or if another one has the new name."""
    with exclusive_writer(directory) as database:
        row, renamed = renaming(database.concepts.all(), name, new_name)
        with database.transaction():
            database.concepts.rename(row.key, renamed.key, renamed.name)
            database.settings.update(fresh_version())


def renaming(rows: Sequence[ConceptRow], name: object, new_name: object) -> tuple[ConceptRow, ConceptRow]:
    """Return a concept, and the same with another name. Raises InputError as `rename_concept` does."""
    new_name = checked_name(new_name)
    row = known_concept(rows, name)
    new_key = key_of(new_name)
    if new_key != row.key and any(other.key == new_key for other in rows):
        raise InputError(
            expected="a name that no concept has",
            got=f"{new_name!r}",
            hint=f"delete that concept first, or teach it the examples of {row.name}",
        )
    return row, replace(row, key=new_key, name=new_name)


def delete_concept(directory: Path, name: str) -> None:
    """Remove a concept and its marks. Raises InputError if there is none of that name."""
    with exclusive_writer(directory) as database:
        row = known_concept(database.concepts.all(), name)
        with database.transaction():
            database.concepts.delete(row.key)
            database.settings.update(fresh_version())


def known_concept(rows: Sequence[ConceptRow], name: object) -> ConceptRow:
    """Return the concept of a name. Raises UnknownChoiceError if there is none."""
    key = key_of(name) if isinstance(name, str) else ""
    for row in rows:
        if row.key == key:
            return row
    raise unknown_concept(f"{name}", [row.name for row in rows])


def _checked_ids(items: Iterable[int]) -> list[int]:
    """Return ids, each once. Raises InputError for anything else."""
    if isinstance(items, str | bytes) or not isinstance(items, Iterable):
        raise InputError(expected="a list of the ids of pictures", got=type(items).__name__)
    found = list(items)
    for item in found:
        if isinstance(item, bool) or not isinstance(item, int) or not MIN_ID <= item <= _MAX_ID:
            raise InputError(expected="the id of a picture, a whole number", got=f"{item!r:.60}")
    return list(dict.fromkeys(found))


def _check_disjoint(*lists: list[int]) -> None:
    seen: set[int] = set()
    for items in lists:
        if both := seen & set(items):
            raise InputError(
                expected="each picture to be marked once", got=f"picture {min(both)} with two marks"
            )
        seen |= set(items)


def _check_known(directory: Path, database: Database, items: Iterable[int]) -> None:
    shards = Shards(directory, database.shards.all(), database.shards.tombstones())
    for item in items:
        if shards.find(item) is None:
            raise ItemNotFoundError(expected="the id of a picture of this library", got=str(item))


def sorted_by_name(rows: Iterable[ConceptRow]) -> tuple[ConceptRow, ...]:
    """Return concepts in the order in which they are listed."""
    return tuple(sorted(rows, key=lambda row: row.key))
