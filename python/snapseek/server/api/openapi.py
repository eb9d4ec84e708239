"""The interface described for machines: OpenAPI 3.1, served at `/api/openapi.json`."""

from __future__ import annotations

from snapseek.library.encoders import TOWERS
from snapseek.server.api.json_schemas import ID, STRING, WORDS, Json, reference, schemas
from snapseek.server.api.parameters import (
    DEFAULT_LIMIT,
    INCLUDED,
    MAX_DEPTH,
    MAX_IDS,
    MAX_LIMIT,
    MAX_WHERE_CHARACTERS,
    MAX_WIDTH,
    MIN_WIDTH,
    MODES,
    SORTS,
)

_QUERY = "What to search for, such as: two dogs; horse + stripes - 2:snow; id:17 + night; beach after:2023."
_PROBLEMS = {
    "400": "A parameter or a field is missing, malformed, out of bounds or not known.",
    "401": "The server asks for its token.",
    "403": "A web page of an origin that is not allowed sent this.",
    "404": "No picture has that id, or its original is gone.",
    "408": "The body did not arrive in time.",
    "409": "The library was made with another model than the one loaded.",
    "413": "The body, or its JSON outside of pictures, is too large.",
    "415": "The original cannot be read as a picture, or the body is compressed or no JSON.",
    "416": "The range begins behind the end of the file.",
    "429": "This client asks too often.",
    "503": "Too many requests or bytes are in flight, or the model is not loaded yet; see Retry-After.",
}
_ANYWHERE = ("401", "403", "429", "503")


