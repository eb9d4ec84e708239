"""Teach a collection words: each change is one new manifest."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from snapseek.collection.manifest import Manifest, id_of, read_manifest
from snapseek.library.concepts.edit import known_concept, renaming, sorted_by_name
from snapseek.library.storage.concept_table import MAX_CONCEPTS, MAX_MARKS, ConceptRow
from snapseek.library.storage.lock import writer_lock
from snapseek.library.storage.rows import RowRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from snapseek.library.concepts.edit import Marks
    from snapseek.library.snapshot import Snapshot

_BUSY_TIMEOUT_S = 5.0


@contextmanager
def exclusive_manifest(path: Path) -> Iterator[Manifest]:
    """Read the manifest at `path` for a change in the block, which no other process may change meanwhile.

    Raises
    ------
    LibraryBusyError
        Another process changes it for longer than five seconds.
    StorageError
        The disk refuses.
    """
    read_manifest(path)  # a lock is made only for one that is there
    with writer_lock(path.with_name(f".{path.name}.lock"), _BUSY_TIMEOUT_S):
        yield read_manifest(path)


def teach(path: Path, marks: Marks) -> None:
    """Mark pictures, which are known to be there, as examples or counterexamples of a concept."""
    with exclusive_manifest(path) as manifest:
        replace(manifest, concepts=marks.applied(manifest.concepts)).write(path)


def rename_concept(path: Path, name: str, new_name: str) -> None:
    """Give a concept another name. Raises InputError as `Library.rename_concept` does."""
    with exclusive_manifest(path) as manifest:
        row, renamed = renaming(manifest.concepts, name, new_name)
        others = [one for one in manifest.concepts if one is not row]
        replace(manifest, concepts=sorted_by_name([*others, renamed])).write(path)


def delete_concept(path: Path, name: str) -> None:
    """Remove a concept and its marks. Raises UnknownChoiceError if there is none of that name."""
    with exclusive_manifest(path) as manifest:
        row = known_concept(manifest.concepts, name)
        replace(manifest, concepts=tuple(one for one in manifest.concepts if one is not row)).write(path)


def known_marks(snapshot: Snapshot) -> list[ConceptRow]:
    """Return the concepts of a library, with the marks of pictures that are still there."""
    find = snapshot.shards.find

    def living(items: Iterable[int]) -> tuple[int, ...]:
        return tuple(item for item in items if find(item) is not None)

    return [
        replace(row, examples=living(row.examples), counterexamples=living(row.counterexamples))
        for row in snapshot.concepts.rows
    ]


def with_concepts(
    rows: Sequence[ConceptRow], number: int, added: Iterable[ConceptRow]
) -> tuple[ConceptRow, ...]:
    """Return concepts together with those of a partition; of two of one name the marks count together.

    Marks and concepts beyond the limits of a collection are left out, and concepts without an example.
    """
    found = {row.key: row for row in rows}
    for row in added:
        known = found.get(row.key, ConceptRow(row.key, row.name, (), ()))
        examples = _marked(known.examples, number, row.examples, MAX_MARKS)
        others = _marked(known.counterexamples, number, row.counterexamples, MAX_MARKS - len(examples))
        if examples and (row.key in found or len(found) < MAX_CONCEPTS):
            found[row.key] = replace(known, examples=examples, counterexamples=others)
    return sorted_by_name(found.values())


def _marked(known: Sequence[int], number: int, items: Iterable[int], count: int) -> tuple[int, ...]:
    own = [id_of(RowRef(number, item)) for item in items if item >= 0]
    return tuple(sorted({*known, *own}))[:count]
