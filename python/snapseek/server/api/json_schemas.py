"""JSON Schemas of requests and answers, for the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapseek.errors import SnapseekError
from snapseek.library.search.notices import NOTICE_CODES
from snapseek.library.search.terms import MAX_QUERY_CHARACTERS, MAX_TERMS, MAX_WEIGHT
from snapseek.search_request import PARAMETERS, Parameter
from snapseek.server.api.parameters import MAX_DEPTH, MAX_WHERE_CHARACTERS
from snapseek.server.api.responses import STAGES
from snapseek.server.api.terms import MAX_DIM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, object]

INTEGER: Json = {"type": "integer"}
NUMBER: Json = {"type": "number"}
STRING: Json = {"type": "string"}
FLAG: Json = {"type": "boolean"}
ID: Json = {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1}
# At least one character that is no white space, and no NUL.
WORDS: Json = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_QUERY_CHARACTERS,
    "pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$",
}


_END: Json = {"type": ["number", "string"]}


def schemas() -> Json:
    """Return every named schema."""
    return {
        "Answer": _answer(),
        "Index": object_of(**_index()),
        "Result": _result(),
        "Info": _info(),
        "Suggestions": _suggestions(),
        "Facet": _facet(),
        "Timeline": _timeline(),
        "Path": object_of(id=ID, path={"type": ["string", "null"]}),
        "Paths": object_of(paths=list_of(reference("Path")), can_reveal=FLAG),
        "RevealRequest": {**object_of(id=ID), "additionalProperties": False},
        "Health": object_of(status={"const": "ok"}),
        "Readiness": object_of(status={"const": "ready"}),
        "Problem": _problem(),
        "SearchRequest": _search_request(),
        "Term": _term(),
        "Knn": _knn(),
        "Neighbours": list_of({"type": "object", "required": ["id", "similarity"]}),
        "Ids": _ids(),
        "Records": list_of(object_of(id=ID, metadata={"type": "object"})),
        "Names": list_of(STRING),
    }


def reference(name: str) -> Json:
    """Return a reference to a named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def object_of(**properties: Json) -> Json:
    """Return the schema of an object that has all of these properties."""
    return {"type": "object", "required": list(properties), "properties": properties}


def with_optional(shape: Json, **properties: Json) -> Json:
    """Return the schema of an object with further properties that it may have."""
    known = shape["properties"]
    assert isinstance(known, dict)
    return shape | {"properties": {**known, **properties}}


def list_of(shape: Json) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": shape}


def _problem() -> Json:
    always: dict[str, Json] = {"type": STRING, "title": STRING, "status": INTEGER, "detail": STRING}
    codes = sorted({kind.code for kind in _kinds_of(SnapseekError)})
    fields: dict[str, Json] = {
        "code": {**STRING, "enum": codes, "description": "The kind of failure, for programs."},
        "expected": {**STRING, "description": "What would have been accepted."},
        "got": {**STRING, "description": "What was found instead."},
        "hint": {**STRING, "description": "How to fix it."},
    }
    return {"type": "object", "required": list(always), "properties": {**always, **fields}}


