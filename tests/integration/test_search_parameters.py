"""Every surface of a search has exactly the parameters that `SearchRequest` declares."""

import argparse
from dataclasses import fields, replace
from typing import Any

import pytest
from starlette.datastructures import QueryParams

from snapseek.cli import search as search_command
from snapseek.errors import InputError
from snapseek.library import Library
from snapseek.search_request import PARAMETERS, SearchOptions, SearchRequest
from snapseek.server.api.openapi import openapi
from snapseek.server.api.search_request import (
    BODY_NAMES,
    URL_NAMES,
    entity_tag,
    request_from_body,
    request_from_url,
)

NAMES = set(PARAMETERS)
WIRE_NAMES = {parameter.wire_name for parameter in PARAMETERS.values()}
DOCUMENT: Any = openapi("0")

TEXTS = {"q": "dog", "where": "tag:a", "sort": "size", "mode": "both", "model": "fast", "include": "meta"}
NUMBERS = {"limit": 7, "offset": 3, "min_score": 0.5, "dedup": 1, "exact": 1}


def test_every_field_but_local_files_is_declared():
    assert {field.name for field in fields(SearchRequest)} == NAMES | {"local_files"}


def test_python_takes_every_parameter_by_its_name(library):
    assert set(SearchOptions.__annotations__) | {"query", "limit"} == NAMES
    assert Library.search.__annotations__["options"].__args__ == (SearchOptions,)
    with pytest.raises(TypeError, match="fold"):
        library.search("red", fold=True)


def test_a_url_takes_every_parameter_but_terms():
    assert set(URL_NAMES) == WIRE_NAMES - {"terms"}
    assert set(TEXTS) | set(NUMBERS) == set(URL_NAMES)
    values = {name: str(value) for name, value in {**TEXTS, **NUMBERS}.items()}
    request = request_from_url(QueryParams(values))
    default = SearchRequest()
    for name in NAMES - {"terms"}:
        assert getattr(request, name) != getattr(default, name)


def test_a_body_takes_every_parameter():
    assert set(BODY_NAMES) == WIRE_NAMES
    body = {**TEXTS, **NUMBERS, "dedup": True, "exact": True, "include": ["meta"]}
    decoded = request_from_body({**body, "terms": [{"text": "cat"}]})
    values = {name: str(value) for name, value in {**TEXTS, **NUMBERS}.items()}
    assert replace(decoded, terms=()) == request_from_url(QueryParams(values))


def test_the_openapi_document_describes_every_parameter():
    described = DOCUMENT["paths"]["/api/search"]["get"]["parameters"]
    assert [entry["name"] for entry in described] == list(URL_NAMES)
    properties = DOCUMENT["components"]["schemas"]["SearchRequest"]["properties"]
    assert list(properties) == list(BODY_NAMES)
    for parameter in PARAMETERS.values():
        assert properties[parameter.wire_name]["description"] == parameter.help


def test_the_command_line_has_every_flag():
    parser = argparse.ArgumentParser()
    search_command.add_arguments(parser)
    options = {action.dest: action for action in parser._actions}
    for name in NAMES - {"query", "terms", "include"}:
        assert tuple(options[name].option_strings) == PARAMETERS[name].flags
        assert options[name].default == ("auto" if name == "mode" else PARAMETERS[name].default)
        assert options[name].choices == (PARAMETERS[name].choices or None)
    assert not any(PARAMETERS[name].flags for name in ("query", "terms", "include"))


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_entity_tag_depends_on_every_parameter(name):
    others = {
        "query": "cat",
        "terms": (1,),
        "where": "tag:b",
        "limit": 9,
        "offset": 1,
        "min_score": 0.1,
        "include": (),
    }
    parameter = PARAMETERS[name]
    value = others.get(name, parameter.choices[1] if parameter.choices else True)
    request = SearchRequest("dog")
    assert entity_tag(replace(request, **{name: value}), "v") != entity_tag(request, "v")


def test_the_mode_auto_ranks_as_clip_without_words(library):
    assert library.search("cyan", mode="auto") == library.search("cyan", mode="clip")
    assert library.search("", mode="auto", where="name:red") == library.search("", where="name:red")


def test_the_mode_auto_joins_pictures_with_words_of_the_query(library):
    by_sight = library.search("green", 6)
    joined = library.search("green deep", 6, mode="auto")
    names = {hit.meta["name"]: hit.why for hit in joined}
    assert names["green.png"] == ("file name",)
    assert names["blue.webp"] == names["yellow.gif"] == ("folder name",)
    assert names["white.bmp"] == ()
    assert all(hit.score is not None for hit in joined)
    assert {hit.why for hit in by_sight} == {()}


def test_the_mode_auto_keeps_filters_pages_and_thresholds(library):
    everything = library.search("red deep", 6, mode="auto")
    pages = [library.search("red deep", 2, offset=start, mode="auto") for start in (0, 2, 4)]
    assert [hit.id for page in pages for hit in page] == [hit.id for hit in everything]
    assert [hit.meta["name"] for hit in library.search("red deep name:blue", mode="auto")] == ["blue.webp"]
    threshold = sorted(hit.score for hit in everything)[3]
    found = library.search("red deep", 6, mode="auto", min_score=threshold)
    assert {hit.id for hit in found} == {hit.id for hit in everything if hit.score >= threshold}


@pytest.mark.parametrize("name", [name for name in PARAMETERS if PARAMETERS[name].choices])
def test_the_choices_are_enforced_everywhere(name):
    value: Any = "nonsense" if PARAMETERS[name].kind == "choice" else ("nonsense",)
    with pytest.raises(InputError, match=f"{name} to be one of"):
        SearchRequest(**{name: value})
    with pytest.raises(InputError, match=f"{name} to be one of"):
        request_from_url(QueryParams({name: "nonsense"}))
    with pytest.raises(InputError, match=f"{name} to be one of"):
        request_from_body({name: ["nonsense"] if isinstance(value, tuple) else value})


def test_included_fields_are_the_only_optional_ones(library):
    (hit,) = library.search("red", 1, include=("caption",))
    (whole,) = library.search("red", 1)
    assert (hit.preview, hit.meta) == (b"", {})
    assert whole.preview
    assert whole.meta
    assert hit.id == whole.id
