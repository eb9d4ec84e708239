"""snapseek.server.problems."""

import json

import pytest

from snapseek import errors
from snapseek.server.problems import problem, status_of


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


def test_a_sentence_with_a_broken_file_name_still_travels():
    assert json.loads(problem(415, "cannot read 'a\udcff.jpg'").body)["detail"] == "cannot read 'a\udcff.jpg'"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.InputError, 400),
        (errors.ItemNotFoundError, 404),
        (errors.ModelMismatchError, 409),
        (errors.PictureError, 415),
        (errors.ModelError, 500),
        (errors.FormatError, 500),
        (errors.LibraryBusyError, 500),
        (errors.StorageError, 500),
    ],
)
def test_each_error_has_its_status(kind: type[errors.SnapseekError], status: int):
    assert status_of(kind("a sentence")) == status
