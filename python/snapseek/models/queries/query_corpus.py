"""Texts as people type them, made of a list of words that ships: no caption of anybody's is in them.

    shipped_texts(3)     # ['a red bicycle', 'two dogs on the beach', 'kitchen']

The same count and seed give the same texts on every machine.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from snapseek.models.queries.query_templates import IRREGULAR, QueryTemplates, article

_WORDS = Path(__file__).parent / "words.txt"
_EVERYDAY_SHARE = 0.5
_DOING = (
    "sleeping",
    "running",
    "standing",
    "sitting",
    "eating",
    "playing",
    "flying",
    "waiting",
    "lying",
    "moving",
)
_PLACES = (
    "on the beach",
    "in the snow",
    "at night",
    "in a kitchen",
    "on a table",
    "in the street",
    "by the sea",
    "in the grass",
    "in front of a house",
    "under a tree",
    "in the water",
    "on a wall",
    "in a garden",
    "in the rain",
    "at sunset",
    "on a white background",
)
_MOST_BARREN = 200_000  # draws in a row that bring nothing new: the list is used up


@dataclass(frozen=True)
class Words:
    """`everyday` words come first to people's minds; `things` are the other nouns a camera can see."""

    everyday: tuple[str, ...]
    things: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Both, the everyday ones first."""
        return self.everyday + self.things


@cache
def word_list() -> Words:
    """Return the words that come with the package."""
    everyday, _, things = _WORDS.read_text("utf-8").partition("# things\n")
    return Words(
        *(tuple(line for line in part.splitlines() if line[:1] != "#") for part in (everyday, things))
    )


def generate_queries(count: int, seed: int = 0, words: Words | None = None) -> list[str]:
    """`count` different texts of the shipped words, or of `words`; fewer where these give no more.

    Half of the texts are about everyday words. A fifth is a bare word; the others are phrases, descriptions,
    things in places, and two things together.
    """
    found: dict[str, None] = {}
    barren = 0
    for text in _drawn(words or word_list(), random.Random(seed)):  # noqa: S311 (no secret)
        if len(found) >= count or barren > _MOST_BARREN:
            break
        barren = barren + 1 if text in found else 0
        found[text] = None
    return list(found)


def _drawn(words: Words, rng: random.Random) -> Iterator[str]:
    phrasing = QueryTemplates(IRREGULAR, rng)
    while True:
        yield _text(phrasing, [_word(words, rng), _word(words, rng)], rng.random())


def _word(words: Words, rng: random.Random) -> str:
    common = rng.random() < _EVERYDAY_SHARE
    return rng.choice(
        _either(words.everyday, words.things) if common else _either(words.things, words.everyday)
    )


def _either(first: Sequence[str], second: Sequence[str]) -> Sequence[str]:
    return first or second


def _text(phrasing: QueryTemplates, words: Sequence[str], kind: float) -> str:
    word, other = words
    if kind < 0.2:
        return word
    if kind < 0.45:
        return phrasing.framed(word, 1)[0]
    if kind < 0.65:
        return phrasing.described(word, 1)[0]
    if kind < 0.8:
        return phrasing.joined(word, other)
    return _scene(phrasing, word)


def _scene(phrasing: QueryTemplates, word: str) -> str:
    rng = phrasing.rng
    subject = rng.choice((article(word), phrasing.plural(word), f"two {phrasing.plural(word)}"))
    doing = f" {rng.choice(_DOING)}" if rng.random() < 0.4 else ""
    return f"{subject}{doing} {rng.choice(_PLACES)}"
