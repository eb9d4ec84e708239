"""A question to the library, however it came: as parameters of an address or as a JSON body."""

from __future__ import annotations

import binascii
import hashlib
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from snapseek.errors import InputError, SnapseekError
from snapseek.library import Term
from snapseek.library.search.terms import MAX_TERMS, MAX_WEIGHT
from snapseek.server.api.parameters import (
    DEFAULT_LIMIT,
    INCLUDED,
    MAX_ID,
    MIN_ID,
    QUESTION_FIELDS,
    Window,
    checked_query,
    checked_window,
    read_terms,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from snapseek.library import Hits, Library

MAX_PICTURE_BYTES = 16 * 2**20
_MAX_DIM = 4096
_MAX_PREFIX_BYTES = 200
_BASE64_PART_BYTES = 2**20  # a multiple of four; decoding it takes some milliseconds
_MAX_SHOWN = 60
_KINDS = ("text", "id", "image", "image_url", "vector")
_FIELDS = ("terms", *QUESTION_FIELDS)


@dataclass(frozen=True)
class PictureTerm:
    """A term that is a picture still to be read: its bytes, or where they are to be fetched."""

    data: bytes | None
    url: str | None
    weight: float


@dataclass(frozen=True)
class Question:
    """What is asked of `Library.search`; `typed` as it was written, `pictures` still to be made terms."""

    window: Window
    typed: str | None = None
    terms: tuple[Term, ...] = ()
    pictures: tuple[PictureTerm, ...] = ()
    where: str | Mapping[str, Any] | None = None
    sort: str = "relevance"
    min_score: float | None = None
    fold: bool = False
    mode: str = "clip"
    exact: bool = False
    tower: str = "full"
    include: frozenset[str] = field(default=frozenset(INCLUDED))

    def tag(self, version: str) -> str:
        """A weak entity tag: that of this question to the library of this version. Not for one with pictures.

        Weak, because two answers differ in the times that they took.
        """
        asked = (self.typed, self.window, self.where, self.sort, self.min_score, self.fold, self.mode)
        rest = (self.exact, self.tower, sorted(self.include))
        digest = hashlib.blake2b(repr((asked, rest)).encode("utf-8", "backslashreplace"), digest_size=12)
        return f'W/"{version}-{digest.hexdigest()}"'


class Asking:
    """A question to a library, read once; `pictures` are its pictures as terms."""

    def __init__(self, library: Library, question: Question, pictures: tuple[Term, ...] = ()) -> None:
        self._library = library
        self._question = question
        self._pictures = pictures

    @property
    def tower(self) -> str:
        """Which model its words are for."""
        return self._question.tower

    @property
    def texts(self) -> list[str]:
        """What it has the text tower read. Raises InputError as `find` does."""
        if self._question.mode == "words":
            return []
        return [term.subject for term in self._read[0] if isinstance(term.subject, str)]

    def find(self) -> tuple[Hits, tuple[str, ...]]:
        """The answer, and the filters that were read out of the typed query.

        Raises InputError, ItemNotFoundError, ModelMismatchError as `Library.search` does.
        """
        question = self._question
        terms, wheres, filters = self._read
        hits = self._library.search(
            terms or None,
            question.window.limit,
            offset=question.window.offset,
            exact=question.exact,
            tower=question.tower,
            where=wheres or None,
            sort=question.sort,
            min_score=question.min_score,
            fold=question.fold,
            mode=question.mode,
        )
        return hits, filters

    @cached_property
    def _read(self) -> tuple[list[Term], tuple[Any, ...], tuple[str, ...]]:
        """Terms, filters as `Library.search` takes them, and the typed ones as text."""
        question = self._question
        terms = [*question.terms, *self._pictures]
        wheres: list[Any] = [] if question.where is None else [question.where]
        filters: tuple[str, ...] = ()
        if question.typed is not None:
            split = self._library.parse_query(question.typed)
            filters = split.filters
            terms = [*(read_terms(split.words) if split.words.strip() else ()), *terms]
            if filters:
                wheres.append(split.tree)
        if len(terms) > MAX_TERMS:
            raise InputError(f"expected at most {MAX_TERMS} terms to search for, found {len(terms)}")
        return terms, tuple(wheres), filters


def batch_embed(library: Library, askings: Sequence[Asking]) -> None:
    """Have the words of several questions read by the text tower together. What fails is left to `find`."""
    texts: dict[str, list[str]] = {}
    for asking in askings:
        with suppress(SnapseekError):
            texts.setdefault(asking.tower, []).extend(asking.texts)
    for tower, wanted in texts.items():
        with suppress(SnapseekError):
            library.encoder_of(tower).embed_ahead(wanted)


def question_of(body: Mapping[str, Any]) -> Question:
    """The question in a JSON body. Raises InputError for what is missing, malformed or not known."""
    unknown = [name for name in body if name not in _FIELDS]
    if unknown:
        raise InputError(f"the field {_shown(unknown[0])} is not known here; known: {', '.join(_FIELDS)}")
    typed = None if body.get("q") is None else checked_query(_text(body, "q"))
    terms, pictures = _terms(body.get("terms"))
    where = body.get("where")
    if where is not None and not isinstance(where, str | Mapping):
        raise InputError(f"expected where to be a text or an object, found {_shown(where)}")
    if not (typed or terms or pictures or where):
        raise InputError("expected q, terms or where in the body, found none: there is nothing to look for")
    limit = _whole(body, "limit", DEFAULT_LIMIT)
    return Question(
        checked_window(limit, _whole(body, "offset", 0)),
        typed,
        terms,
        pictures,
        where or None,
        sort=_text(body, "sort", "relevance"),
        min_score=_number(body, "min_score"),
        fold=_flag(body, "dedup"),
        mode=_text(body, "mode", "clip"),
        exact=_flag(body, "exact"),
        tower=_text(body, "tower", "full"),
        include=_include(body.get("include")),
    )


def _terms(found: object) -> tuple[tuple[Term, ...], tuple[PictureTerm, ...]]:
    if found is None:
        return (), ()
    if not isinstance(found, list) or len(found) > MAX_TERMS:
        raise InputError(f"expected terms to be a list of at most {MAX_TERMS} objects, found {_shown(found)}")
    read = [_term(entry) for entry in found]
    terms = tuple(term for term in read if isinstance(term, Term))
    return terms, tuple(term for term in read if isinstance(term, PictureTerm))


def _term(entry: object) -> Term | PictureTerm:
    if not isinstance(entry, dict) or len(set(entry) - {"weight"}) != 1 or not set(entry) & set(_KINDS):
        raise InputError(
            f"expected a term to be an object with one of {', '.join(_KINDS)}, and a weight if it is not 1; "
            f"found {_shown(entry)}"
        )
    weight = _weight(entry)
    (kind,) = set(entry) - {"weight"}
    value = entry[kind]
    match kind:
        case "text":
            return Term(checked_query(_text(entry, kind)), weight)
        case "id":
            return Term(_id(value), weight)
        case "image":
            return PictureTerm(picture_bytes(value), None, weight)
        case "image_url":
            return PictureTerm(None, _text(entry, kind), weight)
        case _:
            return Term(vector_of(value), weight)


def picture_bytes(value: object) -> bytes:
    """The bytes of a picture in base64, with or without `data:…;base64,` before it. Raises InputError.

    `value` is a text, or what `parse_object` cut out of a body.
    """
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    if not isinstance(value, bytes | memoryview):
        raise InputError(f"expected image to be a picture in base64, found {_shown(value)}")
    text = memoryview(value)
    if bytes(text[:5]) == b"data:":
        prefix, comma, _ = bytes(text[:_MAX_PREFIX_BYTES]).partition(b",")
        text = text[len(prefix) + len(comma) :]
    if len(text) > MAX_PICTURE_BYTES * 4 // 3 + 4:
        raise InputError(f"expected a picture of at most {MAX_PICTURE_BYTES // 2**20} MB, found a larger one")
    try:
        data = b"".join(_decoded_parts(text))
    except (binascii.Error, ValueError) as error:
        raise InputError(
            f"expected image to be a picture in base64, found something else: {error}"
        ) from error
    if not data:
        raise InputError("expected image to be a picture in base64, found no byte")
    return data


def _decoded_parts(text: memoryview) -> Iterator[bytes]:
    """Decode base64 in parts, so that other threads run between them. Raises binascii.Error."""
    for begin in range(0, len(text), _BASE64_PART_BYTES):
        part = text[begin : begin + _BASE64_PART_BYTES]
        is_last = begin + len(part) == len(text)
        data = binascii.a2b_base64(part, strict_mode=True)
        if not is_last and len(data) != len(part) // 4 * 3:
            raise binascii.Error("padding before the end")
        yield data


def vector_of(value: object) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(dim,) float32 of a list of numbers. Raises InputError."""
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_DIM or not all(map(_is_number, value)):
        raise InputError(f"expected a vector to be a list of 1 to {_MAX_DIM} numbers, found {_shown(value)}")
    with np.errstate(over="ignore"):
        return np.array(value, np.float64).astype(np.float32)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e30 if isinstance(value, int) else math.isfinite(value)


def _weight(entry: Mapping[str, Any]) -> float:
    value = entry.get("weight", 1.0)
    if not _is_number(value) or abs(value) > MAX_WEIGHT:
        raise InputError(f"expected a weight from -{MAX_WEIGHT} to {MAX_WEIGHT}, found {_shown(value)}")
    return float(value)


def _id(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not MIN_ID <= value <= MAX_ID:
        raise InputError(f"the id of a picture is a 64-bit integer; found {_shown(value)}")
    return value


def _text(body: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = body.get(name, default)
    if not isinstance(value, str):
        raise InputError(f"expected {name} to be a text, found {_shown(value)}")
    return value


def _whole(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"expected {name} to be a whole number, found {_shown(value)}")
    return value


def _number(body: Mapping[str, Any], name: str) -> float | None:
    value = body.get(name)
    if value is not None and not _is_number(value):
        raise InputError(f"expected {name} to be a number, found {_shown(value)}")
    return None if value is None else float(value)


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise InputError(f"expected {name} to be true or false, found {_shown(value)}")
    return value


def _include(value: object) -> frozenset[str]:
    if value is None:
        return frozenset(INCLUDED)
    if not isinstance(value, list) or not all(isinstance(name, str) and name in INCLUDED for name in value):
        raise InputError(
            f"expected include to be a list of some of {', '.join(INCLUDED)}, found {_shown(value)}"
        )
    return frozenset(value)


def _shown(value: object) -> str:
    """The begin of a value as JSON; no more of it is written than is shown."""
    text = ""
    if isinstance(value, str):
        value = value[: _MAX_SHOWN + 1]
    for part in json.JSONEncoder(default=_named).iterencode(value):
        text += part[: _MAX_SHOWN + 1]
        if len(text) > _MAX_SHOWN:
            return text[: _MAX_SHOWN - 3] + "..."
    return text


def _named(value: object) -> str:
    return "(a picture)" if isinstance(value, bytes | memoryview) else str(value)
