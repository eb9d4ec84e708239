"""schemathesis sends a real server what its OpenAPI document allows, and much that it does not.

`SNAPSEEK_EXAMPLES` (`make schemathesis`) is how many requests it makes up for each operation and mode.
"""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from snapseek.errors import InputError
from snapseek.server import create_app
from snapseek.server.api import uploads
from snapseek.server.api.openapi import openapi
from snapseek.server.host_guard import LOOPBACK_HOSTS

FEW = 12
EXAMPLES = int(os.environ.get("SNAPSEEK_EXAMPLES", str(FEW)))
TESTCLIENT = "testserver"  # what Starlette's test client calls every server
OPERATIONS = [
    (method, path, described)
    for path, item in openapi("0")["paths"].items()
    for method, described in item.items()
]
# Here a filter, a picture or a name has a meaning that no schema tells: a well-formed one may be a 400.
MEANT = {
    "/api/search",
    "/api/items",
    "/api/items/{id}/similar",
    "/api/duplicates",
    "/api/facets",
    "/api/timeline",
    "/knn-service",
    "/metadata",
}
CASES = [
    pytest.param(method, path, mode, id=f"{method}-{path}-{mode.value}")
    for method, path, described in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or described["parameters"] or "requestBody" in described
]


@pytest.fixture(scope="module")
def document(library):
    async def refuse(service, url):
        raise InputError("no test asks the web")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploads, "_fetched", refuse)
        yield load(library)


def load(library):
    app = create_app(library, allowed_hosts=LOOPBACK_HOSTS | {TESTCLIENT})
    return schemathesis.openapi.from_asgi("/api/openapi.json", app)


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_every_response_conforms_to_the_openapi_document(document, method, path, mode):
    operation = document[path][method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=EXAMPLES == FEW,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def ask(case):
        case.call_and_validate(excluded_checks=[positive_data_acceptance] if path in MEANT else [])

    ask()
