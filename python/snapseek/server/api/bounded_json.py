"""Parses JSON within bounds on bytes, values and levels that are checked before anything is parsed.

Pictures in base64 are cut out first, as views of the body: they may be large, and no parser copies them. The
remaining text has at most `MAX_JSON_BYTES`. Its values and levels are counted in the bytes, so a hostile text
is refused before it becomes objects. No step holds the interpreter's lock for longer than parsing 1 MB takes.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from starlette.exceptions import HTTPException

from snapseek.errors import OutOfRangeError, ParseError

MAX_JSON_BYTES = 2**20
MAX_NODES = 100_000
"""Values in one text: 16 vectors of 4096 numbers are 65,536."""

MAX_LEVELS = 32
MAX_PICTURES = 16
_MIN_PICTURE_BYTES = 1024
"""A shorter picture stays in the text."""

_KEY = b'"image"'
_BEFORE_VALUE = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+\"")
# One without an end goes to the end of the text: looking for the next begin inside it would be quadratic.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def parse_object(data: bytes | bytearray, max_bytes: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """Parse a JSON object whose fields called `image` may be large.

    Parameters
    ----------
    data
        A JSON text in UTF-8.
    max_bytes
        How many bytes it may have outside of long `image` fields.

    Returns
    -------
    dict
        The object. A text of 1 KB and more in a field called `image` is a `memoryview` of `data`, or `bytes`.

    Raises
    ------
    InputError
        It is no JSON object, or has too many values, levels or pictures.
    HTTPException
        413: it has more than `max_bytes` outside of its pictures.
    """
    text, pictures = _cut_pictures(data, max_bytes)
    _check_shape(text)
    found = _parse(text)
    if not isinstance(found, dict):
        raise ParseError(expected="a JSON object in the body", got=_kind(found))
    if pictures:
        _put_back(found, pictures)
    return found


def _cut_pictures(data: bytes | bytearray, max_bytes: int) -> tuple[bytes, dict[str, memoryview | bytes]]:
    """Return the text with each long picture replaced by a key, and the pictures by these keys.

    In a valid text a quote without a backslash before it begins or ends a string. So `"image"`, a colon and a
    quote are a key and the beginning of its value. Elsewhere the text is invalid, and stays invalid without
    the value.
    """
    view = memoryview(data).toreadonly()
    secret = secrets.token_hex(8)  # so that no text of the body equals a key
    kept: list[bytes] = []
    pictures: dict[str, memoryview | bytes] = {}
    size = begin = position = 0
    while True:
        # Beyond this position the text is too long, so the search stops there and not after 24 MB.
        key = data.find(_KEY, position, begin + max_bytes - size + len(_KEY))
        if key < 0:
            break
        position = key + len(_KEY)
        begin_value = _begin_of_value(data, key)
        picture, end = _picture(view, data, begin_value) if begin_value else (None, 0)
        if picture is None:
            continue
        if len(pictures) == MAX_PICTURES:
            raise OutOfRangeError(expected=f"at most {MAX_PICTURES} pictures in the body", got="more")
        name = f"{secret}{len(pictures)}"
        pictures[name] = picture
        kept += [bytes(view[begin:begin_value]), name.encode()]
        size += begin_value - begin
        begin = position = end
    size += len(data) - begin
    if size > max_bytes:
        raise HTTPException(
            413,
            f"expected at most {max_bytes // 2**10} KB of JSON outside of pictures (fields called image), "
            f"found {size // 2**10} KB; send less",
        )
    return b"".join([*kept, view[begin:]]), pictures


def _begin_of_value(data: bytes | bytearray, key: int) -> int:
    """Return where the text after the key at this position begins; 0 without a text."""
    before = _BEFORE_VALUE.match(data, key + len(_KEY))
    return before.end() if before and data[key - 1 : key] != b"\\" else 0


def _picture(view: memoryview, data: bytes | bytearray, begin: int) -> tuple[memoryview | bytes | None, int]:
    """Return the text that begins there and its end; None for one that is short or cannot be a picture."""
    end = data.find(b'"', begin)
    if end - begin < _MIN_PICTURE_BYTES:
        return None, 0
    if data.find(b"\\", begin, end) < 0:
        return view[begin:end], end
    unescaped = bytes(view[begin:end]).replace(b"\\/", b"/")  # some JSON encoders escape slashes
    return (None, 0) if b"\\" in unescaped else (unescaped, end)


def _check_shape(text: bytes) -> None:
    """Raise InputError for too many values or levels."""
    # Each value has at most two strings, its key and itself, of two quotes each.
    has_too_many = text.count(b'"') - text.count(b'\\"') > 4 * MAX_NODES
    bare = b"" if has_too_many else _STRINGS.sub(b"", text)
    if has_too_many or bare.count(b",") + bare.count(b"[") + bare.count(b"{") > MAX_NODES:
        raise OutOfRangeError(expected=f"a JSON object of at most {MAX_NODES} values in the body", got="more")
    levels = 0
    for bracket in bare.translate(None, _NOT_BRACKETS):
        levels += 1 if bracket in b"[{" else -1
        if levels > MAX_LEVELS:
            raise OutOfRangeError(
                expected=f"a JSON object of at most {MAX_LEVELS} levels in the body", got="one with more"
            )


def _parse(text: bytes) -> object:
    try:
        # Decoded here: json.loads would guess UTF-16 and UTF-32, whose brackets were not counted.
        found = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
        if b"\\u" in text:  # an escape may be a lone surrogate, which no model can read
            json.dumps(found, ensure_ascii=False).encode()
    except ValueError as error:  # also bytes that are not UTF-8, and numbers of thousands of digits
        raise ParseError(expected="a JSON object in the body", got=_reason(error)) from error
    return found


def _put_back(found: Any, pictures: dict[str, memoryview | bytes]) -> None:
    """Replace each key by its picture, everywhere in the object."""
    pending = [found]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            name = value.get("image")
            if isinstance(name, str) and name in pictures:
                value["image"] = pictures[name]
            pending += value.values()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name}, which is not JSON")


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"something else at character {error.pos + 1}: {error.msg}"
    if isinstance(error, UnicodeEncodeError):
        return "a lone surrogate"
    return "bytes that are not UTF-8" if isinstance(error, UnicodeError) else str(error)


def _kind(found: object) -> str:
    names = {list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(found), "a number")
