"""snapseek.server.api.openapi: the description and the server say the same."""

from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from snapseek.server import create_app
from snapseek.server.api.openapi import openapi
from tests.support.asgi_client import Reply, ask
from tests.support.fake_library import FakeLibrary

DOCUMENT: dict[str, Any] = openapi("0.1.0")


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    return create_app(FakeLibrary(tmp_path))


def resolved(shape: dict[str, Any]) -> dict[str, Any]:
    name = shape.get("$ref", "").removeprefix("#/components/schemas/")
    return DOCUMENT["components"]["schemas"][name] if name else shape


JSON_TYPES = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "array": list,
    "null": type(None),
}


def check(value: Any, shape: dict[str, Any], path: str = "body") -> None:
    """`value` has the described type, and every object the described members, those required path least."""
    shape = resolved(shape)
    if "const" in shape:
        assert value == shape["const"], path
        return
    types = [shape["type"]] if isinstance(shape["type"], str) else shape["type"]
    assert any(isinstance(value, JSON_TYPES[name]) for name in types), (path, value, types)
    if "properties" in shape and value is not None:
        assert set(shape["required"]) <= set(value) <= set(shape["properties"]), path
        for name, inner in value.items():
            check(inner, shape["properties"][name], f"{path}.{name}")
    for index, entry in enumerate(value if "items" in shape else ()):
        check(entry, shape["items"], f"{path}[{index}]")


def test_every_address_is_described_and_every_description_has_an_address(app: Starlette):
    routed = {route.path for route in app.routes if isinstance(route, Route) and route.include_in_schema}
    assert routed == set(DOCUMENT["paths"])


def test_it_is_served(app: Starlette):
    served = ask(app, "/api/openapi.json").json()
    assert served["openapi"] == "3.1.0"
    assert served["paths"] == DOCUMENT["paths"]


def described(path: str, status: int, media_type: str) -> dict[str, Any]:
    answer = DOCUMENT["paths"][path]["get"]["responses"][str(status)]
    return answer["content"][media_type]["schema"]


@pytest.mark.parametrize(
    ("template", "path", "query", "status"),
    [
        ("/api/search", "/api/search", "q=dog", 200),
        ("/api/search", "/api/search", "", 400),
        ("/api/search", "/api/search", "q=other+model", 409),
        ("/api/items", "/api/items", "", 200),
        ("/api/items", "/api/items", "limit=0", 400),
        ("/api/items/{id}", "/api/items/1", "", 200),
        ("/api/items/{id}", "/api/items/x", "", 400),
        ("/api/items/{id}", "/api/items/99", "", 404),
        ("/api/image/{id}", "/api/image/1", "w=1", 400),
        ("/api/image/{id}", "/api/image/99", "", 404),
        ("/api/image/{id}", "/api/image/9", "w=16", 415),
        ("/api/info", "/api/info", "", 200),
        ("/api/info", "/api/info", "x=1", 400),
        ("/api/openapi.json", "/api/openapi.json", "", 200),
        ("/healthz", "/healthz", "", 200),
        ("/readyz", "/readyz", "", 200),
        ("/api/suggestions", "/api/suggestions", "", 200),
        ("/api/items/{id}/similar", "/api/items/3/similar", "", 200),
        ("/api/items/{id}/similar", "/api/items/99/similar", "", 404),
        ("/api/preview/{id}", "/api/preview/99", "", 404),
        ("/indices-list", "/indices-list", "", 200),
    ],
)
def test_answers_have_the_described_shape(app: Starlette, template: str, path: str, query: str, status: int):
    reply: Reply = ask(app, path, query)
    assert reply.status == status
    check(reply.json(), described(template, status, reply.headers["content-type"]))


PROBES = ("/healthz", "/readyz", "/metrics")  # whoever watches may add what they like
ASKED = [path for path, item in DOCUMENT["paths"].items() if "get" in item and path not in PROBES]


@pytest.mark.parametrize("path", ASKED)
def test_exactly_the_described_parameters_are_taken(app: Starlette, path: str):
    names = [
        entry["name"] for entry in DOCUMENT["paths"][path]["get"]["parameters"] if entry["in"] == "query"
    ]
    detail = ask(app, path.replace("{id}", "1"), "unheard-of=1").json()["detail"]
    assert detail.endswith("known: " + (", ".join(names) or "none"))


@pytest.mark.parametrize("path", ["/api/search", "/api/items", "/api/items/{id}/similar", "/api/image/{id}"])
def test_the_described_bounds_are_the_servers(app: Starlette, path: str):
    for entry in DOCUMENT["paths"][path]["get"]["parameters"]:
        low, high = entry["schema"].get("minimum"), entry["schema"].get("maximum")
        if low is None or entry["in"] != "query":
            continue
        for number, refused in ((low, False), (high, False), (low - 1, True), (high + 1, True)):
            extra = "&limit=1" if entry["name"] == "offset" else ""
            extra += "&q=dog" if path == "/api/search" else ""
            reply = ask(app, path.replace("{id}", "1"), f"{entry['name']}={number}{extra}")
            assert (reply.status == 400) is refused, (entry["name"], number)


def test_every_reference_leads_somewhere():
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [found for inner in value.values() for found in references(inner)]
        return [found for inner in value for found in references(inner)] if isinstance(value, list) else []

    for reference in references(DOCUMENT):
        assert resolved({"$ref": reference})
