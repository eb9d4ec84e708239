"""The query language: parses a typed query to terms with weights. Opens no file and no library.

    two dogs on a beach           one term: a plain sentence means itself
    horse + stripes - snow        added and subtracted terms; -snow is - snow
    2:horse + 0.5:stripes         weights; after a weighted term the + is optional
    "12 - 30 o'clock"             a phrase: + - and colons inside are words; "" is one quote
    id:17 + at night              a picture of the library by its id
    image:dog.jpg, image:"a - b.jpg"   a picture file

A sign is an operator only where ordinary text seldom has it: `+` or `-` alone between spaces, or at the
start of a word right before a letter, a quote or a weight. T-shirt, black-and-white, C++, -5 degrees, `--`
and the longer dashes are words. A weight is a number and a colon right before a letter or a quote, at the
start of a term: 12:30, 16:9 and `note: a dog` are words. `id:` and `image:` count at the start of a term,
too. A weight may also stand just inside the quotes, as in a shell: "2:golden retriever". Quotes with words
around them belong to the sentence: a sign that says "stop".
"""

import math
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, SupportsIndex, TypeGuard

import numpy as np
from PIL import Image

from snapseek.errors import InputError, OutOfRangeError, ParseError
from snapseek.models.text.languages import INVISIBLE

MAX_QUERY_CHARACTERS = 1000
MAX_TERMS = 16
MAX_WEIGHT = 1000
_ID_BITS = 64
_EXCERPT_CHARACTERS = 30

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_BEGINS = r"""(?=[^\W\d_]|")"""  # a letter or a quote
_WEIGHTED = rf"([+-]?{_NUMBER}):{_BEGINS}"
_WEIGHT = re.compile(_WEIGHTED)
_WEIGHT_OR_QUOTED = re.compile('"?' + _WEIGHTED)
_SIGN = re.compile(rf"([+-])(?:(?=\s|\Z)|{_BEGINS}|(?={_NUMBER}:{_BEGINS}))")
_QUOTED = re.compile(r'"((?:[^"]|"")*+)"')
_KIND = re.compile(r"(id|image):(?=\S)")
_ID = re.compile(r"-?[0-9]{1,19}")
_WORD = re.compile(r"\S*")
_SPACE = re.compile(r"\s*")
_PLAIN = re.compile(r"[^\W\d_]\w*(?: \w+)*")

Subject = str | int | Path | Image.Image | np.ndarray[Any, Any]
_SUBJECTS = (str, int, Path, Image.Image, np.ndarray)


@dataclass(frozen=True)
class Term:
    """A part of a query: a subject and its weight in the query vector.

    Parameters
    ----------
    subject
        Words (str), a picture of the library by its id (int), another picture (the path of its file, or the
        PIL picture), or a vector of the model's space, (dim,) float, of any length but 0.
    weight
        From -1000 to 1000; a negative weight subtracts the subject.

    Raises
    ------
    InputError
        The words are blank, the subject has another type, or the weight is out of range.
    """

    subject: Subject
    weight: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.subject, bool) or not isinstance(self.subject, _SUBJECTS):
            raise InputError(
                expected="words, an id, a path, a picture or a vector to search by",
                got=type(self.subject).__name__,
            )
        if isinstance(self.subject, str) and not self.subject.strip():
            raise InputError(expected="words to search for", got="an empty term")
        if not (math.isfinite(self.weight) and abs(self.weight) <= MAX_WEIGHT):
            raise OutOfRangeError(
                expected=f"a weight from -{MAX_WEIGHT} to {MAX_WEIGHT}", got=str(self.weight)
            )


Query = Subject | Term | Sequence[Subject | Term]


def terms_of(query: Query) -> list[Term]:
    """Return the terms of a query. A text is parsed; a text in a list means its words.

    Raises InputError for a query that is empty, malformed or has more than 16 terms.
    """
    if isinstance(query, str):
        return parse(query)
    if isinstance(query, bytes):
        raise InputError(expected="a text to search for", got="bytes", hint="decode them")
    parts = query if isinstance(query, Sequence) else [query]
    terms = [part if isinstance(part, Term) else Term(part) for part in parts]
    if not 1 <= len(terms) <= MAX_TERMS:
        raise InputError(expected=f"1 to {MAX_TERMS} terms to search for", got=str(len(terms)))
    return terms


def parse(query: str) -> list[Term]:
    """Parse a typed query to one term or more; subjects are words, ids and paths.

    Soft hyphens and other characters that nobody sees are left out of words.

    Raises
    ------
    InputError
        The query is malformed, which the message locates, empty, longer than 1,000 characters, or has more
        than 16 terms.
    """
    text = query.strip()
    if not text:
        raise InputError(expected="words to search for", got="an empty query")
    if len(text) > MAX_QUERY_CHARACTERS:
        raise OutOfRangeError(
            expected=f"a query of at most {MAX_QUERY_CHARACTERS} characters", got=str(len(text))
        )
    return [_visible(term) for term in _Parser(text).terms()]


def _visible(term: "Term") -> "Term":
    if not isinstance(term.subject, str) or term.subject.isascii():
        return term
    return replace(term, subject=term.subject.translate(INVISIBLE) or term.subject)


def written(terms: Sequence[Term]) -> str:
    """Return a text that `parse` reads as these terms.

    A PIL picture becomes `image:(picture)`, a vector `(vector)`.
    """
    parts = [("- " if term.weight < 0 else "+ ") + _written_term(term) for term in terms]
    return " ".join(parts).removeprefix("+ ")


