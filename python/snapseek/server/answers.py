"""Hits and facts as JSON answers, in the shape that docs/HTTP.md promises."""

from __future__ import annotations

import json
import math
import re
from binascii import b2a_base64
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from snapseek.library import Hit, Hits, LibraryInfo

_MS_DIGITS = 2
_REMOTE = re.compile(r"https?://[\x21-\x7e]+", re.IGNORECASE)
_SCORE_DIGITS = 6  # a score is a float32: its digits beyond these are noise that only costs bytes


def hits_answer(hits: Hits, query: str | None, info: LibraryInfo) -> Response:
    """A list of pictures with its timings; `query` is None for the pictures in stored order.

    A library may change between the hits and the facts: what the answer says is what the hits are of.
    """
    info = replace(info, version=hits.version, count=hits.library_count)
    took = _took_ms(hits)
    body = {
        "query": query,
        "took_ms": took,
        "index": _index(info),
        "total": hits.total,
        "results": [result(hit, info.version) for hit in hits],
    }
    timing = ", ".join(f"{stage};dur={ms}" for stage, ms in took.items())
    return json_answer(body, {"server-timing": timing})


def result(hit: Hit, version: str) -> dict[str, object]:
    """One picture as the page needs it: its preview is inside, its original is one URL away.

    `version` is the library's: with it in the URL a browser may keep the original without asking again.
    """
    return {
        "id": hit.id,
        "score": None if hit.score is None else round(hit.score, _SCORE_DIGITS),
        "url": _address(hit, version),
        "width": hit.width,
        "height": hit.height,
        "color": hit.color,
        "preview": b2a_base64(hit.preview, newline=False).decode("ascii"),
        "caption": hit.caption,
        "meta": hit.meta,
    }


def _address(hit: Hit, version: str) -> str:
    """Where a browser gets the original: here, or at its own address, which this server never asks."""
    return hit.uri if _REMOTE.fullmatch(hit.uri) else f"/api/image/{hit.id}?v={version}"


def info_answer(info: LibraryInfo, examples: Sequence[str], snapseek_version: str) -> Response:
    """The facts about the library being served, and queries worth trying with its model."""
    return json_answer(
        {
            **_index(info),
            "failed": info.failed,
            "fingerprint": info.fingerprint,
            "provider": info.provider,
            "kernel": info.kernel,
            "snapseek": snapseek_version,
            "examples": list(examples),
        }
    )


def json_answer(body: object, headers: dict[str, str] | None = None) -> Response:
    """`body` as compact JSON in ASCII, never kept by a cache without asking again."""
    return Response(
        to_json(body),
        headers={"cache-control": "private, no-cache", **(headers or {})},
        media_type="application/json",
    )


def to_json(body: object) -> bytes:
    """Compact ASCII JSON. Numbers that JSON does not have (a user's NaN) become null.

    ASCII, because a file name may hold bytes that are no Unicode text; escaped, they still travel.
    """
    try:
        text = json.dumps(body, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(_without_nan(body), separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def _without_nan(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(entry) for entry in value]
    return value


def _took_ms(hits: Hits) -> dict[str, float]:
    took = hits.took
    return {
        "embed": round(took.embed_ms, _MS_DIGITS),
        "search": round(took.search_ms, _MS_DIGITS),
        "fetch": round(took.fetch_ms, _MS_DIGITS),
        "total": round(took.total_ms, _MS_DIGITS),
    }


def _index(info: LibraryInfo) -> dict[str, object]:
    return {
        "name": info.name,
        "count": info.count,
        "model": info.model,
        "dim": info.dim,
        "version": info.version,
    }