def _kinds_of(kind: type[SnapseekError]) -> Iterator[type[SnapseekError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds_of(narrower)


def _answer() -> Json:
    shape = object_of(
        query={
            "type": ["string", "null"],
            "description": "As typed, without surrounding white space; null without a query.",
        },
        took_ms=object_of(**dict.fromkeys(STAGES, NUMBER)),
        index=reference("Index"),
        total={"type": "integer", "description": "Number of pictures that can be paged to."},
        relevant_count={
            "type": ["integer", "null"],
            "description": "Number of leading results, over all pages, that are relevant; null if all are.",
        },
        text_model={
            "type": ["string", "null"],
            "enum": ["full", "fast", None],
            "description": "What embedded the words: the library's model, or its student; null without any.",
        },
        filters=list_of(STRING) | {"description": "The filters that were parsed out of q."},
        unfinished={
            "type": ["object", "null"],
            "description": "The end of q that could not count yet, and how to complete it.",
            "required": ["text", "hint"],
            "properties": {"text": STRING, "hint": STRING},
        },
        notices=list_of(_notice()) | {"description": "What a person should know about the answer."},
        results=list_of(reference("Result")),
    )
    partitions = object_of(ok=INTEGER, total=INTEGER, missing=list_of(STRING)) | {
        "description": "Of a collection only: how many of its partitions have answered, and a sentence about "
        "each of the others."
    }
    return with_optional(shape, partitions=partitions)


def _notice() -> Json:
    return object_of(
        code={"type": "string", "enum": list(NOTICE_CODES), "description": "The kind of notice."},
        text={"type": "string", "description": "One or two sentences for people."},
        model={"type": ["string", "null"], "description": "A model that answers such queries."},
    )


def _result() -> Json:
    shape = object_of(
        id=ID,
        score={"type": ["number", "null"], "description": "Higher is better; null in stored order."},
        url={"type": "string", "description": "URL of the original, on this server or on the web."},
        width={"type": "integer", "description": "Of the upright original, in pixels; 0 if unknown."},
        height={"type": "integer", "description": "Of the upright original, in pixels; 0 if unknown."},
        color={"type": "string", "pattern": "^#[0-9a-f]{6}$", "description": "The mean colour."},
        preview={"type": "string", "contentEncoding": "base64", "contentMediaType": "image/webp"},
        caption={"type": ["string", "null"]},
        meta={"type": "object", "description": "Columns of the source and the user."},
        similar=list_of(ID) | {"description": "With dedup: near-duplicates grouped under this picture."},
        similar_scores=list_of({"type": ["number", "null"]}) | {"description": "Their scores."},
        why=list_of(STRING) | {"description": "With mode auto: what has a word of q, such as folder name."},
    )
    return shape | {
        "required": ["id", "score", "url", "width", "height", "color", "similar", "similar_scores", "why"]
    }


def _info() -> Json:
    shape = object_of(
        **_index(),
        failed={"type": "integer", "description": "Files that could not be read as pictures."},
        skipped={
            "type": "object",
            "additionalProperties": {"type": "integer"},
            "description": "Files and folders that are not read as pictures, by kind.",
        },
        fingerprint={"type": "string", "description": "Of the model's files and its preprocessing."},
        provider={"type": "string", "description": "What runs the model."},
        kernel={"type": "string", "description": "What scores the vectors."},
        snapseek={"type": "string", "description": "The server's version."},
        examples={"type": "array", "items": STRING, "description": "Queries worth trying."},
        has_fast={"type": "boolean", "description": "Whether a student answers model=fast."},
        accepts_image_url={"type": "boolean", "description": "Whether a term may be an image_url."},
        is_local=FLAG,
        max_upload_bytes={"type": "integer", "description": "The largest body."},
    )
    partition = object_of(name=STRING, count=INTEGER, problem={"type": ["string", "null"]})
    partitions = list_of(partition) | {"description": "Of a collection only: its partitions."}
    return with_optional(shape, partitions=partitions)


def _index() -> dict[str, Json]:
    return {
        "name": STRING,
        "count": {"type": "integer", "description": "Number of pictures in the library."},
        "model": STRING,
        "dim": {"type": "integer", "description": "Numbers in one vector."},
        "version": {"type": "string", "description": "Changes whenever the library does."},
    }


def _suggestions() -> Json:
    value = object_of(value=STRING, count=INTEGER)
    column = object_of(name=STRING, operator=STRING, values=list_of(value), total=INTEGER)
    ends: dict[str, Json] = {"minimum": _END, "maximum": _END}
    limits = object_of(name=STRING, kind={"type": "string", "enum": ["number", "date"]}, **ends)
    return object_of(examples=list_of(STRING), columns=list_of(column), ranges=list_of(limits))


def _facet() -> Json:
    value = object_of(value=STRING, count=INTEGER, folders=INTEGER)
    end: Json = {"type": ["number", "string", "null"]}
    return object_of(
        column=STRING,
        operator=STRING,
        kind={
            "type": "string",
            "enum": ["text", "list", "flag", "number", "date", "year", "month", "folder"],
        },
        total=INTEGER,
        values=list_of(value),
        minimum=end,
        maximum=end,
    )


def _timeline() -> Json:
    month = object_of(month=STRING, count=INTEGER, offset=INTEGER)
    return object_of(months=list_of(month), total=INTEGER, undated=INTEGER)


def _search_request() -> Json:
    return {
        "type": "object",
        "description": "At least one of q, terms and where.",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {parameter.wire_name: body_schema(parameter) for parameter in PARAMETERS.values()},
        "anyOf": [{"required": [PARAMETERS[name].wire_name]} for name in ("query", "terms", "where")],
    }


def url_schema(parameter: Parameter) -> Json:
    """Return the schema of a parameter in a URL."""
    return _URL_SCHEMAS[parameter.kind](parameter)


def body_schema(parameter: Parameter) -> Json:
    """Return the schema of a parameter in a JSON body."""
    return _BODY_SCHEMAS[parameter.kind](parameter) | {"description": parameter.help}


def _integer_schema(parameter: Parameter) -> Json:
    maximum: Json = {} if parameter.served_maximum is None else {"maximum": parameter.served_maximum}
    default = parameter.default if parameter.served_default is None else parameter.served_default
    return INTEGER | {"minimum": parameter.minimum, **maximum, "default": default}


def _choice_schema(parameter: Parameter) -> Json:
    return STRING | {"enum": list(parameter.choices), "default": parameter.default}


_URL_SCHEMAS: dict[str, Callable[[Parameter], Json]] = {
    "query": lambda parameter: WORDS,
    "filter": lambda parameter: STRING | {"maxLength": MAX_WHERE_CHARACTERS},
    "choice": _choice_schema,
    "integer": _integer_schema,
    "number": lambda parameter: STRING | {"pattern": r"^-?[0-9]{1,9}(\.[0-9]{1,17})?$"},
    "flag": lambda parameter: INTEGER | {"minimum": 0, "maximum": 1, "default": int(parameter.default)},
    "names": lambda parameter: STRING | {"pattern": f"^({'|'.join(parameter.choices)}|,)*$"},
}
_BODY_SCHEMAS: dict[str, Callable[[Parameter], Json]] = {
    "query": lambda parameter: WORDS,
    "terms": lambda parameter: list_of(reference("Term")) | {"minItems": 1, "maxItems": MAX_TERMS},
    "filter": lambda parameter: {"type": ["string", "object"]},
    "choice": _choice_schema,
    "integer": _integer_schema,
    "number": lambda parameter: {"type": ["number", "null"]},
    "flag": lambda parameter: FLAG | {"default": parameter.default},
    "names": lambda parameter: list_of({"enum": list(parameter.choices)}),
}


def _term() -> Json:
    weight: Json = {"type": "number", "minimum": -MAX_WEIGHT, "maximum": MAX_WEIGHT, "default": 1}
    kinds: dict[str, Json] = {
        "text": WORDS,
        "id": ID,
        "image": {"type": "string", "contentEncoding": "base64", "description": "A picture file."},
        "image_url": {"type": "string", "maxLength": 4096},
        "vector": {"type": "array", "items": NUMBER, "minItems": 1, "maxItems": MAX_DIM},
    }
    forms = [
        {
            "type": "object",
            "required": [name],
            "properties": {name: shape, "weight": weight},
            "additionalProperties": False,
        }
        for name, shape in kinds.items()
    ]
    return {"oneOf": forms}


def _knn() -> Json:
    return {
        "type": "object",
        "description": "As clip-retrieval's backend takes it; one of the first four.",
        "properties": {
            "text": {"type": ["string", "null"]},
            "image": {"type": ["string", "null"], "description": "A picture file in base64."},
            "image_url": {"type": ["string", "null"]},
            "embedding_input": {"type": ["array", "null"], "items": NUMBER},
            "modality": {"const": "image"},
            "num_images": {"type": "integer", "minimum": 1},
            "num_result_ids": {"type": "integer", "minimum": 1},
            "indice_name": {"type": ["string", "null"]},
            "deduplicate": FLAG,
        },
    }


def _ids() -> Json:
    return {
        "type": "object",
        "required": ["ids"],
        "properties": {
            "ids": {"type": "array", "items": ID, "maxItems": MAX_DEPTH},
            "indice_name": {"type": ["string", "null"]},
        },
    }
