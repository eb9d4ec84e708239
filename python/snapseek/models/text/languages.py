"""Tells which words of a query are in a language that a model was not trained on.

A letter of another script decides. A word in Latin letters is looked up in a list of words of other
languages, because a query is too short for statistics: `models/languages/build.py` makes it from Unicode's
annotations of emoji. A word that is not in it, such as a name, is no reason for a notice, unless a small
letter has an accent.
"""

import gzip
import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

DATA = Path(__file__).with_name("foreign_words.txt.gz")
HOMOGRAPH, AMBIGUOUS = "?", "="
"""Marks of English words in the list: foreign when they stand alone, and shared with other languages."""

LANGUAGES = {
    **{"af": "Afrikaans", "az": "Azerbaijani", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish"},
    **{"de": "German", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fi": "Finnish", "fil": "Filipino"},
    **{
        "fr": "French",
        "ga": "Irish",
        "gl": "Galician",
        "hr": "Croatian",
        "hu": "Hungarian",
        "is": "Icelandic",
    },
    **{
        "id": "Indonesian",
        "it": "Italian",
        "lt": "Lithuanian",
        "lv": "Latvian",
        "ms": "Malay",
        "nl": "Dutch",
    },
    **{
        "no": "Norwegian",
        "pl": "Polish",
        "pt": "Portuguese",
        "ro": "Romanian",
        "sk": "Slovak",
        "sv": "Swedish",
    },
    **{"sl": "Slovenian", "sq": "Albanian", "sr-Latn": "Serbian", "sw": "Swahili", "tr": "Turkish"},
    **{"uz": "Uzbek", "vi": "Vietnamese"},
}
"""The languages of the list, by the codes of CLDR."""

ENGLISH = frozenset({"en"})
WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")

INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u2060\ufeff"))
"""For `str.translate`: soft hyphen, word joiner and byte order mark vanish."""

_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "\u0131": "i", "æ": "ae", "œ": "oe"})
_KNOWN, _SHARED = 2, 1
"""How much an English word counts, and one that other languages have, too."""

_MAX_WORDS = 64


@dataclass(frozen=True)
class ForeignWord:
    """A word of a query in another language, and the names of the languages that have it, if known."""

    text: str
    languages: tuple[str, ...] = ()
    is_homograph: bool = False


def unknown_words(text: str, languages: frozenset[str]) -> list[ForeignWord]:
    """Return the words of a query in a language other than those; none if most of the query is understood.

    Parameters
    ----------
    text
        The words of a query.
    languages
        ISO 639 codes of the languages that the model knows; English is one of them.
    """
    words = WORD.findall(visible_text(text))[:_MAX_WORDS]
    found = [_look_up(word, languages) for word in words]
    foreign = [word for word in found if isinstance(word, ForeignWord)]
    certain = [word for word in foreign if not word.is_homograph]
    if not certain:
        return foreign if len(foreign) == len(found) else []
    known = sum(word for word in found if isinstance(word, int))
    return foreign if _KNOWN * len(certain) > known else []


def visible_text(text: str) -> str:
    """Return a text in compatibility form (NFKC), where full-width letters are letters, without soft hyphens.

    Copied texts have soft hyphens and joiners within words, where nobody sees them.
    """
    return unicodedata.normalize("NFKC", text.translate(INVISIBLE))


def without_accents(word: str) -> str:
    """Return the word in plain letters."""
    decomposed = unicodedata.normalize("NFKD", word.translate(_LETTERS))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


@lru_cache(4096)
def _look_up(word: str, languages: frozenset[str]) -> ForeignWord | int:
    """Return the foreign word, or how much a known one counts against foreign ones."""
    if script := _other_script(word):
        return ForeignWord(word, (script,))
    lower = word.lower()
    entry = _entry(lower)
    if entry == [AMBIGUOUS]:
        return _SHARED
    if entry:
        codes = [code for code in entry if code != HOMOGRAPH]
        if languages & {code.partition("-")[0] for code in codes}:
            return _KNOWN
        return ForeignWord(word, tuple(LANGUAGES[code] for code in codes), entry[0] == HOMOGRAPH)
    if word == lower and without_accents(lower) != lower:
        return ForeignWord(word)
    return _KNOWN if len(word) > 1 else 0


def _other_script(word: str) -> str | None:
    """Return the name of the script of the first letter that is not Latin."""
    for letter in word:
        script = unicodedata.name(letter, "LATIN").split()[0].partition("-")[0]
        if script not in ("LATIN", "FULLWIDTH", "MODIFIER", "MICRO", "FEMININE", "MASCULINE"):
            return {"HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean"}.get(
                script, "Chinese" if script == "CJK" else script.capitalize()
            )
    return None


def _entry(word: str) -> list[str]:
    """Return mark and languages of a word in the sorted list, by binary search; empty if it is not there."""
    content, key = _content(), word.encode() + b" "
    low, high = 0, len(content)
    while low < high:
        middle = content.rfind(b"\n", low, (low + high) // 2) + 1 or low
        end = content.find(b"\n", middle)
        line = content[middle:end]
        if line.startswith(key):
            return line[len(key) :].decode().split()
        if line < key:
            low = end + 1
        else:
            high = middle
    return []


@cache
def _content() -> bytes:
    return gzip.decompress(DATA.read_bytes())
