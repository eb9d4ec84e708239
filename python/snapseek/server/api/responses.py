"""JSON responses, in the shape that docs/HTTP.md describes."""

from __future__ import annotations

import json
import math
import re
from binascii import b2a_base64
from contextlib import suppress
from dataclasses import asdict
from time import perf_counter
from typing import TYPE_CHECKING

from starlette.responses import Response

from snapseek.search_request import INCLUDED
from snapseek.server.api.request_body import MAX_BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from snapseek.library import Hit, Hits, LibraryInfo
    from snapseek.library.info import PartitionStatus
    from snapseek.library.search.suggestions import Suggestions

try:
    import orjson

    orjson.dumps  # noqa: B018 (a folder of that name in the current directory is imported, too)
except (ImportError, AttributeError):  # optional: answers are the same, a quarter of a millisecond slower
    orjson = None  # type: ignore[assignment]

STAGES = ("tokenize", "embed", "search", "fetch", "write", "total")
"""What `took_ms` names: five stages, and all of them together."""

_MS_DIGITS = 2
_REMOTE = re.compile(r"https?://[\x21-\x7e]+", re.IGNORECASE)
_SCORE_DIGITS = 6  # a score is a float32: its digits beyond these are noise that only costs bytes


def hits_answer(
    hits: Hits,
    query: str | None,
    info: LibraryInfo,
    include: Collection[str] = INCLUDED,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a page of results as JSON.

    Parameters
    ----------
    hits
        The results. Their version, count and model are those of the state that answered; the library may
        have changed since.
    query
        The query as typed; None where there was none.
    info
        The library.
    include
        The names of the optional fields that each result has.
    headers
        Further headers.
    """
    start = perf_counter()
    index = _index(info) | _state_of(hits) if hits.version else _index(info)
    version = str(index["version"])
    body = {
        "index": index,
        "total": hits.total,
        "relevant_count": hits.relevant_count,
        "text_model": hits.text_model,
        "filters": list(hits.filters),
        "unfinished": asdict(hits.unfinished) if hits.unfinished else None,
        "notices": [asdict(notice) for notice in hits.notices],
        "results": [result(hit, version, include) for hit in hits],
    }
    if hits.partitions is not None:
        body["partitions"] = asdict(hits.partitions)
    others = to_json(body)
    took = _took_ms(hits, write_ms=1000 * (perf_counter() - start))
    timing = ", ".join(f"{stage};dur={ms}" for stage, ms in took.items())
    # The time to write the body is part of the body, so that part is written last and put before the others.
    first = to_json({"query": query, "took_ms": took})
    return _json_response(first[:-1] + b"," + others[1:], {"server-timing": timing, **(headers or {})})


def result(hit: Hit, version: str, include: Collection[str] = INCLUDED) -> dict[str, object]:
    """Return one picture as a JSON object with its preview inside and the URL of its original.

    `version` is that of the library: with it in the URL a browser may cache the original. `include` names the
    optional fields.
    """
    entry: dict[str, object] = {
        "id": hit.id,
        "score": _rounded(hit.score),
        "url": _original_url(hit, version),
        "width": hit.width,
        "height": hit.height,
        "color": hit.color,
        "preview": b2a_base64(hit.preview, newline=False).decode("ascii"),
        "caption": hit.caption,
        "meta": hit.meta,
        "similar": list(hit.similar),
        "similar_scores": list(map(_rounded, hit.similar_scores)),
        "why": list(hit.why),
    }
    for name in INCLUDED:
        if name not in include:
            del entry[name]
    return entry


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, _SCORE_DIGITS)


def remote_url(hit: Hit) -> str | None:
    """Return the URL of an original on the web, or None."""
    return hit.uri if hit.may_load and _REMOTE.fullmatch(hit.uri) else None


def _original_url(hit: Hit, version: str) -> str:
    """Return where a browser gets the original: from this server, or from the web."""
    return remote_url(hit) or f"/api/image/{hit.id}?v={version}"


def info_answer(
    info: LibraryInfo,
    examples: Sequence[str],
    snapseek_version: str,
    *,
    has_fast: bool = False,
    fetches: bool = False,
    partitions: Iterable[PartitionStatus] = (),
    is_local: bool = False,
) -> Response:
    """Return facts about the library being served, and example queries of its model.

    `has_fast` tells whether a student answers `model=fast`, `fetches` whether a term may be an `image_url`,
    `is_local` whether the client may ask for paths, `partitions` which ones of a collection answer.
    """
    listed = [asdict(partition) for partition in partitions]
    return json_answer(
        {
            **_index(info),
            "failed": info.failed,
            "skipped": dict(info.skipped),
            "fingerprint": info.fingerprint,
            "provider": info.provider,
            "kernel": info.kernel,
            "snapseek": snapseek_version,
            "examples": list(examples),
            "has_fast": has_fast,
            "accepts_image_url": fetches,
            "is_local": is_local,
            "max_upload_bytes": MAX_BODY_BYTES,
            **({"partitions": listed} if listed else {}),
        }
    )


def suggestions_answer(suggestions: Suggestions) -> Response:
    """Return queries worth trying, and columns with their most frequent values."""
    columns = [
        {
            "name": column.name,
            "operator": column.operator,
            "values": [{"value": value, "count": count} for value, count in column.values],
            "total": column.total,
        }
        for column in suggestions.columns
    ]
    ranges = [asdict(column) for column in suggestions.ranges]
    return json_answer({"examples": list(suggestions.examples), "columns": columns, "ranges": ranges})


def json_answer(body: object, headers: dict[str, str] | None = None, *, status: int = 200) -> Response:
    """Return `body` as compact JSON that caches must revalidate."""
    return _json_response(to_json(body), headers, status=status)


def _json_response(body: bytes, headers: dict[str, str] | None, *, status: int = 200) -> Response:
    return Response(
        body,
        status,
        headers={"cache-control": "private, no-cache", **(headers or {})},
        media_type="application/json",
    )


def to_json(body: object) -> bytes:
    """Return compact JSON in UTF-8. NaN and infinity become null.

    A body that orjson refuses, such as a file name with bytes that are not Unicode or an integer of more than
    64 bits, is escaped to ASCII. So is every body where orjson is not installed.
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


def _took_ms(hits: Hits, write_ms: float) -> dict[str, float]:
    """Return the milliseconds of each stage, and of all."""
    took = hits.took
    stages = (
        took.tokenize_ms,
        took.embed_ms - took.tokenize_ms,
        took.search_ms,
        took.fetch_ms,
        write_ms,
        took.total_ms + write_ms,
    )
    return {name: round(ms, _MS_DIGITS) for name, ms in zip(STAGES, stages, strict=True)}


def _state_of(hits: Hits) -> dict[str, object]:
    """Return the facts about the library that differ between the states of it."""
    return {"count": hits.library_count, "model": hits.model, "dim": hits.dim, "version": hits.version}


def _index(info: LibraryInfo) -> dict[str, object]:
    return {
        "name": info.name,
        "count": info.count,
        "model": info.model,
        "dim": info.dim,
        "version": info.version,
    }
