"""The OpenAPI 3.1 document, served at `/api/openapi.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapseek.search_request import PARAMETERS, Parameter
from snapseek.server.api.concept_schemas import concept_schemas
from snapseek.server.api.duplicates import DEFAULT_GROUPS, MAX_GROUPS
from snapseek.server.api.job_schemas import job_schemas
from snapseek.server.api.json_schemas import ID, STRING, Json, reference, schemas, url_schema
from snapseek.server.api.overview import DEFAULT_VALUES, MAX_TEXT_CHARACTERS, MAX_VALUES, TIMELINE_SORTS
from snapseek.server.api.parameters import MAX_DEPTH, MAX_IDS, MAX_OFFSET, MAX_WIDTH, MIN_WIDTH
from snapseek.server.api.search import SIMILAR_NAMES, STORED_SORTS
from snapseek.server.api.search_request import URL_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROBLEMS = {
    "400": "A parameter or a field is missing, malformed, out of bounds or unknown.",
    "401": "The access token is missing or wrong.",
    "403": "A web page of a foreign origin sent this, or this client may not change the library.",
    "404": "No picture has that id, or its original is gone.",
    "408": "The body did not arrive in time.",
    "409": "The library was made with another model than the one loaded.",
    "413": "The body, or its JSON outside of pictures, is too large.",
    "415": "The original cannot be read as a picture, or the body is compressed or no JSON.",
    "416": "The range begins after the end of the file.",
    "429": "This client sends requests too often.",
    "501": "This machine has no file manager that can be opened.",
    "503": "Too many requests or bytes are in flight, or the model is not loaded yet; see Retry-After.",
}
_ANYWHERE = ("401", "403", "429", "503")


def openapi(snapseek_version: str, root_path: str = "") -> Json:
    """Return the OpenAPI document of this server, which a proxy may show below `root_path`."""
    servers = {"servers": [{"url": root_path}]} if root_path else {}
    return servers | {
        "openapi": "3.1.0",
        "info": {
            "title": "snapseek",
            "version": snapseek_version,
            "description": "Search one library of pictures by words, pictures and filters.",
        },
        "paths": _paths(),
        "components": {
            "schemas": schemas() | job_schemas() | concept_schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _paths() -> Json:
    search = _search_parameters(URL_NAMES)
    listed = [*_search_parameters(("where",)), _stored_sort(), *_search_parameters(("limit",)), _offset()]
    listed += [*_search_parameters(("include",)), _ids()]
    where = _search_parameters(("where",))
    facet = [_column(), *where, *_values_of_facets()]
    timeline = [*where, _timeline_sort()]
    similar = [_id(), *_search_parameters(SIMILAR_NAMES)]
    return {
        "/api/search": {
            **_get("The pictures that fit a query, best first", "Answer", search, "400", "404", "409"),
            **_post("The same, with pictures and vectors as terms", "SearchRequest", "Answer", "404", "409"),
        },
        "/api/items": _get("The pictures in stored order, by a sort, or by ids", "Answer", listed, "400"),
        "/api/items/{id}/similar": _get("Similar pictures", "Answer", similar, "400", "404", "409"),
        "/api/suggestions": _get("Queries and filters worth offering", "Suggestions", [], "400"),
        "/api/facets": _get("The values of a column, or the folders in a folder", "Facet", facet, "400"),
        "/api/timeline": _get("The months of the pictures", "Timeline", timeline, "400"),
        "/api/paths": _get("Where originals are, for this machine only", "Paths", [_required_ids()], "400"),
        "/api/reveal": _post("Show an original in the file manager", "RevealRequest", "Path", "404", "501"),
        "/api/items/{id}": _get("One picture", "Result", [_id()], "400", "404"),
        "/api/preview/{id}": {"get": _preview()},
        "/api/image/{id}": {"get": _image()},
        "/api/zip": {"get": _zip()},
        "/api/info": _get("The library being served", "Info", [], "400"),
        "/api/jobs": {
            **_get("The jobs that wait, run or ended last", "Jobs", [], "400"),
            **_post(
                "Start to sync or to upgrade the library, make previews, add or remove a folder",
                "JobRequest",
                "Job",
                "404",
                status="202",
            ),
        },
        "/api/library": _get("Its folders, its last sync and what was skipped", "Library", [], "400"),
        "/api/libraries": {
            **_get("The libraries that were opened on this machine", "Libraries", [], "400"),
            **_post("Serve one of them", "LibraryRequest", "Address", "404"),
        },
        "/api/upgrade": _get("What an upgrade to the recommended model costs", "UpgradeCost", [], "400"),
        "/api/previews": _get("How many pictures have no preview", "Previews", [], "400"),
        "/api/failures": _get("The files that could not be read", "Failures", [], "400"),
        "/api/concepts": {
            **_get("The words that the library was taught", "Concepts", [], "400"),
            **_post("Teach a word by pictures that show it", "Marks", "Concept", "404"),
        },
        "/api/concepts/rename": _post("Give a taught word another name", "NewName", "Concept"),
        "/api/concepts/delete": _post("Forget a taught word", "ConceptName", "Concepts"),
        "/api/duplicates": _get(
            "Groups of near-duplicates, those that free most first", "Duplicates", _groups(), "400"
        ),
        "/api/openapi.json": _get("This document", None, [], "400"),
        "/healthz": _get("Whether the server is alive", "Health", []),
        "/readyz": _get("Whether the model is loaded", "Readiness", []),
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
        good["304"] = {"description": "The answer with the tag in If-None-Match is current"}
    return {"get": _operation(summary, parameters, good, problems)}


def _post(summary: str, takes: str, gives: str, *problems: str, status: str = "200") -> Json:
    body = {"required": True, "content": {"application/json": {"schema": reference(takes)}}}
    refusals = ("400", "408", "413", "415", *problems)
    return {
        "post": {
            **_operation(summary, [], {status: _content(summary, reference(gives))}, refusals),
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
        "206": {"description": "The requested range of the original", "content": picture},
        "304": {"description": "The copy with the tag in If-None-Match is current"},
    }
    summary = "One picture's original, or a smaller JPEG of it"
    return _operation(summary, [_id(), _w(), _v()], good, ("400", "404", "415", "416"))


def _zip() -> Json:
    good: Json = {
        "200": {
            "description": "A ZIP archive; pictures without a readable original are listed in it",
            "content": {"application/zip": {}},
        }
    }
    return _operation("Several pictures' originals as one archive", [_required_ids()], good, ("400", "404"))


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


def _search_parameters(wire_names: Iterable[str]) -> list[Json]:
    by_wire_name = {parameter.wire_name: parameter for parameter in PARAMETERS.values()}
    return [_search_parameter(by_wire_name[name]) for name in wire_names]


def _search_parameter(parameter: Parameter) -> Json:
    bound = f" offset + limit is at most {MAX_DEPTH}." if parameter.name == "offset" else ""
    return _in_query(parameter.wire_name, url_schema(parameter), parameter.help + bound)


def _groups() -> list[Json]:
    """Return the parameters of a page of groups."""
    limit: Json = {"type": "integer", "minimum": 1, "maximum": MAX_GROUPS, "default": DEFAULT_GROUPS}
    offset: Json = {"type": "integer", "minimum": 0, "default": 0}
    return [
        *_search_parameters(("where",)),
        _in_query("limit", limit, "Maximum number of groups."),
        _in_query("offset", offset, "Number of groups to skip."),
    ]


def _stored_sort() -> Json:
    shape: Json = {"type": "string", "enum": list(STORED_SORTS), "default": STORED_SORTS[0]}
    return _in_query("sort", shape, "Another order than the stored one.")


def _timeline_sort() -> Json:
    shape: Json = {"type": "string", "enum": list(TIMELINE_SORTS), "default": TIMELINE_SORTS[0]}
    return _in_query("sort", shape, "The order of the months.")


def _offset() -> Json:
    shape: Json = {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0}
    return _in_query("offset", shape, "How many come before the first of this page.")


def _column() -> Json:
    return {**_in_query("column", STRING, "A column, `year` or `month`."), "required": True}


def _values_of_facets() -> list[Json]:
    text: Json = {"type": "string", "maxLength": MAX_TEXT_CHARACTERS}
    limit: Json = {"type": "integer", "minimum": 1, "maximum": MAX_VALUES, "default": DEFAULT_VALUES}
    return [
        _in_query("contains", text, "Only values with this text, in any case."),
        _in_query("within", text, "Only the folders directly in this one; empty for the top."),
        _in_query("limit", limit, "The maximum number of values."),
        _offset(),
    ]


def _required_ids() -> Json:
    return {**_ids(), "required": True, "description": "The pictures, in this order."}


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


def _in_query(name: str, shape: Json, description: str) -> Json:
    return {"name": name, "in": "query", "schema": shape, "description": description}


def _id() -> Json:
    return {"name": "id", "in": "path", "required": True, "schema": ID, "description": "A picture's id."}
