"""Notices about a query: what a person should know about its answer.

A model for English embeds a word of another language as a vector, too, and that vector ranks noise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snapseek.library.search.candidates import Entry
from snapseek.library.search.query_vector import LazyEncoder
from snapseek.library.search.request import ResolvedRequest
from snapseek.models.catalogue import MULTILINGUAL
from snapseek.models.text.languages import ForeignWord, unknown_words

UNKNOWN_LANGUAGE = "unknown_language"
AMBIGUOUS_LANGUAGE = "ambiguous_language"
TRANSLATED = "translated"
NOTICE_CODES = (UNKNOWN_LANGUAGE, AMBIGUOUS_LANGUAGE, TRANSLATED)

_MAX_WORDS = 3
_MAX_LANGUAGES = 3
_MAX_CHARACTERS = 80
"""The longest part of a query that a notice repeats."""


@dataclass(frozen=True)
class Notice:
    """A notice about a query.

    Attributes
    ----------
    code
        The kind of notice, stable for programs: `unknown_language` if the model does not know the language of
        the query, `ambiguous_language` if the word is English and may be meant in another language,
        `translated` if the model reads the query as other, English words.
    text
        One or two sentences for people.
    model
        The model that answers such queries, None if there is none to name.
    """

    code: str
    text: str
    model: str | None = None


def language_notices(
    resolved: ResolvedRequest, entries: Sequence[Entry], encoder: LazyEncoder
) -> tuple[Notice, ...]:
    """Return a notice if the query is in a language that the model does not know, or reads as English.

    There is none where the words are not embedded, or where a picture has all of them in its folder, file
    name, caption, title or tags: these answer the query without the model.
    """
    texts = resolved.encoded_texts
    if not texts or (entries and entries[0].has_every_word):
        return ()
    model = encoder.encoder
    translated = {text: found.text for text in texts if (found := model.translate(text))}
    notices = [_translated(translated)] if translated else []
    read = " ".join(translated.get(text, text) for text in texts)
    unknown = [] if model.languages is None else unknown_words(read, model.languages)
    return (*notices, *([_notice(unknown)] if unknown else []))


def _translated(texts: Mapping[str, str]) -> Notice:
    pairs = [f"“{_excerpt(text)}” as “{_excerpt(english)}”" for text, english in texts.items()]
    end = " …" if len(pairs) > _MAX_WORDS else "."
    return Notice(TRANSLATED, f"Read {' and '.join(pairs[:_MAX_WORDS])}{end}")


def _excerpt(text: str) -> str:
    """Return a text, cut if it is long."""
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS].rstrip()}…"


def _notice(unknown: Sequence[ForeignWord]) -> Notice:
    words = ", ".join(f"“{word.text}”" for word in unknown[:_MAX_WORDS])
    words += " …" if len(unknown) > _MAX_WORDS else ""
    named = _languages(unknown)
    other = f"{MULTILINGUAL} knows many languages."
    if all(word.is_homograph for word in unknown):
        return Notice(
            AMBIGUOUS_LANGUAGE, f"This model reads {words} as English, not as {named}. {other}", MULTILINGUAL
        )
    of_language = f" ({named})" if named else ""
    text = f"This model knows English, and may not understand {words}{of_language}. {other}"
    return Notice(UNKNOWN_LANGUAGE, text, MULTILINGUAL)


def _languages(words: Sequence[ForeignWord]) -> str:
    """Return the names of the languages that have all of the words, or else the first; none if many have."""
    common = [name for name in words[0].languages if all(name in word.languages for word in words)]
    names = common or list(words[0].languages)
    return " or ".join(names) if len(names) <= _MAX_LANGUAGES else ""
