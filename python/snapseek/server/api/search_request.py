"""Decodes a `SearchRequest` from the parameters of a URL or from a JSON body.

Both read the declarations in `snapseek.search_request`. A decoder for each kind of parameter turns text, or a
JSON value, into the type of the field; bounds that hold over HTTP only are checked here, all others by the
request.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from snapseek.errors import OutOfRangeError, ParseError
from snapseek.search_request import PARAMETERS, Parameter, SearchRequest, check_choice
from snapseek.server.api.bounded_json import parse_object
from snapseek.server.api.parameters import (
    INTEGER,
    MAX_DEPTH,
    MAX_WHERE_CHARACTERS,
    checked_query,
    excerpt,
)
from snapseek.server.api.terms import is_number, read_terms

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

_BY_WIRE_NAME = {parameter.wire_name: parameter for parameter in PARAMETERS.values()}
URL_NAMES = tuple(name for name, parameter in _BY_WIRE_NAME.items() if parameter.is_in_url)
"""The parameters of `GET /api/search`."""

BODY_NAMES = tuple(_BY_WIRE_NAME)
"""The fields of the body of `POST /api/search`."""

_DECIMAL = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,17})?")


def request_from_url(params: QueryParams, names: Iterable[str] = URL_NAMES, **fixed: Any) -> SearchRequest:
    """Decode the parameters of a URL.

    Parameters
    ----------
    params
        The parameters.
    names
        Those that are decoded.
    **fixed
        Fields that the endpoint sets itself.

    Raises
    ------
    InputError
        A parameter is malformed or out of bounds.
    """
    declared = [_BY_WIRE_NAME[name] for name in names if name in params]
    values = {
        parameter.name: _FROM_TEXT[parameter.kind](parameter, params[parameter.wire_name])
        for parameter in declared
    }
    return _request({**values, **fixed})


def request_from_body(body: Mapping[str, Any]) -> SearchRequest:
    """Decode a JSON body; its `terms` may hold `PictureTerm`s, which are still to be decoded.

    Raises InputError for a field that is unknown, malformed or out of bounds.
    """
    unknown = [name for name in body if name not in _BY_WIRE_NAME]
    if unknown:
        raise ParseError(
            expected="a known field", got=excerpt(unknown[0]), hint=f"known: {', '.join(BODY_NAMES)}"
        )
    values = {}
    for name, value in body.items():
        parameter = _BY_WIRE_NAME[name]
        if value is not None or parameter.kind in ("choice", "integer", "flag"):
            values[parameter.name] = _FROM_JSON[parameter.kind](parameter, value)
    return _request(values)


def entity_tag(request: SearchRequest, version: str) -> str:
    """Return a weak entity tag of the answer to a request without pictures by the library of that version.

    Weak, because two answers differ in their timings.
    """
    day = datetime.now().date()
    digest = hashlib.blake2b(f"{day} {request!r}".encode("utf-8", "backslashreplace"), digest_size=12)
    return f'W/"{version}-{digest.hexdigest()}"'


def _request(values: dict[str, Any]) -> SearchRequest:
    """Return the request with the defaults and bounds that hold over HTTP."""
    for parameter in PARAMETERS.values():
        if parameter.served_default is not None:
            values.setdefault(parameter.name, parameter.served_default)
        if parameter.served_maximum is not None and parameter.name in values:
            _check_maximum(parameter, values[parameter.name])
    request = SearchRequest(**values, local_files=False)
    if request.end > MAX_DEPTH:
        raise OutOfRangeError(
            expected=f"offset + limit of up to {MAX_DEPTH}", got=str(request.end), hint="narrow the query"
        )
    return request


def _check_maximum(parameter: Parameter, value: int) -> None:
    if not parameter.minimum <= value <= (parameter.served_maximum or value):
        raise OutOfRangeError(
            expected=f"{parameter.wire_name} to be an integer from {parameter.minimum} to "
            f"{parameter.served_maximum}",
            got=excerpt(value),
        )


def _integer_of_text(parameter: Parameter, text: str) -> int:
    if INTEGER.fullmatch(text):
        return int(text)
    maximum = "" if parameter.served_maximum is None else f" to {parameter.served_maximum}"
    raise OutOfRangeError(
        expected=f"{parameter.wire_name} to be an integer from {parameter.minimum}{maximum}",
        got=excerpt(text),
    )


def _number_of_text(parameter: Parameter, text: str) -> float:
    if _DECIMAL.fullmatch(text):
        return float(text)
    raise ParseError(expected=f"{parameter.wire_name} to be a decimal number such as 0.25", got=excerpt(text))


def _flag_of_text(parameter: Parameter, text: str) -> bool:
    if text not in ("0", "1"):
        raise ParseError(expected=f"{parameter.wire_name} to be 0 or 1", got=excerpt(text))
    return text == "1"


def _names_of_text(parameter: Parameter, text: str) -> tuple[str, ...]:
    return _checked_names(parameter, [name for name in text.split(",") if name])


def _filter_of_text(parameter: Parameter, text: str) -> str | Mapping[str, Any] | None:
    """Return a filter as text, or the JSON object that a leading brace announces."""
    text = text.strip()
    if len(text) > MAX_WHERE_CHARACTERS:
        raise OutOfRangeError(
            expected=f"{parameter.wire_name} of up to {MAX_WHERE_CHARACTERS} characters", got=str(len(text))
        )
    if text.startswith("{"):
        return parse_object(text.encode("utf-8", "surrogatepass"))
    return text or None


def _query_of_text(parameter: Parameter, text: str) -> str | None:
    return checked_query(text)


def _choice(parameter: Parameter, value: object) -> object:
    check_choice(parameter.wire_name, value, parameter.choices)
    return value


def _integer(parameter: Parameter, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ParseError(expected=f"{parameter.wire_name} to be an integer", got=excerpt(value))
    return value


def _number(parameter: Parameter, value: object) -> float:
    if isinstance(value, int | float) and is_number(value) and math.isfinite(value):
        return float(value)
    raise ParseError(expected=f"{parameter.wire_name} to be a number", got=excerpt(value))


def _flag(parameter: Parameter, value: object) -> bool:
    if not isinstance(value, bool):
        raise ParseError(expected=f"{parameter.wire_name} to be true or false", got=excerpt(value))
    return value


def _names(parameter: Parameter, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ParseError(expected=f"{parameter.wire_name} to be a list of names", got=excerpt(value))
    return _checked_names(parameter, value)


def _filter(parameter: Parameter, value: object) -> str | Mapping[str, Any] | None:
    if not isinstance(value, str | Mapping):
        raise ParseError(expected=f"{parameter.wire_name} to be a text or an object", got=excerpt(value))
    return value or None


def _query(parameter: Parameter, value: object) -> str | None:
    if not isinstance(value, str):
        raise ParseError(expected=f"{parameter.wire_name} to be a text", got=excerpt(value))
    return checked_query(value)


def _terms(parameter: Parameter, value: object) -> tuple[Any, ...]:
    return read_terms(value)


def _checked_names(parameter: Parameter, names: list[str]) -> tuple[str, ...]:
    for name in names:
        check_choice(parameter.wire_name, name, parameter.choices)
    return tuple(name for name in parameter.choices if name in names)


Decoder = Callable[[Parameter, Any], Any]
_FROM_TEXT: dict[str, Decoder] = {
    "query": _query_of_text,
    "filter": _filter_of_text,
    "choice": _choice,
    "integer": _integer_of_text,
    "number": _number_of_text,
    "flag": _flag_of_text,
    "names": _names_of_text,
}
_FROM_JSON: dict[str, Decoder] = {
    "query": _query,
    "terms": _terms,
    "filter": _filter,
    "choice": _choice,
    "integer": _integer,
    "number": _number,
    "flag": _flag,
    "names": _names,
}
