"""snapseek.server.api.search_request: bodies and parameters as questions, and how they are put to a
library."""

import base64
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from snapseek.errors import InputError, ModelMismatchError
from snapseek.library import Term
from snapseek.server import create_app
from snapseek.server.api.parameters import Window
from snapseek.server.api.search_request import Asking, PictureTerm, Question, batch_embed, question_of
from tests.support.asgi_client import ask
from tests.support.fake_library import FILES, FakeLibrary


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    return FakeLibrary(tmp_path)


@pytest.fixture
def app(library: FakeLibrary) -> Starlette:
    return create_app(library)


def post(app: Starlette, body: object) -> Any:
    return ask(app, "/api/search", method="POST", body=json.dumps(body).encode())


def test_a_body_can_say_everything():
    picture = base64.b64encode(FILES["b.png"]).decode()
    found = question_of(
        {
            "q": " a dog ",
            "terms": [
                {"text": "night"},
                {"id": 7, "weight": -0.5},
                {"image": picture},
                {"image": "data:image/png;base64," + picture, "weight": 2},
                {"image_url": "https://a.example/b.png"},
            ],
            "where": {"year": 2021},
            "sort": "newest",
            "min_score": 0.2,
            "dedup": True,
            "mode": "both",
            "exact": True,
            "tower": "fast",
            "limit": 7,
            "offset": 3,
            "include": ["caption"],
        }
    )
    pictures = (
        PictureTerm(FILES["b.png"], None, 1.0),
        PictureTerm(FILES["b.png"], None, 2.0),
        PictureTerm(None, "https://a.example/b.png", 1.0),
    )
    assert found == Question(
        Window(7, 3),
        "a dog",
        (Term("night"), Term(7, -0.5)),
        pictures,
        {"year": 2021},
        "newest",
        0.2,
        True,
        "both",
        True,
        "fast",
        frozenset({"caption"}),
    )


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "found none"),
        ({"limit": 5}, "found none"),
        ({"q": " "}, "the query is empty"),
        ({"q": 5}, "expected q to be a text"),
        ({"q": "a", "limt": 5}, "limt"),
        ({"q": "a", "limit": 0}, "limit must be"),
        ({"q": "a", "limit": True}, "a whole number"),
        ({"q": "a", "limit": 200, "offset": 900}, "1100"),
        ({"q": "a", "exact": 1}, "true or false"),
        ({"q": "a", "min_score": "x"}, "a number"),
        ({"q": "a", "include": ["all"]}, "include"),
        ({"q": "a", "where": 5}, "where"),
        ({"terms": "a"}, "a list of at most 16"),
        ({"terms": [{"text": "a"}] * 17}, "a list of at most 16"),
        ({"terms": ["a"]}, "a term to be an object"),
        ({"terms": [{"text": "a", "id": 3}]}, "a term to be an object"),
        ({"terms": [{"path": "/etc/passwd"}]}, "a term to be an object"),
        ({"terms": [{"text": "a", "weight": 1001}]}, "a weight from -1000 to 1000"),
        ({"terms": [{"text": "a", "weight": "1"}]}, "a weight from -1000 to 1000"),
        ({"terms": [{"id": "7"}]}, "64-bit integer"),
        ({"terms": [{"id": 2**63}]}, "64-bit integer"),
        ({"terms": [{"image": "no base64!"}]}, "a picture in base64"),
        ({"terms": [{"image": ""}]}, "found no byte"),
        ({"terms": [{"image": "A" * (23 << 20)}]}, "at most 16 MB"),
        ({"terms": [{"vector": []}]}, "a list of 1 to 4096 numbers"),
        ({"terms": [{"vector": [1, None]}]}, "a list of 1 to 4096 numbers"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(body: dict[str, Any], sentence: str):
    with pytest.raises(InputError, match=sentence):
        question_of(body)


def test_a_vector_is_a_term():
    (term,) = question_of({"terms": [{"vector": [1, 2.5, -3]}]}).terms
    np.testing.assert_array_equal(term.subject, np.array([1, 2.5, -3], np.float32))


def test_words_filters_and_terms_are_put_together(library: FakeLibrary):
    question = question_of({"q": "dog year:2021", "terms": [{"id": 3}], "where": {"kind": "png"}})
    _, filters = Asking(library, question, (Term("of a picture"),)).find()
    assert library.asked == [("dog + id:3 + of a picture", 60, 0)]
    assert filters == ("year:2021",)
    assert isinstance(library.options["where"], tuple)
    assert library.options["where"][0] == {"kind": "png"}
    assert len(library.options["where"]) == 2


def test_the_words_of_questions_that_wait_are_read_together(library: FakeLibrary):
    read: list[tuple[str, list[str]]] = []

    class FakeEncoder:
        def __init__(self, tower: str) -> None:
            self.tower = tower

        def embed_ahead(self, texts: list[str]) -> None:
            read.append((self.tower, texts))
            raise ModelMismatchError("the model is another one now")

    library.encoder_of = FakeEncoder  # type: ignore[attr-defined]
    bodies: list[dict[str, Any]] = [
        {"q": "dog + cat year:2021"},
        {"q": "image:secret.jpg"},
        {"terms": [{"text": "bird"}, {"id": 3}], "tower": "fast"},
        {"q": "only in captions", "mode": "words"},
    ]
    batch_embed(library, [Asking(library, question_of(body)) for body in bodies])
    assert read == [("full", ["dog", "cat"]), ("fast", ["bird"])]


def test_parameters_say_the_same(app: Starlette, library: FakeLibrary):
    query = (
        "q=dog&sort=oldest&min_score=0.25&dedup=1&mode=both&exact=1&model=fast&where=%7B%22year%22:2021%7D"
    )
    assert ask(app, "/api/search", query).status == 200
    assert library.options == {
        "exact": True,
        "tower": "fast",
        "where": ({"year": 2021},),
        "sort": "oldest",
        "min_score": 0.25,
        "dedup": True,
        "mode": "both",
    }


def test_filters_alone_are_a_question(app: Starlette, library: FakeLibrary):
    body = ask(app, "/api/search", "where=type:png").json()
    assert (body["query"], library.options["where"]) == (None, ("type:png",))


@pytest.mark.parametrize(
    "query", ["q=a&sort=best", "q=a&mode=all", "q=a&min_score=nan", "q=a&include=uri", "where=%7B"]
)
def test_parameters_that_make_no_sense_are_refused(app: Starlette, query: str):
    assert ask(app, "/api/search", query).status == 400


def test_a_picture_is_read_and_searched_by(app: Starlette, library: FakeLibrary):
    picture = base64.b64encode(FILES["a.jpg"]).decode()
    reply = post(app, {"terms": [{"image": picture, "weight": 2}], "limit": 2})
    assert reply.status == 200
    assert library.asked == [("2:image:(picture)", 2, 0)]


@pytest.mark.parametrize("name", ["svg named.png", "html named.jpg", "cut.jpg"])
def test_what_is_no_picture_is_refused(app: Starlette, name: str):
    reply = post(app, {"terms": [{"image": base64.b64encode(FILES[name]).decode()}]})
    assert (reply.status, "cannot search by the picture" in reply.json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/a.png",
        "http://[::1]/a.png",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost/a.png",
        "file:///etc/passwd",
        "http://10.0.0.1/",
        "http://[::ffff:127.0.0.1]/",
        "gopher://a.example/",
    ],
)
def test_nothing_inside_this_network_is_fetched(app: Starlette, url: str):
    assert post(app, {"terms": [{"image_url": url}]}).status == 400


def test_a_server_for_others_fetches_nothing(library: FakeLibrary):
    reply = post(create_app(library, allowed_hosts=None), {"terms": [{"image_url": "https://a.example/"}]})
    assert "only fetched by a server for its own machine" in reply.json()["detail"]


def test_a_client_that_holds_the_answer_is_told_so(app: Starlette, library: FakeLibrary):
    tag = ask(app, "/api/search", "q=dog").headers["etag"].encode()
    host = (b"host", b"localhost")
    again = ask(app, "/api/search", "q=dog", headers=[host, (b"if-none-match", tag)])
    assert (again.status, again.body, len(library.asked)) == (304, b"", 1)
    assert ask(app, "/api/search", "q=dog&limit=3", headers=[host, (b"if-none-match", tag)]).status == 200


@given(st.dictionaries(st.text(max_size=8), st.recursive(st.none() | st.integers() | st.text(), st.lists)))
def test_any_object_is_a_question_or_refused(body: dict[str, Any]):
    with suppress(InputError):
        question_of(body)
