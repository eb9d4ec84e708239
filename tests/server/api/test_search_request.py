"""snapseek.server.api.search_request: URLs and JSON bodies decoded to search requests."""

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
from starlette.datastructures import QueryParams

from snapseek.errors import InputError
from snapseek.library import Term
from snapseek.search_request import SearchRequest
from snapseek.server import create_app
from snapseek.server.api.search_request import request_from_body, request_from_url
from snapseek.server.api.terms import PictureTerm
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
    found = request_from_body(
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
            "model": "fast",
            "limit": 7,
            "offset": 3,
            "include": ["caption"],
        }
    )
    assert found == SearchRequest(
        query="a dog",
        terms=(
            Term("night"),
            Term(7, -0.5),
            PictureTerm(FILES["b.png"], None, 1.0),
            PictureTerm(FILES["b.png"], None, 2.0),
            PictureTerm(None, "https://a.example/b.png", 1.0),
        ),
        where={"year": 2021},
        sort="newest",
        limit=7,
        offset=3,
        min_score=0.2,
        dedup=True,
        mode="both",
        exact=True,
        model="fast",
        include=("caption",),
        local_files=False,
    )


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"q": 5}, "expected q to be a text"),
        ({"q": "a", "limt": 5}, "limt"),
        ({"q": "a", "limit": 0}, "limit to be an integer from 1 to 200"),
        ({"q": "a", "limit": True}, "limit to be an integer"),
        ({"q": "a", "limit": 200, "offset": 900}, "1100"),
        ({"q": "a", "exact": 1}, "true or false"),
        ({"q": "a", "min_score": "x"}, "a number"),
        ({"q": "a", "include": ["all"]}, "include"),
        ({"q": "a", "where": 5}, "where"),
        ({"terms": "a"}, "a list of up to 16"),
        ({"terms": [{"text": "a"}] * 17}, "a list of up to 16"),
        ({"terms": ["a"]}, "a term to be an object"),
        ({"terms": [{"text": "a", "id": 3}]}, "a term to be an object"),
        ({"terms": [{"path": "/etc/passwd"}]}, "a term to be an object"),
        ({"terms": [{"text": "a", "weight": 1001}]}, "a weight from -1000 to 1000"),
        ({"terms": [{"text": "a", "weight": "1"}]}, "a weight from -1000 to 1000"),
        ({"terms": [{"id": "7"}]}, "64-bit integer"),
        ({"terms": [{"id": 2**63}]}, "64-bit integer"),
        ({"terms": [{"image": "no base64!"}]}, "a picture in base64"),
        ({"terms": [{"image": ""}]}, "got no byte"),
        ({"terms": [{"image": "A" * (23 << 20)}]}, "up to 16 MB"),
        ({"terms": [{"vector": []}]}, "a list of 1 to 4096 numbers"),
        ({"terms": [{"vector": [1, None]}]}, "a list of 1 to 4096 numbers"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(body: dict[str, Any], sentence: str):
    with pytest.raises(InputError, match=sentence):
        request_from_body(body)


def test_a_vector_is_a_term():
    (term,) = request_from_body({"terms": [{"vector": [1, 2.5, -3]}]}).terms
    np.testing.assert_array_equal(term.subject, np.array([1, 2.5, -3], np.float32))


@pytest.mark.parametrize("body", [{}, {"limit": 5}, {"q": " "}, {"where": {}}])
def test_a_body_without_query_terms_and_filters_is_refused(app: Starlette, body: dict[str, Any]):
    reply = post(app, body)
    assert (reply.status, reply.json()["expected"]) == (400, "a query, terms or filters")


def test_query_terms_and_filters_are_combined(app: Starlette, library: FakeLibrary):
    reply = post(app, {"q": "dog year:2021", "terms": [{"id": 3}], "where": {"kind": "png"}})
    assert library.searches == [("dog + id:3", 60, 0)]
    assert reply.json()["filters"] == ["year:2021"]


@pytest.mark.parametrize("query", ["image:/etc/passwd", 'dog - 2:image:"a.jpg"', "image:x"])
def test_no_request_names_a_file(app: Starlette, query: str):
    for reply in (ask(app, "/api/search", f"q={query}"), post(app, {"q": query})):
        assert (reply.status, reply.json()["expected"]) == (400, "a query that names no file")


def test_the_word_image_can_be_searched_for(app: Starlette, library: FakeLibrary):
    assert post(app, {"q": '"image:dog" + an image: a dog'}).status == 200
    assert library.searches == [('"image:dog" + "an image: a dog"', 60, 0)]


def test_a_url_says_the_same_as_a_body():
    query = (
        "q=dog&sort=oldest&min_score=0.25&dedup=1&mode=both&exact=1&model=fast&limit=1&offset=999"
        "&where=%7B%22year%22:2021%7D&include=caption,meta"
    )
    body = {
        "q": "dog",
        "sort": "oldest",
        "min_score": 0.25,
        "dedup": True,
        "mode": "both",
        "exact": True,
        "model": "fast",
        "limit": 1,
        "offset": 999,
        "where": {"year": 2021},
        "include": ["caption", "meta"],
    }
    assert request_from_url(QueryParams(query)) == request_from_body(body)
    assert request_from_url(QueryParams("q=a")) == request_from_body({"q": "a"})


@pytest.mark.parametrize(
    "query_string",
    ["limit=0", "limit=201", "limit=-1", "limit=", "limit=1.5", "limit=1e1", "limit=%D9%A3", "limit=+5"],
)
def test_a_limit_out_of_bounds_is_refused(query_string: str):
    with pytest.raises(InputError, match="limit to be an integer from 1 to 200, got"):
        request_from_url(QueryParams(query_string))


@pytest.mark.parametrize("query_string", ["limit=2&offset=999", "limit=200&offset=801"])
def test_paging_ends_at_a_thousand(query_string: str):
    with pytest.raises(InputError, match="of up to 1000"):
        request_from_url(QueryParams(query_string))


def test_a_negative_offset_is_refused():
    with pytest.raises(InputError, match="offset to be an integer from 0 to 999, got -1"):
        request_from_url(QueryParams("offset=-1"))


def test_a_flag_is_0_or_1():
    assert not request_from_url(QueryParams("")).exact
    assert not request_from_url(QueryParams("exact=0")).exact
    assert request_from_url(QueryParams("exact=1")).exact
    for text in ("exact=2", "exact=yes", "exact="):
        with pytest.raises(InputError, match="exact to be 0 or 1"):
            request_from_url(QueryParams(text))


@pytest.mark.parametrize("query", ["where=type:png", "where=type:png&q=", "where=type:png&q=+"])
def test_filters_need_no_query(app: Starlette, library: FakeLibrary, query: str):
    body = ask(app, "/api/search", query).json()
    assert (body["query"], library.request.where, library.searches) == (None, "type:png", [])


@pytest.mark.parametrize(
    "query", ["q=a&sort=best", "q=a&mode=all", "q=a&min_score=nan", "q=a&include=uri", "where=%7B"]
)
def test_parameters_that_make_no_sense_are_refused(app: Starlette, query: str):
    assert ask(app, "/api/search", query).status == 400


def test_a_picture_is_read_and_searched_by(app: Starlette, library: FakeLibrary):
    picture = base64.b64encode(FILES["a.jpg"]).decode()
    reply = post(app, {"terms": [{"image": picture, "weight": 2}], "limit": 2})
    assert reply.status == 200
    assert library.searches == [("2:image:(picture)", 2, 0)]


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
    assert reply.json()["hint"] == "send the picture as image"


def test_a_current_entity_tag_gets_a_304(app: Starlette, library: FakeLibrary):
    tag = ask(app, "/api/search", "q=dog").headers["etag"].encode()
    host = (b"host", b"localhost")
    again = ask(app, "/api/search", "q=dog", headers=[host, (b"if-none-match", tag)])
    assert (again.status, again.body, len(library.searches)) == (304, b"", 1)
    assert ask(app, "/api/search", "q=dog&limit=3", headers=[host, (b"if-none-match", tag)]).status == 200


@given(st.dictionaries(st.text(max_size=8), st.recursive(st.none() | st.integers() | st.text(), st.lists)))
def test_any_object_is_a_question_or_refused(body: dict[str, Any]):
    with suppress(InputError):
        request_from_body(body)
