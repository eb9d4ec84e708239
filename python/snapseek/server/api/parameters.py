"""What a request asks for: every parameter is read, bounded and refused here, with a sentence.

A parameter that the endpoint does not know, or that is given twice, is refused as well: a misspelt `limt=5`
that is silently ignored costs more time than it saves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snapseek.errors import InputError
from snapseek.library.search.terms import MAX_QUERY_CHARACTERS, parse
from snapseek.server.api.bounded_json import parse_object

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.datastructures import QueryParams

    from snapseek.library import Term

DEFAULT_LIMIT = 60
MAX_LIMIT = 200
MAX_DEPTH = 1000  # offset + limit
MIN_WIDTH = 16
MAX_WIDTH = 4096
MAX_IDS = 256  # the most that can be folded under one picture are fewer
MAX_ID = 2**63 - 1
MIN_ID = -(2**63)
SORTS = ("relevance", "newest", "oldest", "size")
MODES = ("clip", "words", "both")
QUESTION_FIELDS = (
    "q",
    "limit",
    "offset",
    "exact",
    "tower",
    "where",
    "sort",
    "min_score",
    "dedup",
    "mode",
    "include",
)
INCLUDED = ("preview", "meta", "caption")
MAX_WHERE_CHARACTERS = 4000

# Only ASCII digits, and few of them: int() itself takes other scripts and refuses thousands of digits.
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_DECIMAL = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,17})?")


@dataclass(frozen=True)
class Window:
    """The part of a list that is asked for: `limit` entries from `offset` on."""

    limit: int
    offset: int


def check_names(params: QueryParams, known: tuple[str, ...]) -> None:
    """Refuse names outside `known` and names given twice. Raises InputError."""
    names = [name for name, _ in params.multi_items()]
    for name in names:
        if name not in known:
            expected = ", ".join(known) or "none"
            raise InputError(f"the parameter {_shown(name)} is not known here; known: {expected}")
        if names.count(name) > 1:
            raise InputError(f"the parameter {name} is given {names.count(name)} times; give it once")


def read_query(params: QueryParams) -> str:
    """The words to search for, 1 to 1000 characters without the white space around. Raises InputError."""
    if "q" not in params:
        raise InputError("the parameter q is missing; it holds the words to search for")
    return checked_query(params["q"])


def checked_query(text: str) -> str:
    """The same for a text from elsewhere."""
    query = text.strip()
    if not query:
        raise InputError("the query is empty; type at least one word")
    if len(query) > MAX_QUERY_CHARACTERS:
        raise InputError(f"the query has {len(query)} characters; at most {MAX_QUERY_CHARACTERS} are read")
    if "\0" in query:
        raise InputError("the query holds a NUL character; type plain words")
    return query


def read_where(params: QueryParams) -> str | Mapping[str, object] | None:
    """`where`: filters as text, or a JSON object when it begins with a brace. Raises InputError."""
    text = params.get("where", "").strip()
    if len(text) > MAX_WHERE_CHARACTERS:
        raise InputError(f"where has {len(text)} characters; at most {MAX_WHERE_CHARACTERS} are read")
    if text.startswith("{"):
        return parse_object(text.encode("utf-8", "surrogatepass"))
    return text or None


def read_choice(params: QueryParams, name: str, choices: Sequence[str]) -> str:
    """One of `choices`, the first of which is the default. Raises InputError."""
    value = params.get(name, choices[0])
    if value not in choices:
        expected = f"{', '.join(choices[:-1])} or {choices[-1]}"
        raise InputError(f"{name} must be {expected}; found {_shown(value)}")
    return value


def read_number(params: QueryParams, name: str) -> float | None:
    """A decimal number such as 0.25, or None. Raises InputError."""
    text = params.get(name)
    if text is None:
        return None
    if _DECIMAL.fullmatch(text):
        return float(text)
    raise InputError(f"{name} must be a decimal number such as 0.25; found {_shown(text)}")


def read_include(params: QueryParams) -> frozenset[str]:
    """`include`: which of preview, meta and caption are wanted, with commas between. Raises InputError."""
    text = params.get("include")
    names = INCLUDED if text is None else tuple(name for name in text.split(",") if name)
    for name in names:
        if name not in INCLUDED:
            raise InputError(f"include must be some of {','.join(INCLUDED)}; found {_shown(name)}")
    return frozenset(names)


def read_terms(query: str) -> list[Term]:
    """The terms of a query. Raises InputError for a malformed one, and for one that names a file.

    Whoever can reach the server may ask; none of them may have this machine open a file of their choice.
    """
    terms = parse(query)
    if any(isinstance(term.subject, Path) for term in terms):
        raise InputError(
            "image: opens a file, which is done for the command line and Python only; "
            'use id: for a picture of the library, or quotes for the words, as in "image:dog"'
        )
    return terms


def read_window(params: QueryParams) -> Window:
    """`limit` (1 to 200, default 60) and `offset` (default 0), together at most 1000. Raises InputError."""
    limit = _read_integer(params, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    return checked_window(limit, _read_integer(params, "offset", 0, 0, MAX_DEPTH - 1))


def checked_window(limit: int, offset: int) -> Window:
    """The window of these numbers. Raises InputError for those out of bounds."""
    if not (1 <= limit <= MAX_LIMIT and 0 <= offset < MAX_DEPTH):
        raise InputError(
            f"limit must be from 1 to {MAX_LIMIT} and offset from 0 to {MAX_DEPTH - 1}; "
            f"found {limit} and {offset}"
        )
    if offset + limit > MAX_DEPTH:
        raise InputError(
            f"offset + limit is {offset + limit}; at most {MAX_DEPTH} entries can be paged through, "
            "so ask with a narrower query"
        )
    return Window(limit, offset)


def read_width(params: QueryParams) -> int | None:
    """`w`, the width in pixels to send a picture in (16 to 4096), or None. Raises InputError."""
    if "w" not in params:
        return None
    return _read_integer(params, "w", MIN_WIDTH, MIN_WIDTH, MAX_WIDTH)


def read_flag(params: QueryParams, name: str) -> bool:
    """0 (the default) or 1. Raises InputError."""
    return _read_integer(params, name, 0, 0, 1) == 1


def read_id(text: str) -> int:
    """The id of a picture, a 64-bit integer. Raises InputError."""
    if _INTEGER.fullmatch(text) and MIN_ID <= int(text) <= MAX_ID:
        return int(text)
    raise InputError(f"the id of a picture is a 64-bit integer; found {_shown(text)}")


def read_ids(text: str) -> list[int]:
    """Different ids of pictures with commas between, 1 to 256. Raises InputError."""
    ids = list(dict.fromkeys(map(read_id, text.split(","))))
    if len(ids) > MAX_IDS:
        raise InputError(f"ids names {len(ids)} pictures; at most {MAX_IDS} can be asked for at once")
    return ids


def _read_integer(params: QueryParams, name: str, default: int, low: int, high: int) -> int:
    text = params.get(name)
    if text is None:
        return default
    if _INTEGER.fullmatch(text) and low <= int(text) <= high:
        return int(text)
    raise InputError(f"{name} must be an integer from {low} to {high}; found {_shown(text)}")


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 40 else text[:37] + "...")
