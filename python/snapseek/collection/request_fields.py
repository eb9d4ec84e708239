"""The fields and arrays of the requests of routers, each checked when it is read."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.collection.frames import excerpt
from snapseek.errors import ArrayError, OutOfRangeError, ParseError
from snapseek.library.search.bm25 import WordStatistics
from snapseek.search_request import INCLUDED, SORTS, check_choice

MAX_K = 10_000
"""The largest number of pictures of one answer, besides those that the query names itself."""

_MAX_WORDS_CHARACTERS = 16_000
_NO_IDS = np.zeros(0, np.int64)
Ids = NDArray[np.int64]


def integer_of(fields: Mapping[str, Any], name: str, maximum: int) -> int:
    """Return a field that is an integer from 0 to `maximum`. Raises InputError."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= maximum:
        raise OutOfRangeError(expected=f"{name} from 0 to {maximum}", got=excerpt(value))
    return value


def signed_of(fields: Mapping[str, Any], name: str) -> int:
    """Return a field that is an integer of 64 bits. Raises InputError."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise OutOfRangeError(expected=f"{name} of 64 bits", got=excerpt(value))
    return value


def ids_of(arrays: Mapping[str, Any], name: str) -> Ids:
    """Return an array of ids, (n,) int64; an empty one if there is none. Raises ArrayError."""
    ids = arrays.get(name, _NO_IDS)
    if ids.dtype != np.int64 or ids.ndim != 1 or len(ids) > MAX_K:
        raise ArrayError(expected=f"up to {MAX_K} ids in {name}", got=f"{ids.dtype} {ids.shape}")
    return np.asarray(ids, np.int64)


def words_of(fields: Mapping[str, Any]) -> str:
    """Return the words of a query. Raises ParseError."""
    words = fields.get("words")
    if not isinstance(words, str) or len(words) > _MAX_WORDS_CHARACTERS:
        raise ParseError(expected=f"words of up to {_MAX_WORDS_CHARACTERS} characters", got="something else")
    return words


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """Return a field that is a text. Raises ParseError."""
    text = fields.get(name)
    if not isinstance(text, str) or len(text) > _MAX_WORDS_CHARACTERS:
        raise ParseError(expected=f"{name} of up to {_MAX_WORDS_CHARACTERS} characters", got=excerpt(text))
    return text


def sort_of(fields: Mapping[str, Any]) -> str:
    """Return the sort; without one, `relevance`. Raises UnknownChoiceError."""
    sort = fields.get("sort", SORTS[0])
    check_choice("sort", sort, SORTS)
    return str(sort)


def statistics_of(fields: Mapping[str, Any], words: int) -> WordStatistics:
    """Return the statistics of this number of words over the whole collection. Raises ParseError."""
    value = fields.get("statistics")
    if isinstance(value, list) and len(value) == 3:
        rows, length, counts = value
        is_list = isinstance(counts, list) and len(counts) <= words
        if is_list and all(type(part) is int and 0 <= part <= 2**53 for part in (rows, *counts)):
            is_number = isinstance(length, int | float) and 0 <= length <= 2**60
            if is_number and all(count <= rows for count in counts):
                return WordStatistics(rows, float(length), tuple(counts))
    raise ParseError(expected="the statistics of words", got=excerpt(value))


def included_in(fields: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields that a request includes. Raises ParseError."""
    include = fields.get("include", list(INCLUDED))
    if not isinstance(include, list) or not all(name in INCLUDED for name in include):
        raise ParseError(expected="names of fields to include", got=excerpt(include))
    return include
