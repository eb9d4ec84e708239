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
from snapseek.library.terms import MAX_QUERY_CHARACTERS, parse

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from snapseek.library import Term

DEFAULT_LIMIT = 60
MAX_LIMIT = 200
MAX_DEPTH = 1000  # offset + limit
MIN_WIDTH = 16
MAX_WIDTH = 4096
MAX_ID = 2**63 - 1
MIN_ID = -(2**63)
TOWERS = ("full", "fast")

# Only ASCII digits, and few of them: int() itself takes other scripts and refuses thousands of digits.
_INTEGER = re.compile(r"-?[0-9]{1,19}")


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
    query = params["q"].strip()
    if not query:
        raise InputError("the query is empty; type at least one word")
    if len(query) > MAX_QUERY_CHARACTERS:
        raise InputError(f"the query has {len(query)} characters; at most {MAX_QUERY_CHARACTERS} are read")
    if "\0" in query:
        raise InputError("the query holds a NUL character; type plain words")
    return query


def read_tower(params: QueryParams) -> str:
    """`tower`, `full` (default) or `fast`. Raises InputError."""
    tower = params.get("tower", "full")
    if tower not in TOWERS:
        raise InputError(f"tower must be full or fast; found {_shown(tower)}")
    return tower


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
    offset = _read_integer(params, "offset", 0, 0, MAX_DEPTH - 1)
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


def read_exact(params: QueryParams) -> bool:
    """`exact`, 0 (the default) or 1: whether every picture is to be scored. Raises InputError."""
    return _read_integer(params, "exact", 0, 0, 1) == 1


def read_id(text: str) -> int:
    """The id of a picture, a 64-bit integer. Raises InputError."""
    if _INTEGER.fullmatch(text) and MIN_ID <= int(text) <= MAX_ID:
        return int(text)
    raise InputError(f"the id of a picture is a 64-bit integer; found {_shown(text)}")


def _read_integer(params: QueryParams, name: str, default: int, low: int, high: int) -> int:
    text = params.get(name)
    if text is None:
        return default
    if _INTEGER.fullmatch(text) and low <= int(text) <= high:
        return int(text)
    raise InputError(f"{name} must be an integer from {low} to {high}; found {_shown(text)}")


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 40 else text[:37] + "...")
