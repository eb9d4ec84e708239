"""The part of `Library` that teaches it words."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from snapseek.errors import StorageError
from snapseek.library.concepts import edit
from snapseek.library.export import new_file
from snapseek.library.reader import LibraryReader
from snapseek.library.storage.concept_table import ConceptRow


@dataclass(frozen=True)
class Concept:
    """A word that a library was taught.

    Attributes
    ----------
    name
        The word or words.
    examples
        The ids of pictures that show it.
    counterexamples
        The ids of pictures that do not.
    """

    name: str
    examples: tuple[int, ...]
    counterexamples: tuple[int, ...]


class TeachableLibrary(LibraryReader):
    """The read interface of a library, and the words that it is taught."""

    def teach(
        self,
        name: str,
        examples: Sequence[int] = (),
        counterexamples: Sequence[int] = (),
        *,
        unmark: Sequence[int] = (),
    ) -> Concept:
        """Teach the library a word by pictures that show it; later calls add further marks.

        The name then counts in queries, as in `rex on a beach -snow`, and `is:rex` selects what shows it. It
        may be a word that the model knows, which the marks correct, or any other name, such as that of a dog.
        The library stores the name and the ids: after an upgrade the word is learned from them again.

        Parameters
        ----------
        name
            Letters and digits, up to 60 characters; case and accents do not count.
        examples
            The ids of pictures that show it. Three to five that differ are a good start.
        counterexamples
            The ids of pictures that do not, such as wrong results of a search for it.
        unmark
            The ids of pictures whose marks are removed.

        Raises
        ------
        InputError
            The name is invalid, no example is left, or a picture has two marks.
        ItemNotFoundError
            An id is unknown.
        LibraryBusyError
            Another process writes.
        """
        edit.teach(self._path, name, examples, counterexamples, unmark)
        self._see_commit()
        return self.concept(name)

    def concepts(self) -> list[Concept]:
        """Return the words that the library was taught, by name."""
        return [_concept(row) for row in self.snapshot().concepts.rows]

    def concept(self, name: str) -> Concept:
        """Return a word that the library was taught. Raises UnknownChoiceError if there is none."""
        return _concept(edit.known_concept(self.snapshot().concepts.rows, name))

    def rename_concept(self, name: str, new_name: str) -> Concept:
        """Give a taught word another name; its marks stay.

        Raises
        ------
        InputError
            There is no such word, the new name is invalid, or another word has it.
        LibraryBusyError
            Another process writes.
        """
        edit.rename_concept(self._path, name, new_name)
        self._see_commit()
        return self.concept(new_name)

    def delete_concept(self, name: str) -> None:
        """Forget a taught word and its marks. The pictures stay.

        Raises
        ------
        UnknownChoiceError
            There is no such word.
        LibraryBusyError
            Another process writes.
        """
        edit.delete_concept(self._path, name)
        self._see_commit()

    def export_concepts(self, target: str | Path | BinaryIO) -> int:
        """Write the taught words as JSON, each marked picture with its id and URI; return their number.

        The URI of a picture that was removed is null.

        Raises
        ------
        StorageError
            The disk refuses, or a folder, a device or a pipe has the name.
        """
        concepts = self.concepts()
        listed = [
            {
                "name": concept.name,
                "examples": self._with_uris(concept.examples),
                "counterexamples": self._with_uris(concept.counterexamples),
            }
            for concept in concepts
        ]
        text = json.dumps({"concepts": listed}, ensure_ascii=False, indent=2) + "\n"
        data = text.encode("utf-8", "surrogatepass")
        if not isinstance(target, str | Path):
            target.write(data)
            return len(concepts)
        self._check_target(Path(target))
        with new_file(Path(target)) as file:
            file.write(data)
        return len(concepts)

    def _with_uris(self, items: Sequence[int]) -> list[dict[str, object]]:
        uris = {hit.id: hit.uri for hit in self.get_many(items)}
        return [{"id": item, "uri": uris.get(item)} for item in items]

    def _see_commit(self) -> None:
        """Read what was just committed. If the disk refuses, searches try again later."""
        with suppress(StorageError):
            self.refresh()


def _concept(row: ConceptRow) -> Concept:
    return Concept(row.name, row.examples, row.counterexamples)
