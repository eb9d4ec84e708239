"""Parameters that endpoints read from an address: names, ids, widths, and the text of a query.

A parameter that the endpoint does not know, or that is repeated, is refused: a misspelt `limt=5` that is
silently ignored costs more time than it saves.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from snapseek.errors import OutOfRangeError, ParseError
from snapseek.library.search.terms import MAX_QUERY_CHARACTERS

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

MAX_DEPTH = 1000
"""The largest offset + limit."""

MAX_OFFSET = 10**9
"""Of lists that are not ranked, whose pages go on to the last picture."""

MIN_WIDTH = 16
MAX_WIDTH = 4096
MAX_IDS = 256
"""More than the near-duplicates that can be grouped under one picture."""

MAX_ID = 2**63 - 1
MIN_ID = -(2**63)
MAX_WHERE_CHARACTERS = 4000
_MAX_EXCERPT_CHARACTERS = 60

# Only ASCII digits, and few of them: int() itself accepts other scripts and refuses thousands of digits.
INTEGER = re.compile(r"-?[0-9]{1,19}")


def check_names(params: QueryParams, known: tuple[str, ...]) -> None:
    """Raise InputError for names outside of `known` and names that are repeated."""
    names = [name for name, _ in params.multi_items()]
    for name in names:
        if name not in known:
            raise ParseError(
                expected="a known parameter",
                got=excerpt(name),
                hint=f"known: {', '.join(known) or 'none'}",
            )
        if names.count(name) > 1:
            raise ParseError(
                expected=f"the parameter {name} once", got=f"{names.count(name)} times", hint="pass it once"
            )


def checked_query(text: str) -> str | None:
    """Return a query without surrounding white space; None for a blank one.

    Raises InputError for more than 1,000 characters, and for a NUL character.
    """
    query = text.strip()
    if len(query) > MAX_QUERY_CHARACTERS:
        raise OutOfRangeError(
            expected=f"a query of up to {MAX_QUERY_CHARACTERS} characters", got=f"{len(query)} characters"
        )
    if "\0" in query:
        raise ParseError(expected="a query of plain words", got="a NUL character")
    return query or None


def read_integer(params: QueryParams, name: str, minimum: int, maximum: int, default: int) -> int:
    """Return an integer parameter within its bounds, or the default. Raises InputError."""
    text = params.get(name)
    if text is None:
        return default
    if INTEGER.fullmatch(text) and minimum <= int(text) <= maximum:
        return int(text)
    raise OutOfRangeError(expected=f"{name} to be an integer from {minimum} to {maximum}", got=excerpt(text))


def read_width(params: QueryParams) -> int | None:
    """Return `w`, the width in pixels to send a picture in, or None. Raises InputError."""
    text = params.get("w")
    if text is None:
        return None
    if INTEGER.fullmatch(text) and MIN_WIDTH <= int(text) <= MAX_WIDTH:
        return int(text)
    raise OutOfRangeError(expected=f"w to be an integer from {MIN_WIDTH} to {MAX_WIDTH}", got=excerpt(text))


def read_id(text: str) -> int:
    """Return the id of a picture, a 64-bit integer. Raises InputError."""
    if INTEGER.fullmatch(text) and MIN_ID <= int(text) <= MAX_ID:
        return int(text)
    raise ParseError(expected="the id of a picture, a 64-bit integer", got=excerpt(text))


def read_ids(text: str) -> list[int]:
    """Return different ids, separated by commas in the text. Raises InputError for more than `MAX_IDS`."""
    ids = list(dict.fromkeys(map(read_id, text.split(","))))
    if len(ids) > MAX_IDS:
        raise OutOfRangeError(expected=f"up to {MAX_IDS} ids", got=str(len(ids)))
    return ids


def read_json_id(value: object) -> int:
    """Return the id of a picture in a JSON body. Raises InputError."""
    if isinstance(value, bool) or not isinstance(value, int) or not MIN_ID <= value <= MAX_ID:
        raise ParseError(expected="the id of a picture, a 64-bit integer", got=excerpt(value))
    return value


def excerpt(value: object) -> str:
    """Return the beginning of a value as JSON. No more of it is encoded than is shown."""
    text = ""
    if isinstance(value, str):
        value = value[: _MAX_EXCERPT_CHARACTERS + 1]
    for part in json.JSONEncoder(default=_substitute).iterencode(value):
        text += part[: _MAX_EXCERPT_CHARACTERS + 1]
        if len(text) > _MAX_EXCERPT_CHARACTERS:
            return text[: _MAX_EXCERPT_CHARACTERS - 3] + "..."
    return text


def _substitute(value: object) -> str:
    return "(a picture)" if isinstance(value, bytes | memoryview) else str(value)
