"""The 1000 classes of the image tower and what they are called."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from wordnet import WordNet


@dataclass(frozen=True)
class Label:
    """One class: its number in the classifier, its WordNet synset and its words."""

    number: int
    offset: int
    name: str
    lemmas: tuple[str, ...]
    gloss: str
    kinds: tuple[str, ...]

    @property
    def descriptions(self) -> tuple[str, str, str]:
        """Three ways to say the class: its name, its place in the tree, its definition."""
        return (
            self.name,
            ", ".join((self.name, *self.kinds)),
            f"{', '.join(self.lemmas)}: {self.gloss}",
        )


def read_labels(synsets: Path, names: Path, words: WordNet) -> list[Label]:
    """Read the classes: `synsets` has one WordNet id a line, `names` is a JSON list in the same order."""
    offsets = [int(line[1:]) for line in synsets.read_text().split()]
    return [
        _label(number, offset, name, words)
        for number, (offset, name) in enumerate(zip(offsets, json.loads(names.read_text()), strict=True))
    ]


def _label(number: int, offset: int, name: str, words: WordNet) -> Label:
    noun, kinds, node = words.nouns[offset], [], words.nouns[offset]
    for _ in range(3):
        if not node.parents:
            break
        node = words.nouns[node.parents[0]]
        kinds.append(node.lemmas[0])
    return Label(number, offset, name, noun.lemmas, noun.gloss, tuple(kinds))


def bare(name: str) -> str:
    """Return a name without case, brackets and punctuation, to compare names by."""
    return re.sub(r"[^a-z0-9 ]", "", re.sub(r"\(.*?\)", "", name.lower()).replace("-", " ")).strip()


class LabelIndex:
    """Finds a class by anything it is called; exact names first, then the words of WordNet."""

    def __init__(self, labels: list[Label]) -> None:
        self._exact = {label.name.lower(): label.number for label in labels}
        self._loose: dict[str, int] = {}
        for label in labels:
            for word in (label.name, *label.lemmas):
                self._loose.setdefault(bare(word), label.number)

    def find(self, name: str) -> int | None:
        """Return the class number of a name, None when no class is called so."""
        return self._exact.get(name.lower(), self._loose.get(bare(name)))
