"""The terms of a JSON body: words, ids, pictures in base64 or by URL, and vectors."""

from __future__ import annotations

import binascii
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from snapseek.errors import InputError, OutOfRangeError, ParseError
from snapseek.library import Term
from snapseek.library.search.terms import MAX_TERMS, MAX_WEIGHT
from snapseek.server.api.parameters import checked_query, excerpt, read_json_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_PICTURE_BYTES = 16 * 2**20
MAX_DIM = 4096
_MAX_PREFIX_BYTES = 200
_BASE64_CHUNK_BYTES = 2**20  # a multiple of four; decoding one takes some milliseconds
_KINDS = ("text", "id", "image", "image_url", "vector")


@dataclass(frozen=True)
class PictureTerm:
    """A term that is a picture still to be decoded: its bytes, or the URL to fetch it from."""

    data: bytes | None
    url: str | None
    weight: float


def read_terms(value: object) -> tuple[Term | PictureTerm, ...]:
    """Return the terms of a JSON list of objects. Raises InputError."""
    if not isinstance(value, list) or len(value) > MAX_TERMS:
        raise ParseError(expected=f"terms to be a list of up to {MAX_TERMS} objects", got=excerpt(value))
    return tuple(_read_term(entry) for entry in value)


def _read_term(entry: object) -> Term | PictureTerm:
    if not isinstance(entry, dict) or len(set(entry) - {"weight"}) != 1 or not set(entry) & set(_KINDS):
        raise ParseError(
            expected=f"a term to be an object with one of {', '.join(_KINDS)}, and an optional weight",
            got=excerpt(entry),
        )
    weight = _read_weight(entry)
    (kind,) = set(entry) - {"weight"}
    value = entry[kind]
    match kind:
        case "text":
            return Term(checked_query(_read_text(entry, kind)) or "", weight)
        case "id":
            return Term(read_json_id(value), weight)
        case "image":
            return PictureTerm(picture_bytes(value), None, weight)
        case "image_url":
            return PictureTerm(None, _read_text(entry, kind), weight)
        case _:
            return Term(read_vector(value), weight)


def picture_bytes(value: object) -> bytes:
    """Return the bytes of a picture in base64, with or without `data:…;base64,` before it.

    Parameters
    ----------
    value
        A text, or what `parse_object` cut out of a body.

    Raises
    ------
    InputError
        It is not base64, is empty, or has more than `MAX_PICTURE_BYTES`.
    """
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    if not isinstance(value, bytes | memoryview):
        raise ParseError(expected="image to be a picture in base64", got=excerpt(value))
    text = memoryview(value)
    if bytes(text[:5]) == b"data:":
        prefix, comma, _ = bytes(text[:_MAX_PREFIX_BYTES]).partition(b",")
        text = text[len(prefix) + len(comma) :]
    if len(text) > MAX_PICTURE_BYTES * 4 // 3 + 4:
        raise InputError(expected=f"a picture of up to {MAX_PICTURE_BYTES // 2**20} MB", got="a larger one")
    try:
        data = b"".join(_decoded_chunks(text))
    except (binascii.Error, ValueError) as error:
        raise ParseError(
            expected="image to be a picture in base64", got=f"something else: {error}"
        ) from error
    if not data:
        raise ParseError(expected="image to be a picture in base64", got="no byte")
    return data


def _decoded_chunks(text: memoryview) -> Iterator[bytes]:
    """Decode base64 in chunks, so that other threads run between them. Raises binascii.Error."""
    for begin in range(0, len(text), _BASE64_CHUNK_BYTES):
        chunk = text[begin : begin + _BASE64_CHUNK_BYTES]
        is_last = begin + len(chunk) == len(text)
        data = binascii.a2b_base64(chunk, strict_mode=True)
        if not is_last and len(data) != len(chunk) // 4 * 3:
            raise binascii.Error("padding before the end")
        yield data


def read_vector(value: object) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return (dim,) float32 of a list of numbers. Raises InputError."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_DIM or not all(map(is_number, value)):
        raise ParseError(expected=f"a vector to be a list of 1 to {MAX_DIM} numbers", got=excerpt(value))
    with np.errstate(over="ignore"):
        return np.array(value, np.float64).astype(np.float32)


def is_number(value: object) -> bool:
    """Return whether a JSON value is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e30 if isinstance(value, int) else math.isfinite(value)


def _read_weight(entry: Mapping[str, Any]) -> float:
    value = entry.get("weight", 1.0)
    if not is_number(value) or abs(value) > MAX_WEIGHT:
        raise OutOfRangeError(expected=f"a weight from -{MAX_WEIGHT} to {MAX_WEIGHT}", got=excerpt(value))
    return float(value)


def _read_text(entry: Mapping[str, Any], name: str) -> str:
    value = entry[name]
    if not isinstance(value, str):
        raise ParseError(expected=f"{name} to be a text", got=excerpt(value))
    return value