def openapi(snapseek_version: str) -> Json:
    """The OpenAPI document of this server."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "snapseek",
            "version": snapseek_version,
            "description": "Search one library of pictures by words, pictures and filters. Read-only.",
        },
        "paths": _paths(),
        "components": {
            "schemas": schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _paths() -> Json:
    page = [_limit(), _offset()]
    search = [_q(), *page, _exact(), _tower(), _where(), _sort(), _min_score(), _dedup(), _mode(), _include()]
    listed = [*page, _where(), _stored_sort(), _include(), _ids()]
    like = [_id(), *page, _where(), _dedup(), _include()]
    return {
        "/api/search": {
            **_get("The pictures that answer a question, best first", "Answer", search, "400", "404", "409"),
            **_post("The same, with pictures and vectors as terms", "Question", "Answer", "404", "409"),
        },
        "/api/items": _get("The pictures in stored order, or by a key, or by ids", "Answer", listed, "400"),
        "/api/items/{id}/similar": _get("The pictures most like one", "Answer", like, "400", "404", "409"),
        "/api/suggestions": _get("What can be asked of this library", "Suggestions", [], "400"),
        "/api/items/{id}": _get("One picture", "Result", [_id()], "400", "404"),
        "/api/preview/{id}": {"get": _preview()},
        "/api/image/{id}": {"get": _image()},
        "/api/info": _get("The library being served", "Info", [], "400"),
        "/api/openapi.json": _get("This document", None, [], "400"),
        "/healthz": _get("Whether the server is alive", "Health", []),
        "/readyz": _get("Whether a query is answered at once", "Readiness", []),
        "/metrics": {"get": _metrics()},
        "/knn-service": _post(
            "Neighbours, as clip-retrieval's backend answers", "Knn", "Neighbours", "404", "409"
        ),
        "/metadata": _post("Columns of pictures, as clip-retrieval's backend answers", "Ids", "Records"),
        "/indices-list": _get("The library's name, as clip-retrieval's backend answers", "Names", [], "400"),
    }


def _get(summary: str, schema: str | None, parameters: list[Json], *problems: str) -> Json:
    shape: Json = reference(schema) if schema else {"type": "object"}
    good: Json = {"200": _content(summary, shape)}
    if schema == "Answer":
        good["304"] = {"description": "The answer with the tag in If-None-Match is still good"}
    return {"get": _operation(summary, parameters, good, problems)}


def _post(summary: str, takes: str, gives: str, *problems: str) -> Json:
    body = {"required": True, "content": {"application/json": {"schema": reference(takes)}}}
    refusals = ("400", "408", "413", "415", *problems)
    return {
        "post": {
            **_operation(summary, [], {"200": _content(summary, reference(gives))}, refusals),
            "requestBody": body,
        }
    }


def _content(summary: str, shape: Json) -> Json:
    return {"description": summary, "content": {"application/json": {"schema": shape}}}


def _preview() -> Json:
    good: Json = {
        "200": {"description": "A WebP picture of at most 500 bytes", "content": {"image/webp": {}}}
    }
    return _operation("One picture's preview", [_id(), _v()], good, ("400", "404"))


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


def _metrics() -> Json:
    good: Json = {"200": {"description": "In the format of Prometheus", "content": {"text/plain": {}}}}
    return _operation("Counters and times", [], good, ("404",))


def _operation(summary: str, parameters: list[Json], good: Json, problems: tuple[str, ...]) -> Json:
    named = sorted({*problems, *_ANYWHERE})
    refusals = {status: _problem(_PROBLEMS[status]) for status in named}
    return {"summary": summary, "parameters": parameters, "responses": {**good, **refusals}}


def _problem(description: str) -> Json:
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": reference("Problem")}},
    }


def _q() -> Json:
    return _in_query("q", WORDS, _QUERY + " May be left out where there is a where.")


def _limit() -> Json:
    shape: Json = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    return _in_query("limit", shape, "How many pictures to answer with.")


def _offset() -> Json:
    shape: Json = {"type": "integer", "minimum": 0, "maximum": MAX_DEPTH - 1, "default": 0}
    return _in_query("offset", shape, f"How many to skip; offset + limit is at most {MAX_DEPTH}.")


def _exact() -> Json:
    shape: Json = {"type": "integer", "minimum": 0, "maximum": 1, "default": 0}
    return _in_query("exact", shape, "1: score every picture, in a large library too.")


def _tower() -> Json:
    return _in_query("tower", _choice(TOWERS), "fast: the library's student answers, where it has one.")


def _where() -> Json:
    shape: Json = {"type": "string", "maxLength": MAX_WHERE_CHARACTERS}
    return _in_query("where", shape, "Filters as text, or a JSON object.")


def _sort() -> Json:
    return _in_query("sort", _choice(SORTS), "Another order than that of relevance, of the 1,000 best.")


def _stored_sort() -> Json:
    return _in_query("sort", _choice(("stored", *SORTS[1:])), "Another order than the stored one.")


def _min_score() -> Json:
    shape: Json = {"type": "string", "pattern": r"^-?[0-9]{1,9}(\.[0-9]{1,17})?$"}
    return _in_query("min_score", shape, "The lowest score to show, a decimal number.")


def _dedup() -> Json:
    shape: Json = {"type": "integer", "minimum": 0, "maximum": 1, "default": 0}
    return _in_query("dedup", shape, "1: fold pictures that are nearly the same under the best of them.")


def _mode() -> Json:
    return _in_query("mode", _choice(MODES), "Find by what is seen, by words in captions and names, or both.")


def _include() -> Json:
    shape: Json = {"type": "string", "pattern": f"^({'|'.join(INCLUDED)}|,)*$"}
    return _in_query("include", shape, f"Which of {','.join(INCLUDED)} to answer with; all by default.")


def _ids() -> Json:
    one = "-?[0-9]{1,19}"
    shape: Json = {"type": "string", "pattern": f"^{one}(,{one}){{0,{MAX_IDS - 1}}}$"}
    return _in_query("ids", shape, "Only these pictures, in this order; with include alone.")


def _w() -> Json:
    shape: Json = {"type": "integer", "minimum": MIN_WIDTH, "maximum": MAX_WIDTH}
    return _in_query("w", shape, "The width in pixels to send the picture in; never enlarged.")


def _v() -> Json:
    return _in_query(
        "v", STRING, "The library's version; with the current one the picture is kept for a day."
    )


def _choice(names: tuple[str, ...]) -> Json:
    return {"type": "string", "enum": list(names), "default": names[0]}


def _in_query(name: str, shape: Json, description: str) -> Json:
    return {"name": name, "in": "query", "schema": shape, "description": description}


def _id() -> Json:
    return {"name": "id", "in": "path", "required": True, "schema": ID, "description": "A picture's id."}
