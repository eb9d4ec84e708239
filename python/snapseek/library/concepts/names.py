"""The names of concepts, and where they stand in the words of a query."""

import re
from collections.abc import Collection, Iterable
from contextlib import suppress

from snapseek.errors import InputError, OutOfRangeError, ParseError
from snapseek.library.filters.text_normalize import casefold_text

MAX_NAME_CHARACTERS = 60
FILLERS = frozenset(
    {"a", "an", "and", "at", "by", "for", "from", "in", "my", "of", "on", "or", "our", "photo", "picture"}
    | {"the", "their", "to", "with", "your"}
)
"""Words that say nothing next to a name."""

_NAME = re.compile(r"[^\W_](?:[\w'\u2019. -]*[\w'\u2019.])?")
_SPACES = re.compile(r"\s+")
_LONE_SIGN = re.compile(r"(?:\A|\s)-+(?:\s|\Z)|\s-(?=\w)")


def checked_name(name: object) -> str:
    """Return a name with single spaces.

    Raises
    ------
    InputError
        It is no text, empty, longer than 60 characters, or has characters that are signs of the query
        language.
    """
    if not isinstance(name, str):
        raise InputError(expected="the name of a concept as a text", got=type(name).__name__)
    found = _SPACES.sub(" ", name).strip()
    if len(found) > MAX_NAME_CHARACTERS:
        raise OutOfRangeError(
            expected=f"a name of at most {MAX_NAME_CHARACTERS} characters", got=f"{len(found)} characters"
        )
    is_valid = _NAME.fullmatch(found) and not _LONE_SIGN.search(found) and not found.isdecimal()
    if set(found.lower().split()) <= FILLERS and found:
        raise InputError(expected="a name that says something", got=f"{found!r}", hint="add a word")
    if not is_valid:
        raise ParseError(
            expected="a name of letters and digits, such as rex or our garden",
            got=f"{name!r:.60}" if found else "an empty name",
            hint="a name begins with a letter or digit and is no number",
        )
    return found


def is_name(name: object) -> bool:
    """Return whether a text can be the name of a concept."""
    with suppress(InputError):
        return checked_name(name) == name
    return False


def key_of(name: str) -> str:
    """Return the form in which names are compared: case and accents do not count."""
    return casefold_text(_SPACES.sub(" ", name).strip())


def split_names(words: str, keys: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """Return the words of a query without the names in it, and the keys of these names, each once.

    Parameters
    ----------
    words
        A term of a query. A name counts where it stands as whole words.
    keys
        The keys of all concepts. Of two names at one place the longer one counts.
    """
    if not keys:
        return words, ()
    spaced = _SPACES.sub(" ", words).strip()
    folded = casefold_text(spaced)
    present = [key for key in keys if key in folded]
    if not present:
        return words, ()
    if len(folded) != len(spaced):  # a letter that folds to two, such as ß: positions differ
        spaced = folded
    pattern = _any_of(present)
    found = tuple(dict.fromkeys(match[0] for match in pattern.finditer(folded)))
    if not found:
        return words, ()
    kept, end = [], 0
    for match in pattern.finditer(folded):
        kept.append(spaced[end : match.start()])
        end = match.end()
    kept.append(spaced[end:])
    return _SPACES.sub(" ", " ".join(kept)).strip(), found


def _any_of(keys: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(keys, key=lambda key: (-len(key), key))
    return re.compile(rf"(?<![\w'\u2019])(?:{'|'.join(map(re.escape, longest_first))})(?![\w])")
