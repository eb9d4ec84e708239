"""WordNet 3.0 nouns: words, glosses and the tree of kinds."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# Lexicographer files of things that a camera can see:
# animal, artifact, body, food, location, object, person, phenomenon, plant, substance.
PERSON_FILE = 18
PHYSICAL_FILES = frozenset({5, 6, 8, 13, 15, 17, PERSON_FILE, 19, 20, 27})


@dataclass(frozen=True)
class Noun:
    """One synset: `lemmas` in WordNet's order, `parents` = offsets of its hypernyms."""

    offset: int
    file: int
    lemmas: tuple[str, ...]
    gloss: str
    parents: tuple[int, ...]
    named: bool  # one person or place with a name, not a kind


def parse_noun(line: str) -> Noun:
    """Parse one line of `data.noun` (format: the manual page wndb(5))."""
    head, _, text = line.partition(" | ")
    words = head.split()
    count = int(words[3], 16)
    lemmas = tuple(word.replace("_", " ") for word in words[4 : 4 + 2 * count : 2])
    pointers = words[5 + 2 * count :]
    parents = tuple(
        int(offset)
        for symbol, offset in zip(pointers[0::4], pointers[1::4], strict=False)
        if symbol in ("@", "@i")
    )
    gloss = text.split(';  "')[0].split('; "')[0].strip()
    return Noun(int(words[0]), int(words[1]), lemmas, gloss, parents, "@i" in pointers[0::4])


@dataclass
class WordNet:
    """All nouns by offset, the order of each word's senses, and irregular plurals."""

    nouns: dict[int, Noun]
    senses: dict[str, list[int]]
    plurals: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> "WordNet":
        """Read `data.noun`, `index.noun` and `noun.exc` of a WordNet dictionary folder."""
        lines = (folder / "data.noun").read_text().splitlines()
        nouns = {noun.offset: noun for noun in map(parse_noun, (s for s in lines if s[0] != " "))}
        senses = {}
        for line in (folder / "index.noun").read_text().splitlines():
            if line[0] != " ":
                words = line.split()
                senses[words[0].replace("_", " ")] = [int(word) for word in words[-int(words[2]) :]]
        exceptions = (line.split() for line in (folder / "noun.exc").read_text().splitlines())
        plurals = {words[1].replace("_", " "): words[0].replace("_", " ") for words in exceptions}
        return cls(nouns, senses, plurals)

    def rank(self, word: str, offset: int) -> int:
        """Return the place of a synset among the senses of a word, 0 = the commonest."""
        known = self.senses.get(word.lower(), [])
        return known.index(offset) if offset in known else len(known)

    def ancestors(self, offset: int) -> list[tuple[int, int]]:
        """Return (offset, levels above) of every node above one, nearest first."""
        found, edge, level = {}, [offset], 0
        while edge:
            level += 1
            edge = [p for node in edge for p in self.nouns[node].parents if p not in found]
            found.update(dict.fromkeys(edge, level))
        return list(found.items())

    @cached_property
    def children(self) -> dict[int, list[int]]:
        """Offsets of the direct hyponyms of every node."""
        table: dict[int, list[int]] = {}
        for noun in self.nouns.values():
            for parent in noun.parents:
                table.setdefault(parent, []).append(noun.offset)
        return table

    def leaves(self, classes: Iterable[int]) -> dict[int, list[int]]:
        """Map each node that stands on or above a class to the class numbers beneath it.

        `classes` are the synset offsets of the classes, in order.
        """
        table: dict[int, list[int]] = {}
        for number, offset in enumerate(classes):
            for node in [offset, *(above for above, _ in self.ancestors(offset))]:
                table.setdefault(node, []).append(number)
        return table