def _written_term(term: Term) -> str:
    weight = abs(term.weight)
    prefix = "" if weight == 1 else _decimal(weight) + ":"
    match term.subject:
        case int():
            return f"{prefix}id:{term.subject}"
        case Path():
            return f"{prefix}image:{_quoted(str(term.subject))}"
        case str() if _PLAIN.fullmatch(term.subject):
            return prefix + term.subject
        case str() if _WEIGHT.match(term.subject):
            return (prefix or "1:") + _quoted(
                term.subject
            )  # so that the number inside is not read as a weight
        case str():
            return prefix + _quoted(term.subject)
        case np.ndarray():
            return f"{prefix}(vector)"
        case _:
            return f"{prefix}image:(picture)"


def _decimal(number: float) -> str:
    return format(Decimal(repr(float(number))), "f").removesuffix(".0")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


class _Parser:
    """A cursor over the text: `_position` is that of the next character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def terms(self) -> list[Term]:
        found = [self._term(self._sign())]
        while self._position < len(self._text):
            if len(found) == MAX_TERMS:
                raise self._refusal(f"at most {MAX_TERMS} terms", "more", self._position)
            found.append(self._term(self._sign()))
        return found

    def _sign(self) -> int:
        """Skip an operator and return its sign; 1 without an operator."""
        sign = _SIGN.match(self._text, self._position)
        self._step_to(sign.end() if sign else self._position)
        return -1 if sign and sign[1] == "-" else 1

    def _term(self, sign: int) -> Term:
        weight = self._weight()
        if self._position == len(self._text):
            raise self._refusal("a term after the operator", "the end", self._position)
        if weight is None and _SIGN.match(self._text, self._position):
            raise self._refusal("a term after the operator", "another operator", self._position)
        kind = _KIND.match(self._text, self._position)
        start = kind.end() if kind else self._position
        end = self._end_of_term(start, weight is not None)
        subject: Subject
        if kind and kind[1] == "id":
            subject = self._id(start, end)
        elif kind:
            subject = Path(self._unquoted(start, end))
        else:
            subject, weight = self._words(start, end, weight)
        self._step_to(end)
        return Term(subject, sign * (1.0 if weight is None else weight))

    def _weight(self) -> float | None:
        found = _WEIGHT.match(self._text, self._position)
        if found is None:
            return None
        self._position = found.end()
        return self._checked_weight(found[1], found.start())

    def _words(self, start: int, end: int, weight: float | None) -> tuple[str, float | None]:
        """Return the words of a term and its weight, which may stand just inside the quotes."""
        text = self._unquoted(start, end)
        is_phrase = _QUOTED.fullmatch(self._text, start, end) is not None
        inner = _WEIGHT.match(text) if is_phrase and weight is None else None
        if inner is None:
            return text, weight
        return text[inner.end() :], self._checked_weight(inner[1], start + 1)

    def _checked_weight(self, number: str, position: int) -> float:
        weight = float(number)
        if abs(weight) > MAX_WEIGHT:
            raise self._refusal(f"a weight from -{MAX_WEIGHT} to {MAX_WEIGHT}", f"{number[:20]}", position)
        return weight

    def _id(self, start: int, end: int) -> int:
        text = self._text[start:end]
        if _ID.fullmatch(text) and -(2 ** (_ID_BITS - 1)) <= int(text) < 2 ** (_ID_BITS - 1):
            return int(text)
        raise self._refusal(
            "the number of a picture after id:, then + or - or the end", "something else", start
        )

    def _unquoted(self, start: int, end: int) -> str:
        """Return the text of a term, without quotes around all of it."""
        if self._text[start] == '"' and not _QUOTED.match(self._text, start):
            raise self._refusal('a second " that closes this one', "none", start)
        quoted = _QUOTED.fullmatch(self._text, start, end)
        text = quoted[1].replace('""', '"') if quoted else self._text[start:end]
        if not text.strip():
            raise self._refusal("words between the quotes", "none", start)
        return text

    def _end_of_term(self, position: int, weighted: bool) -> int:
        """Return the end of a term: before the next operator or, after a weight, the next weight."""
        text = self._text
        weighted = weighted or _WEIGHT_OR_QUOTED.match(text, position) is not None
        while True:
            quoted = _QUOTED.match(text, position)
            end = _next(_WORD, text, quoted.end() if quoted else position)
            position = _next(_SPACE, text, end)
            if position == len(text) or _SIGN.match(text, position):
                return end
            if weighted and _WEIGHT_OR_QUOTED.match(text, position):
                return end

    def _step_to(self, position: int) -> None:
        self._position = _next(_SPACE, self._text, position)

    def _refusal(self, expected: str, got: str, position: int) -> InputError:
        before, after = self._text[:position], self._text[position:]
        if len(before) > _EXCERPT_CHARACTERS:
            before = "…" + before[-_EXCERPT_CHARACTERS:]
        if len(after) > _EXCERPT_CHARACTERS:
            after = after[:_EXCERPT_CHARACTERS] + "…"
        location = f"at character {position + 1} (→) of the query: {before}→{after}"
        return ParseError(expected=expected, got=f"{got} {location}")


def _next(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Return the end of the match at a position; both patterns match everywhere, if only nothing."""
    found = pattern.match(text, position)
    assert found is not None
    return found.end()


def is_id(item: object) -> TypeGuard[SupportsIndex]:
    """Return whether a value can be the id of a picture: an integer of Python or NumPy, no bool."""
    return isinstance(item, SupportsIndex) and not isinstance(item, bool | np.bool_ | np.ndarray)


def checked_id(item: object) -> int:
    """Return the id of a picture. Raises InputError for anything else."""
    if not is_id(item):
        raise InputError(
            expected="the id of a picture, an integer such as hit.id",
            got=repr(item),
            hint="search by words with search(), list pictures with browse()",
        )
    return operator.index(item)
