"""Generate synthetic queries from the word list of the package; no captions are used.

    generate_queries(3)     # ['a red bicycle', 'two dogs on the beach', 'kitchen']

The result depends on count and seed only.
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
_MAX_REPEATS = 200_000  # repeated texts in a row after which the word list counts as exhausted


@dataclass(frozen=True)
class Words:
    """`everyday` words are common in queries; `things` are other visible nouns."""

    everyday: tuple[str, ...]
    things: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """All words, everyday ones first."""
        return self.everyday + self.things


@cache
def word_list() -> Words:
    """Return the word list of the package."""
    everyday, _, things = _WORDS.read_text("utf-8").partition("# things\n")
    return Words(
        *(tuple(line for line in part.splitlines() if line[:1] != "#") for part in (everyday, things))
    )


def generate_queries(count: int, seed: int = 0, words: Words | None = None) -> list[str]:
    """Generate distinct queries.

    Half of them are about everyday words. A fifth are single words; the others are phrases, descriptions,
    scenes, and combinations of two words.

    Parameters
    ----------
    count
        Number of queries.
    seed
        Seed of the random generator.
    words
        Word list, that of the package by default.

    Returns
    -------
    list[str]
        `count` queries, or fewer if the word list is exhausted.
    """
    found: dict[str, None] = {}
    repeats = 0
    for text in _random_queries(words or word_list(), random.Random(seed)):  # noqa: S311 (no secret)
        if len(found) >= count or repeats > _MAX_REPEATS:
            break
        repeats = repeats + 1 if text in found else 0
        found[text] = None
    return list(found)


def _random_queries(words: Words, rng: random.Random) -> Iterator[str]:
    templates = QueryTemplates(IRREGULAR, rng)
    while True:
        yield _text(templates, [_word(words, rng), _word(words, rng)], rng.random())


def _word(words: Words, rng: random.Random) -> str:
    common = rng.random() < _EVERYDAY_SHARE
    return rng.choice(
        _first_nonempty(words.everyday, words.things)
        if common
        else _first_nonempty(words.things, words.everyday)
    )


def _first_nonempty(first: Sequence[str], second: Sequence[str]) -> Sequence[str]:
    return first or second


def _text(templates: QueryTemplates, words: Sequence[str], kind: float) -> str:
    word, other = words
    if kind < 0.2:
        return word
    if kind < 0.45:
        return templates.framed(word, 1)[0]
    if kind < 0.65:
        return templates.described(word, 1)[0]
    if kind < 0.8:
        return templates.joined(word, other)
    return _scene(templates, word)


def _scene(templates: QueryTemplates, word: str) -> str:
    rng = templates.rng
    subject = rng.choice((article(word), templates.plural(word), f"two {templates.plural(word)}"))
    doing = f" {rng.choice(_DOING)}" if rng.random() < 0.4 else ""
    return f"{subject}{doing} {rng.choice(_PLACES)}"
