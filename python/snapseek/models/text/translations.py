"""Reads everyday words of five languages as English, for a model that knows English nouns and colors.

Words are looked up in a list that `models/languages/translations.py` makes: nouns with their plurals,
adjectives with their endings, articles and prepositions. A word that is English, too (*chat*, *gift*), counts
only next to a word that is not. Numbers stay. Word order stays, but for adjectives, which precede their noun
in English.
"""

import gzip
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from snapseek.models.text.languages import LANGUAGES as NAMES
from snapseek.models.text.languages import visible_text

DATA = Path(__file__).with_name("translations.txt.gz")
LANGUAGES = ("de", "fr", "es", "it", "pt")
NOUN, PLURAL, ADJECTIVE, LITTLE = "n", "p", "a", "w"
"""Parts of speech; capital letters are forms that are English words, too."""

_NUMBER = "#"
"""The mark of a number, which every language has."""

_WORDS = re.compile(r"[^\W\d_]{3,}|[^\W_]*\d[^\W_]*(?:[.,:/]\d[^\W_]*)*|[^\W\d_]+")
_HAS_DIGIT = re.compile(r"\d")
_MAX_CHARACTERS = 1000
_MAX_WORDS = 64
_MAX_PHRASE = 4  # words of `coucher de soleil` and the like


@dataclass(frozen=True)
class Translation:
    """The English text that a text is read as, and the names of the languages that it may be in."""

    text: str
    languages: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """Words of a query and their meaning in one language; no mark for a word that the language lacks."""

    words: tuple[str, ...]
    meaning: str
    mark: str = ""

    @property
    def part(self) -> str:
        return self.mark.lower()

    @property
    def is_content(self) -> bool:
        return self.part in (NOUN, PLURAL, ADJECTIVE)

    @property
    def is_english(self) -> bool:
        return self.mark != self.part


def translate(text: str) -> Translation | None:
    """Return the English text that words of one of the five languages mean; None for other texts.

    Of languages that have the same number of the words, one in which they are singular is the more likely. A
    text that several languages understand equally well is not translated if they disagree. Of a long text
    only the beginning is read, which is more than the model reads.
    """
    return _translated(text[:_MAX_CHARACTERS])


@lru_cache(1024)
def _translated(text: str) -> Translation | None:
    words = words_of(text)
    if not any(word.lower() in _foreign_words() for word in words):
        return None
    parsed = {language: tuple(_parts(words, language)) for language in LANGUAGES}
    understood = {language: parts for language, parts in parsed.items() if _is_understood(parts)}
    best = max(map(_likelihood, understood.values()), default=None)
    likeliest = [language for language, parts in understood.items() if _likelihood(parts) == best]
    contents = {tuple(part.meaning for part in understood[code] if part.is_content) for code in likeliest}
    if len(contents) != 1:
        return None
    text = min((_written(understood[code], code) for code in likeliest), key=len)
    return Translation(text, tuple(NAMES[language] for language in likeliest))


def in_english(text: str) -> str:
    """Return the English text that a text means, or the text itself; see `translate`."""
    translation = translate(text)
    return translation.text if translation else text


def words_of(text: str) -> list[str]:
    """Return the words and numbers of a text, split at hyphens and apostrophes; `4x4` is a number."""
    return _WORDS.findall(visible_text(text))[:_MAX_WORDS]


def _is_understood(parts: Sequence[_Part]) -> bool:
    """Return whether a language has most of the words, at least one of them being no English."""
    unknown = sum(not part.part for part in parts)
    content = [part for part in parts if part.is_content]
    foreign = sum(len(part.words) for part in content if not part.is_english)
    if foreign:
        return foreign >= unknown
    return bool(content) and not unknown and not all(part.is_english for part in parts)


def _likelihood(parts: Sequence[_Part]) -> tuple[int, int]:
    """Return how many words a language has, and, below zero, how many of them are plurals."""
    return sum(len(part.words) for part in parts if part.part), -sum(part.part == PLURAL for part in parts)


def _parts(words: Sequence[str], language: str) -> Iterator[_Part]:
    """Split words into the longest phrases that a language has."""
    start = 0
    while start < len(words):
        part = _longest(words[start : start + _MAX_PHRASE], language)
        yield part
        start += len(part.words)


def _longest(words: Sequence[str], language: str) -> _Part:
    """Return the longest phrase that begins with the first word."""
    for length in range(len(words), 0, -1):
        if found := _meaning(" ".join(words[:length]).lower(), language):
            return _Part(tuple(words[:length]), *found)
    return _Part((words[0],), words[0], _NUMBER if _HAS_DIGIT.search(words[0]) else "")


def _meaning(form: str, language: str) -> tuple[str, str] | None:
    """Return meaning and mark of a form in a language."""
    for field in _fields().get(form, "").split("\t"):
        codes, mark, meaning = field.split(" ", 2) if field else ("", "", "")
        if language in codes.split(","):
            return meaning, mark
    return None


@cache
def _fields() -> dict[str, str]:
    """Return the line of each form."""
    lines = gzip.decompress(DATA.read_bytes()).decode().splitlines()
    return {form: fields for form, _, fields in (line.partition("\t") for line in lines)}


@cache
def _foreign_words() -> frozenset[str]:
    """Return the longest word of each form that is no English: a text without one is in no other language."""
    return frozenset(
        max(form.split(), key=len)
        for form, fields in _fields().items()
        if any(field.split(" ", 2)[1].islower() for field in fields.split("\t"))
    )


def _written(parts: Sequence[_Part], language: str) -> str:
    written: list[_Part] = []
    for part in parts:
        follows_noun = bool(written) and written[-1].part in (NOUN, PLURAL)
        is_moved = language != "de" and follows_noun and part.part == ADJECTIVE
        written.insert(len(written) - is_moved, part)
    return " ".join(part.meaning for part in written if part.meaning)
