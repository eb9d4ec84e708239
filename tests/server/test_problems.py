"""snapseek.server.problems."""

import asyncio
import inspect
import json

import pytest
from starlette.requests import Request

from snapseek import errors
from snapseek.server.api.json_schemas import schemas
from snapseek.server.problems import answer_snapseek_error, problem, rejection, status_of


def test_a_problem_has_the_members_of_rfc_9457():
    answer = problem(404, "expected a picture, found none", {"x-more": "1"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-more"] == "1"
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "expected a picture, found none",
    }


def test_a_message_with_an_undecodable_file_name_is_sent():
    assert json.loads(problem(415, "cannot read 'a\udcff.jpg'").body)["detail"] == "cannot read 'a\udcff.jpg'"


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (
            errors.OutOfRangeError(expected="k of 1 or more", got="0", hint="leave it out"),
            {"code": "out_of_range", "expected": "k of 1 or more", "got": "0", "hint": "leave it out"},
        ),
        (errors.ParseError(expected="a filter"), {"code": "unparsable", "expected": "a filter"}),
        (errors.InputError("no such folder"), {"code": "invalid_input"}),
    ],
)
def test_an_error_sends_its_fields(error: errors.SnapseekError, fields: dict[str, str]):
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    answer = asyncio.run(answer_snapseek_error(Request(scope), error))
    document = json.loads(answer.body)
    assert {name: document.pop(name) for name in fields} == fields
    assert document == {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": str(error)}


def test_a_rejection_sends_the_fields_that_it_has():
    document = json.loads(rejection(421, expected="localhost", hint="open it there").body)
    assert (document["expected"], document["hint"]) == ("localhost", "open it there")
    assert document["detail"] == "expected localhost; open it there"
    assert "got" not in document


def test_the_problem_schema_lists_every_code():
    shape = schemas()["Problem"]["properties"]  # type: ignore[index]
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    assert {kind.code for kind in kinds if issubclass(kind, errors.SnapseekError)} <= set(
        shape["code"]["enum"]
    )
    assert {"expected", "got", "hint"} <= set(shape)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.InputError, 400),
        (errors.ItemNotFoundError, 404),
        (errors.ModelMismatchError, 409),
        (errors.PictureError, 415),
        (errors.ModelError, 500),
        (errors.FormatError, 500),
        (errors.LibraryBusyError, 503),
        (errors.StorageError, 500),
    ],
)
def test_each_error_has_its_status(kind: type[errors.SnapseekError], status: int):
    assert status_of(kind("a sentence")) == status
