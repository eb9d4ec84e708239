"""The interface described for machines: OpenAPI 3.1, served at `/api/openapi.json`."""

from __future__ import annotations

from snapseek.library.terms import MAX_QUERY_CHARACTERS
from snapseek.server.parameters import (
    DEFAULT_LIMIT,
    MAX_DEPTH,
    MAX_LIMIT,
    MAX_WIDTH,
    MIN_WIDTH,
    TOWERS,
)

Json = dict[str, object]

_INTEGER: Json = {"type": "integer"}
_NUMBER: Json = {"type": "number"}
_STRING: Json = {"type": "string"}
_QUERY = "Words to search for, such as: two dogs; horse + stripes - 2:snow; id:17 + night."
_PROBLEMS = {
    "400": "A parameter is missing, malformed, out of bounds or not known.",
    "404": "No picture has that id, or its original is gone.",
    "409": "The library was made with another model than the one loaded.",
    "415": "The original is there, but cannot be read as a picture.",
    "416": "The range begins behind the end of the file.",
}


def openapi(snapseek_version: str) -> Json:
    """The OpenAPI document of this server."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "snapseek",
            "version": snapseek_version,
            "description": "Search one library of pictures by words. Read-only: GET and HEAD.",
        },
        "paths": _paths(),
        "components": {"schemas": _schemas()},
    }


def _paths() -> Json:
    page = [_limit(), _offset()]
    return {
        "/api/search": _get(
            "The pictures that answer words, best first",
            "Answer",
            [_q(), *page, _exact(), _tower()],
            "400",
            "404",
            "409",
        ),
        "/api/items": _get("The pictures in stored order", "Answer", page, "400"),
        "/api/items/{id}": _get("One picture", "Result", [_id()], "400", "404"),
        "/api/image/{id}": {"get": _image()},
        "/api/info": _get("The library being served", "Info", [], "400"),
        "/api/openapi.json": _get("This document", None, [], "400"),
        "/healthz": _get("Whether the server is alive", "Health", []),
    }


def _get(summary: str, schema: str | None, parameters: list[Json], *problems: str) -> Json:
    shape = _reference(schema) if schema else {"type": "object"}
    good = {"description": summary, "content": {"application/json": {"schema": shape}}}
    return {"get": _operation(summary, parameters, {"200": good}, problems)}


def _image() -> Json:
    kinds = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/avif")
    picture: Json = {kind: {} for kind in kinds}
    good: Json = {
        "200": {"description": "The original, or a JPEG of it", "content": picture},
        "206": {"description": "The asked range of the original", "content": picture},
        "304": {"description": "The copy with the tag in If-None-Match is still good"},
    }
    summary = "One picture's original, or a smaller JPEG of it"
    return _operation(summary, [_id(), _w(), _v()], good, ("400", "404", "415", "416"))


def _operation(summary: str, parameters: list[Json], good: Json, problems: tuple[str, ...]) -> Json:
    refusals = {status: _problem(_PROBLEMS[status]) for status in problems}
    return {"summary": summary, "parameters": parameters, "responses": {**good, **refusals}}


def _problem(description: str) -> Json:
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": _reference("Problem")}},
    }


def _reference(schema: str) -> Json:
    return {"$ref": f"#/components/schemas/{schema}"}


def _q() -> Json:
    shape = {"type": "string", "minLength": 1, "maxLength": MAX_QUERY_CHARACTERS}
    return {**_in_query("q", shape, _QUERY), "required": True}


def _limit() -> Json:
    shape = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    return _in_query("limit", shape, "How many pictures to answer with.")


def _offset() -> Json:
    shape = {"type": "integer", "minimum": 0, "maximum": MAX_DEPTH - 1, "default": 0}
    return _in_query("offset", shape, f"How many to skip; offset + limit is at most {MAX_DEPTH}.")


def _exact() -> Json:
    shape = {"type": "integer", "minimum": 0, "maximum": 1, "default": 0}
    return _in_query("exact", shape, "1: score every picture, in a large library too.")


def _tower() -> Json:
    shape: Json = {"type": "string", "enum": list(TOWERS), "default": TOWERS[0]}
    return _in_query("tower", shape, "fast: the library's student answers, where it has one.")


def _w() -> Json:
    shape = {"type": "integer", "minimum": MIN_WIDTH, "maximum": MAX_WIDTH}
    return _in_query("w", shape, "The width in pixels to send the picture in; never enlarged.")


def _v() -> Json:
    return _in_query(
        "v", _STRING, "The library's version; with the current one the picture is kept for a day."
    )


def _in_query(name: str, shape: Json, description: str) -> Json:
    return {"name": name, "in": "query", "schema": shape, "description": description}


def _id() -> Json:
    shape = {"type": "integer", "format": "int64"}
    return {"name": "id", "in": "path", "required": True, "schema": shape, "description": "A picture's id."}


def _schemas() -> Json:
    return {
        "Answer": _answer(),
        "Index": _object(**_index()),
        "Result": _result(),
        "Info": _info(),
        "Health": _object(status={"const": "ok"}),
        "Problem": _object(type=_STRING, title=_STRING, status=_INTEGER, detail=_STRING),
    }


def _answer() -> Json:
    return _object(
        query={"type": ["string", "null"], "description": "The words, stripped; null in stored order."},
        took_ms=_object(embed=_NUMBER, search=_NUMBER, fetch=_NUMBER, total=_NUMBER),
        index=_reference("Index"),
        total={"type": "integer", "description": "How many pictures could be paged to."},
        results={"type": "array", "items": _reference("Result")},
    )


def _result() -> Json:
    return _object(
        id={"type": "integer", "format": "int64"},
        score={"type": ["number", "null"], "description": "Higher is better; null in stored order."},
        url={
            "type": "string",
            "description": "Where the original is, here or elsewhere.",
        },
        width={"type": "integer", "description": "Of the upright original, in pixels; 0 if not known."},
        height={"type": "integer", "description": "Of the upright original, in pixels; 0 if not known."},
        color={"type": "string", "pattern": "^#[0-9a-f]{6}$", "description": "The mean colour."},
        preview={"type": "string", "contentEncoding": "base64", "contentMediaType": "image/webp"},
        caption={"type": ["string", "null"]},
        meta={"type": "object", "description": "What the source knew, and the user's own columns."},
    )


def _info() -> Json:
    return _object(
        **_index(),
        failed={"type": "integer", "description": "Files that could not be read as pictures."},
        fingerprint={"type": "string", "description": "Of the model's files and its preprocessing."},
        provider={"type": "string", "description": "What runs the model."},
        kernel={"type": "string", "description": "What scores the vectors."},
        snapseek={"type": "string", "description": "The server's version."},
        examples={"type": "array", "items": _STRING, "description": "Queries worth trying."},
    )


def _index() -> dict[str, Json]:
    return {
        "name": _STRING,
        "count": {"type": "integer", "description": "How many pictures are in the library."},
        "model": _STRING,
        "dim": {"type": "integer", "description": "Numbers in one vector."},
        "version": {"type": "string", "description": "Changes whenever the library does."},
    }


def _object(**properties: Json) -> Json:
    return {"type": "object", "required": list(properties), "properties": properties}
