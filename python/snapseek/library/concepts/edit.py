"""Changes of the concepts of a library, each in one transaction."""

from collections.abc import Iterable, Sequence
from pathlib import Path

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


def teach(
    directory: Path,
    name: str,
    examples: Iterable[int],
    counterexamples: Iterable[int] = (),
    unmarked: Iterable[int] = (),
) -> None:
    """Mark pictures as examples or counterexamples of a concept, or remove marks; see `Library.teach`."""
    name = checked_name(name)
    marks = {True: _checked_ids(examples), False: _checked_ids(counterexamples)}
    dropped = _checked_ids(unmarked)
    _check_disjoint(marks[True], marks[False], dropped)
    if not (marks[True] or marks[False] or dropped):
        raise InputError(expected="the ids of pictures that show it or do not", got="none")
    key = key_of(name)
    with exclusive_writer(directory) as database:
        _check_known(directory, database, [*marks[True], *marks[False]])
        found = {row.key: row for row in database.concepts.all()}
        _check_limits(found, key, marks, dropped)
        with database.transaction():
            database.concepts.add(key, name)
            for is_example, items in marks.items():
                database.concepts.mark(key, items, is_example=is_example)
            database.concepts.unmark(key, dropped)
            database.settings.update(fresh_version())


def rename_concept(directory: Path, name: str, new_name: str) -> None:
    """Give a concept another name. Raises InputError if there is none, or if another one has the new name."""
    new_name = checked_name(new_name)
    with exclusive_writer(directory) as database:
        rows = database.concepts.all()
        row = known_concept(rows, name)
        new_key = key_of(new_name)
        if new_key != row.key and any(other.key == new_key for other in rows):
            raise InputError(
                expected="a name that no concept has",
                got=f"{new_name!r}",
                hint=f"delete that concept first, or teach it the examples of {row.name}",
            )
        with database.transaction():
            database.concepts.rename(row.key, new_key, new_name)
            database.settings.update(fresh_version())


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
    if isinstance(items, str | bytes):
        raise InputError(expected="a list of the ids of pictures", got=type(items).__name__)
    found = list(dict.fromkeys(items))
    for item in found:
        if isinstance(item, bool) or not isinstance(item, int) or not MIN_ID <= item <= _MAX_ID:
            raise InputError(expected="the id of a picture, a whole number", got=f"{item!r:.60}")
    return found


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


def _check_limits(
    found: dict[str, ConceptRow], key: str, marks: dict[bool, list[int]], dropped: list[int]
) -> None:
    """Raise InputError if the concept would have too many marks or no example, or if there are too many."""
    row = found.get(key)
    if row is None and len(found) >= MAX_CONCEPTS:
        raise OutOfRangeError(expected=f"at most {MAX_CONCEPTS} concepts", got="one more")
    before = (set(row.examples), set(row.counterexamples)) if row else (set[int](), set[int]())
    examples = (before[0] | set(marks[True])) - set(marks[False]) - set(dropped)
    others = (before[1] | set(marks[False])) - set(marks[True]) - set(dropped)
    if not examples:
        raise InputError(
            expected="at least one picture that shows it",
            got="none",
            hint="to forget a concept: snapseek concepts delete NAME",
        )
    if len(examples) + len(others) > MAX_MARKS:
        raise OutOfRangeError(
            expected=f"at most {MAX_MARKS} marked pictures of a concept", got=str(len(examples) + len(others))
        )
