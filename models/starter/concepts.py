"""The concept list: everyday words and the classes that such pictures tend to show."""

from dataclasses import dataclass
from pathlib import Path

from labels import LabelIndex
from wordnet import WordNet


@dataclass(frozen=True)
class Concept:
    """Words that mean much the same, and the class numbers that stand for them, the likeliest repeated."""

    words: tuple[str, ...]
    classes: tuple[int, ...]


def read_concepts(
    path: Path, index: LabelIndex, words: WordNet, leaves: dict[int, list[int]]
) -> list[Concept]:
    """Read lines of `word|word: class, class`; raises SystemExit with every name that means no class.

    A name that is no class but a kind of classes ("duck") stands for all classes of that kind.
    """
    concepts, unknown = [], []
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        said, _, meant = line.partition(":")
        classes: list[int] = []
        for name in filter(None, (part.strip() for part in meant.split(","))):
            found = _classes(name, index, words, leaves)
            if not found:
                unknown.append(name)
            classes.extend(found)
        concepts.append(
            Concept(tuple(said.strip().split("|")), _likeliest_more(list(dict.fromkeys(classes))))
        )
    if unknown:
        raise SystemExit(f"{path.name}: no class is called: {', '.join(sorted(set(unknown)))}")
    return concepts


def _likeliest_more(classes: list[int]) -> tuple[int, ...]:
    """Repeat classes so that the first third counts three times as much as the last."""
    third = len(classes) // 3
    return tuple(classes + classes[: len(classes) - third] + classes[: len(classes) - 2 * third])


def _classes(name: str, index: LabelIndex, words: WordNet, leaves: dict[int, list[int]]) -> list[int]:
    if (number := index.find(name)) is not None:
        return [number]
    for sense in words.senses.get(name.lower(), []):
        if 0 < len(leaves.get(sense, [])) <= 130:
            return leaves[sense]
    return []
