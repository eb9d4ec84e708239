"""The query language: what a person types, as terms with weights. Pure: nothing is opened or looked up here.

    two dogs on a beach           one term; a plain sentence means itself
    horse + stripes - snow        terms that are added and taken away; -snow is - snow
    2:horse + 0.5:stripes         weights; after a weighted term the + may be left out
    "12 - 30 o'clock"             a phrase: + - and colons inside are words; "" stands for one quote
    id:17 + at night              a picture of the library by its id
    image:dog.jpg, image:"a - b.jpg"   a picture file

A sign is an operator only where ordinary text seldom has it: `+` or `-` alone between spaces, or at the
start of a word right before a letter, a quote or a weight. T-shirt, black-and-white, C++, -5 degrees, `--`
and the longer dashes are words. A weight is a number and a colon right before a letter or a quote, at the
start of a term: 12:30, 16:9 and `note: a dog` are words. `id:` and `image:` count at the start of a term,
too. For those used to the shell, a weight may stand just inside the quotes: "2:golden retriever". Quotes
with further words around them belong to the sentence: a sign that says "stop".
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from snapseek.errors import InputError

MAX_QUERY_CHARACTERS = 1000
MAX_TERMS = 16
MAX_WEIGHT = 1000
_ID_BITS = 64
_SHOWN_CHARACTERS = 30

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
    """A part of a query: a subject, and how much of it is wanted; below 0, how much of it is not.

    The subject is words (str), a picture of the library by its id (int), any other picture (the path of its
    file, or the PIL picture itself), or a vector of the model's space, (dim,) float, of any length but 0.
    """

    subject: Subject
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Raises InputError for empty words, a subject of no kind above, or a weight out of bounds."""
        if isinstance(self.subject, bool) or not isinstance(self.subject, _SUBJECTS):
            found = type(self.subject).__name__
            raise InputError(f"expected words, an id, a path or a picture to search by, found {found}")
        if isinstance(self.subject, str) and not self.subject.strip():
            raise InputError("expected words to search for, found an empty term")
        if not (math.isfinite(self.weight) and abs(self.weight) <= MAX_WEIGHT):
            raise InputError(f"expected a weight from -{MAX_WEIGHT} to {MAX_WEIGHT}, found {self.weight}")


Query = Subject | Term | Sequence[Subject | Term]


def terms_of(query: Query) -> list[Term]:
    """The terms of a query: a text is parsed; in a list, a text stands for its words as they are.

    Raises InputError for a query that is empty, malformed or has more than 16 terms.
    """
    if isinstance(query, str):
        return parse(query)
    if isinstance(query, bytes):
        raise InputError("expected a text to search for, found bytes; decode them")
    parts = query if isinstance(query, Sequence) else [query]
    terms = [part if isinstance(part, Term) else Term(part) for part in parts]
    if not 1 <= len(terms) <= MAX_TERMS:
        raise InputError(f"expected 1 to {MAX_TERMS} terms to search for, found {len(terms)}")
    return terms


def parse(query: str) -> list[Term]:
    """The terms of a typed query, at least one; subjects are words, ids and paths.

    Raises InputError with the place for a query that is malformed, and for one that is empty, longer than
    1,000 characters or of more than 16 terms.
    """
    text = query.strip()
    if not text:
        raise InputError("expected words to search for, found an empty query")
    if len(text) > MAX_QUERY_CHARACTERS:
        raise InputError(f"expected a query of at most {MAX_QUERY_CHARACTERS} characters, found {len(text)}")
    return _Parser(text).terms()


def written(terms: Sequence[Term]) -> str:
    """A text that `parse` reads as these; `image:(picture)` for a PIL picture, `(vector)` for a vector."""
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
            return (prefix or "1:") + _quoted(term.subject)  # so that the number inside is no weight
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
    """A cursor over the text: `_at` is the place of what comes next."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def terms(self) -> list[Term]:
        found = [self._term(self._sign())]
        while self._at < len(self._text):
            if len(found) == MAX_TERMS:
                raise self._refusal(f"at most {MAX_TERMS} terms, found more", self._at)
            found.append(self._term(self._sign()))
        return found

    def _sign(self) -> int:
        """Step over an operator, where there is one; without it, a term is added."""
        sign = _SIGN.match(self._text, self._at)
        self._step_to(sign.end() if sign else self._at)
        return -1 if sign and sign[1] == "-" else 1

    def _term(self, sign: int) -> Term:
        weight = self._weight()
        if self._at == len(self._text):
            raise self._refusal("a term after the operator, found the end", self._at)
        if weight is None and _SIGN.match(self._text, self._at):
            raise self._refusal("a term after the operator, found another operator", self._at)
        kind = _KIND.match(self._text, self._at)
        start = kind.end() if kind else self._at
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
        found = _WEIGHT.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return self._checked_weight(found[1], found.start())

    def _words(self, start: int, end: int, weight: float | None) -> tuple[str, float | None]:
        """The words of a term and its weight, which may stand just inside the quotes."""
        text = self._unquoted(start, end)
        is_phrase = _QUOTED.fullmatch(self._text, start, end) is not None
        inner = _WEIGHT.match(text) if is_phrase and weight is None else None
        if inner is None:
            return text, weight
        return text[inner.end() :], self._checked_weight(inner[1], start + 1)

    def _checked_weight(self, number: str, at: int) -> float:
        weight = float(number)
        if abs(weight) > MAX_WEIGHT:
            raise self._refusal(f"a weight from -{MAX_WEIGHT} to {MAX_WEIGHT}, found {number[:20]}", at)
        return weight

    def _id(self, start: int, end: int) -> int:
        text = self._text[start:end]
        if _ID.fullmatch(text) and -(2 ** (_ID_BITS - 1)) <= int(text) < 2 ** (_ID_BITS - 1):
            return int(text)
        raise self._refusal("the number of a picture after id:, then + or - or the end,", start)

    def _unquoted(self, start: int, end: int) -> str:
        """The text of a term: what is in the quotes if all of it is, else everything as it is."""
        if self._text[start] == '"' and not _QUOTED.match(self._text, start):
            raise self._refusal('a second " that closes this one, found none', start)
        quoted = _QUOTED.fullmatch(self._text, start, end)
        text = quoted[1].replace('""', '"') if quoted else self._text[start:end]
        if not text.strip():
            raise self._refusal("words between the quotes, found none", start)
        return text

    def _end_of_term(self, at: int, weighted: bool) -> int:
        """Where the term ends: before the next operator, or after a weight before the next weight."""
        text = self._text
        weighted = weighted or _WEIGHT_OR_QUOTED.match(text, at) is not None
        while True:
            quoted = _QUOTED.match(text, at)
            end = _next(_WORD, text, quoted.end() if quoted else at)
            at = _next(_SPACE, text, end)
            if at == len(text) or _SIGN.match(text, at):
                return end
            if weighted and _WEIGHT_OR_QUOTED.match(text, at):
                return end

    def _step_to(self, at: int) -> None:
        self._at = _next(_SPACE, self._text, at)

    def _refusal(self, expected: str, at: int) -> InputError:
        before, after = self._text[:at], self._text[at:]
        if len(before) > _SHOWN_CHARACTERS:
            before = "…" + before[-_SHOWN_CHARACTERS:]
        if len(after) > _SHOWN_CHARACTERS:
            after = after[:_SHOWN_CHARACTERS] + "…"
        return InputError(f"expected {expected} at character {at + 1} (→) of the query: {before}→{after}")


def _next(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where the match at this place ends; both patterns match everywhere, if only nothing."""
    found = pattern.match(text, at)
    assert found is not None
    return found.end()
