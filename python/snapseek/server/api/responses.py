"""Hits and facts as JSON answers, in the shape that docs/HTTP.md promises."""

from __future__ import annotations

import json
import math
import re
from binascii import b2a_base64
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.responses import Response

from snapseek.server.api.parameters import INCLUDED
from snapseek.server.api.request_body import MAX_BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from snapseek.library import Hit, Hits, LibraryInfo
    from snapseek.library.search.suggestions import Suggestions

try:
    import orjson
except ImportError:  # optional: the same answers, a quarter of a millisecond later
    orjson = None  # type: ignore[assignment]

_MS_DIGITS = 2
_REMOTE = re.compile(r"https?://[\x21-\x7e]+", re.IGNORECASE)
_SCORE_DIGITS = 6  # a score is a float32: its digits beyond these are noise that only costs bytes


def hits_answer(
    hits: Hits,
    query: str | None,
    info: LibraryInfo,
    filters: Sequence[str] = (),
    include: Collection[str] = INCLUDED,
    headers: dict[str, str] | None = None,
) -> Response:
    """A list of pictures with its timings; `query` is None for the pictures in stored order.

    `filters` are the operators that were read out of the query. A library may change between the hits and the
    facts: the version and the count told are those of the state that answered.
    """
    took = _took_ms(hits)
    version, count = (hits.version, hits.library_count) if hits.version else (info.version, info.count)
    body = {
        "query": query,
        "took_ms": took,
        "index": _index(info) | {"version": version, "count": count},
        "total": hits.total,
        "weak_from": hits.relevant_count,
        "filters": list(filters),
        "results": [result(hit, version, include) for hit in hits],
    }
    timing = ", ".join(f"{stage};dur={ms}" for stage, ms in took.items())
    return json_answer(body, {"server-timing": timing, **(headers or {})})


def result(hit: Hit, version: str, include: Collection[str] = INCLUDED) -> dict[str, object]:
    """One picture as the page needs it: its preview is inside, its original is one URL away.

    `version` is the library's: with it in the URL a browser may keep the original without asking again.
    `include` names those of `INCLUDED` that are wanted.
    """
    entry: dict[str, object] = {
        "id": hit.id,
        "score": None if hit.score is None else round(hit.score, _SCORE_DIGITS),
        "url": _address(hit, version),
        "width": hit.width,
        "height": hit.height,
        "color": hit.color,
        "preview": b2a_base64(hit.preview, newline=False).decode("ascii"),
        "caption": hit.caption,
        "meta": hit.meta,
        "similar": list(hit.similar),
    }
    for name in INCLUDED:
        if name not in include:
            del entry[name]
    return entry


def remote_address(hit: Hit) -> str | None:
    """The picture's own address in the web, if it has one."""
    return hit.uri if _REMOTE.fullmatch(hit.uri) else None


def _address(hit: Hit, version: str) -> str:
    """Where a browser gets the original: here, or at its own address, which this server never asks."""
    return remote_address(hit) or f"/api/image/{hit.id}?v={version}"


def info_answer(
    info: LibraryInfo,
    examples: Sequence[str],
    snapseek_version: str,
    *,
    has_fast: bool = False,
    fetches: bool = False,
) -> Response:
    """The facts about the library being served, and queries worth trying with its model.

    `has_fast` is whether a student answers `tower=fast`, `fetches` whether a question may name a url.
    """
    return json_answer(
        {
            **_index(info),
            "failed": info.failed,
            "fingerprint": info.fingerprint,
            "provider": info.provider,
            "kernel": info.kernel,
            "snapseek": snapseek_version,
            "examples": list(examples),
            "has_fast": has_fast,
            "accepts_image_url": fetches,
            "max_upload_bytes": MAX_BODY_BYTES,
        }
    )


def suggestions_answer(suggestions: Suggestions) -> Response:
    """Queries worth trying, and columns with their most frequent values."""
    columns = [
        {
            "name": column.name,
            "operator": column.operator,
            "values": [{"value": value, "count": count} for value, count in column.values],
        }
        for column in suggestions.columns
    ]
    return json_answer({"examples": list(suggestions.examples), "columns": columns})


def json_answer(body: object, headers: dict[str, str] | None = None) -> Response:
    """`body` as compact JSON, never kept by a cache without asking again."""
    return Response(
        to_json(body),
        headers={"cache-control": "private, no-cache", **(headers or {})},
        media_type="application/json",
    )


def to_json(body: object) -> bytes:
    """Compact JSON in UTF-8. Numbers that JSON does not have (a user's NaN) become null.

    A file name may hold bytes that are no Unicode text, and a user's column an integer of any size: such a
    body is escaped to ASCII, in which they still travel, and so is every one where orjson is not installed.
    """
    if orjson is not None:
        with suppress(orjson.JSONEncodeError):
            return orjson.dumps(body)
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
