"""Hostile bodies for the server, each kind also just below the limits that it is about."""

import base64
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image

from snapseek.server.api.bounded_json import MAX_JSON_BYTES, MAX_LEVELS, MAX_NODES
from snapseek.server.api.request_body import MAX_BODY_BYTES
from snapseek.server.api.terms import MAX_PICTURE_BYTES

JSON = {"content-type": "application/json"}
REFUSED = (400, 413)


@dataclass(frozen=True)
class Kind:
    """A body by its name, with the statuses that may answer it."""

    name: str
    make: Callable[[], bytes]
    statuses: tuple[int, ...] = REFUSED
    path: str = "/api/search"
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))


def filled(begin: bytes, part: bytes, end: bytes, size: int) -> bytes:
    """A body of at most `size` bytes: `part` again and again between a begin and an end."""
    return begin + part * ((size - len(begin) - len(end)) // len(part)) + end


def question(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def noise_png(side: int) -> bytes:
    stream = io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(stream, "PNG", compress_level=0)
    return stream.getvalue()


def picture(data: bytes) -> dict[str, str]:
    return {"image": base64.b64encode(data).decode()}


def many_parts() -> bytes:
    part = b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\nb\r\n'
    return filled(b"", part, b"--x--\r\n", MAX_JSON_BYTES)


def vectors() -> bytes:
    return question(terms=[{"vector": [0.123] * 4096}] * 16)


def levels(count: int) -> bytes:
    return b'{"where": ' + b'{"not": ' * (count - 2) + b"{}" + b"}" * (count - 1)


FULL, TEXT = MAX_BODY_BYTES, MAX_JSON_BYTES
SIDE = int((MAX_PICTURE_BYTES / 3) ** 0.5) - 4  # of a square picture whose pixels fill the largest file

KINDS = [
    Kind("24 MB of empty filters", lambda: filled(b'{"where":{"any":[', b"{},", b"{}]}}", FULL)),
    Kind("24 MB of terms", lambda: filled(b'{"terms":[', b'{"image":"a"},', b"{}]}", FULL)),
    Kind("24 MB of escapes", lambda: filled(b'{"q":"', b'\\"', b'"}', FULL)),
    Kind("24 MB of words", lambda: filled(b'{"q":"', b"word ", b'"}', FULL)),
    Kind("24 MB of white space", lambda: filled(b"{", b" ", b"}", FULL)),
    Kind("24 MB of brackets", lambda: filled(b'{"q":', b"[", b"", FULL)),
    Kind("24 MB of picture keys", lambda: filled(b'{"q":"', b'\\"image\\":', b'"}', FULL)),
    Kind("24 MB of numbers", lambda: filled(b'{"terms":[{"vector":[', b"0.1,", b"1]}]}", FULL)),
    Kind(
        "24 MB of base64 that is no picture", lambda: filled(b'{"terms":[{"image":"', b"AAAA", b'"}]}', FULL)
    ),
    Kind("24 MB of picture that is no base64", lambda: filled(b'{"terms":[{"image":"', b"*", b'"}]}', FULL)),
    Kind("one byte too many", lambda: b" " * (FULL + 1)),
    Kind("a picture of 16 MB", lambda: question(terms=[picture(noise_png(SIDE))]), (200,)),
    Kind("16 pictures of 1 MB", lambda: question(terms=[picture(noise_png(590))] * 16, limit=1), (200,)),
    Kind("1 MB of empty filters", lambda: filled(b'{"where":{"any":[', b"{},", b"{}]}}", TEXT)),
    Kind("1 MB of empty strings", lambda: filled(b'{"q":[', b'"",', b'""]}', TEXT)),
    Kind("1 MB of escapes without an end", lambda: filled(b'{"q":"', b'\\"', b"", TEXT)),
    Kind("1 MB of words", lambda: filled(b'{"q":"', b"word ", b'"}', TEXT)),
    Kind("1 MB of long numbers", lambda: filled(b'{"q":[', b"9" * 4000 + b",", b"1]}", TEXT)),
    Kind("1 MB of keys", lambda: b'{"a":1' + b"".join(b',"%d":1' % n for n in range(95_000)) + b"}"),
    Kind("one number of 1 MB", lambda: filled(b'{"limit":', b"9", b"}", TEXT)),
    Kind("infinite numbers", lambda: filled(b'{"terms":[{"vector":[', b"1e999,", b"1]}]}", TEXT)),
    Kind("all values that may be", lambda: b'{"q":[' + b"1," * (MAX_NODES - 3) + b"1]}"),
    Kind("all levels that may be", lambda: levels(MAX_LEVELS)),
    Kind("one level too many", lambda: levels(MAX_LEVELS + 1)),
    Kind("16 vectors of 4096 numbers", vectors),
    Kind("256 conditions of 1 MB", lambda: question(where={"any": [{"name": "a" * 1000}] * 256}), (200,)),
    Kind("256 lists of values", lambda: question(where={"any": [{"id": list(range(300))}] * 256}), (200,)),
    Kind("4000 brackets as a filter", lambda: question(where="(" * 4000)),
    Kind("1000 ids of 19 digits", lambda: question(ids=[2**62] * 1000), (200,), "/metadata"),
    Kind("1 MB of ids", lambda: filled(b'{"ids":[', b"1,", b"1]}", TEXT), REFUSED, "/metadata"),
    Kind(
        "a vector of 1 MB",
        lambda: filled(b'{"embedding_input":[', b"1,", b"1]}", TEXT),
        REFUSED,
        "/knn-service",
    ),
    Kind(
        "1 MB of multipart", many_parts, (415,), headers={"content-type": "multipart/form-data; boundary=x"}
    ),
    Kind("a gzip body", lambda: b"\x1f\x8b" * 9, (415,), headers={**JSON, "content-encoding": "gzip"}),
    Kind("UTF-16", lambda: '{"where":{"any":[{}]}}'.encode("utf-16")),
    Kind(
        "a page elsewhere, plain text",
        lambda: filled(b'{"q":"', b"a", b'"}', FULL),
        (403,),
        headers={"origin": "https://evil.example", "content-type": "text/plain"},
    ),
    Kind(
        "a page elsewhere, JSON",
        lambda: b'{"q":"dog"}',
        (403,),
        headers={"sec-fetch-site": "cross-site", **JSON},
    ),
]
