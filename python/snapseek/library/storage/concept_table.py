"""The concepts that users taught: names, and the pictures that show them or do not."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from snapseek.library.storage.checked_values import Checker
from snapseek.library.storage.schema import MIN_ID

MAX_CONCEPTS = 500
MAX_MARKS = 2000
"""Examples and counterexamples of one concept."""

_MAX_NAME_CHARACTERS = 1000
_HAS_TABLE = "SELECT 1 FROM main.sqlite_schema WHERE name = 'concept_marks'"


@dataclass(frozen=True)
class ConceptRow:
    """A concept.

    Attributes
    ----------
    key
        The name as names are compared: in lower case, without accents.
    name
        The name as the user wrote it.
    examples, counterexamples
        The ids of pictures that show it, and of pictures that do not; rising.
    """

    key: str
    name: str
    examples: tuple[int, ...]
    counterexamples: tuple[int, ...]


class ConceptTable:
    """The tables `concepts` and `concept_marks`. A library of an earlier version has none."""

    def __init__(self, connection: sqlite3.Connection, check: Checker) -> None:
        self._connection = connection
        self._check = check

    def all(self) -> list[ConceptRow]:
        """Return all concepts by name. Raises FormatError for an invalid one."""
        if not self._connection.execute(_HAS_TABLE).fetchone():
            return []
        marks: dict[int, tuple[list[int], list[int]]] = {}
        rows = self._connection.execute(
            "SELECT concept, item, is_example FROM concept_marks ORDER BY concept, item"
        )
        check = self._check
        for number, item, is_example in check.at_most(MAX_CONCEPTS * MAX_MARKS, "marks", rows):
            examples, counterexamples = marks.setdefault(
                check.whole(number, "the number of a concept"), ([], [])
            )
            kind = check.whole(is_example, "0 or 1", 0, 1)
            (examples if kind else counterexamples).append(check.whole(item, "an id", MIN_ID))
        rows = self._connection.execute("SELECT number, key, name FROM concepts ORDER BY key")
        return [
            ConceptRow(
                self._name(key),
                self._name(name),
                *map(tuple, marks.get(check.whole(number, "the number of a concept"), ((), ()))),
            )
            for number, key, name in check.at_most(MAX_CONCEPTS, "concepts", rows)
        ]

    def _name(self, value: object) -> str:
        name = self._check.text(value, "the name of a concept")
        if not 0 < len(name) <= _MAX_NAME_CHARACTERS:
            self._check.fail("the name of a concept", name)
        return name

    def add(self, key: str, name: str) -> None:
        """Add a concept without marks, if there is none of that key."""
        self._connection.execute("INSERT OR IGNORE INTO concepts (key, name) VALUES (?, ?)", (key, name))

    def mark(self, key: str, items: Iterable[int], *, is_example: bool) -> None:
        """Mark pictures as examples or counterexamples of a concept; a new mark replaces the old one."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO concept_marks SELECT number, ?, ? FROM concepts WHERE key = ?",
            [(item, is_example, key) for item in items],
        )

    def unmark(self, key: str, items: Sequence[int]) -> None:
        """Remove the marks of pictures."""
        self._connection.executemany(
            "DELETE FROM concept_marks WHERE item = ? "
            "AND concept = (SELECT number FROM concepts WHERE key = ?)",
            [(item, key) for item in items],
        )

    def rename(self, key: str, new_key: str, new_name: str) -> None:
        """Give a concept another name, which no other concept may have."""
        self._connection.execute(
            "UPDATE concepts SET key = ?, name = ? WHERE key = ?", (new_key, new_name, key)
        )

    def delete(self, key: str) -> None:
        """Remove a concept and its marks."""
        self._connection.execute(
            "DELETE FROM concept_marks WHERE concept = (SELECT number FROM concepts WHERE key = ?)", (key,)
        )
        self._connection.execute("DELETE FROM concepts WHERE key = ?", (key,))
