"""snapseek.server.api.responses."""

import json
import subprocess
import sys
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest

from snapseek.server.api import responses
from snapseek.server.api.responses import hits_answer, info_answer, result, to_json
from tests.support.fake_library import FakeLibrary


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    return FakeLibrary(tmp_path)


def test_an_answer_to_words(library: FakeLibrary):
    answer = hits_answer(library.search("two dogs", 2), "two dogs", library.info())
    body = json.loads(answer.body)
    assert list(body)[:4] == ["query", "took_ms", "index", "total"]
    assert list(body)[4:] == ["relevant_count", "text_model", "filters", "unfinished", "notices", "results"]
    assert (body["relevant_count"], body["filters"]) == (None, [])
    assert body["query"] == "two dogs"
    took = body["took_ms"]
    assert list(took) == ["tokenize", "embed", "search", "fetch", "write", "total"]
    assert (took["tokenize"], took["embed"], took["search"], took["fetch"]) == (0.12, 1.11, 0.3, 0.2)
    assert took["write"] >= 0
    assert took["total"] == pytest.approx(1.9 + took["write"], abs=0.02)
    assert body["index"] == {
        "name": "demo",
        "count": 10,
        "model": "starter",
        "dim": 396,
        "version": "3f9a0c12",
    }
    assert body["total"] == 10
    assert [entry["id"] for entry in body["results"]] == [1, 2]
    assert answer.headers["server-timing"] == ", ".join(f"{name};dur={ms}" for name, ms in took.items())
    assert answer.headers["cache-control"] == "private, no-cache"


def test_an_answer_names_the_model_that_ranked_it(library: FakeLibrary):
    hits = library.search("two dogs", 2)
    later = replace(library.info(), model="other", dim=512, count=3, version="ffff")
    index = json.loads(hits_answer(hits, "two dogs", later).body)["index"]
    assert (index["model"], index["dim"], index["count"], index["version"]) == (
        "starter",
        396,
        10,
        "3f9a0c12",
    )


def test_one_picture(library: FakeLibrary):
    entry = result(library.search("dog", 1)[0], "3f9a0c12")
    assert b64decode(str(entry.pop("preview")), validate=True) == b"RIFF-preview"
    assert entry == {
        "id": 1,
        "score": 0.312346,
        "url": "/api/image/1?v=3f9a0c12",
        "width": 64,
        "height": 48,
        "color": "#c83c1e",
        "caption": None,
        "meta": library[1].meta,
        "similar": [],
        "similar_scores": [],
        "why": [],
    }


def test_what_is_not_wanted_is_left_out(library: FakeLibrary):
    entry = result(library[1], "1", {"caption"})
    names = ["id", "score", "url", "width", "height", "color", "caption", "similar", "similar_scores", "why"]
    assert list(entry) == names


def test_a_response_names_the_version_that_answered(library: FakeLibrary):
    hits = library.search("dog after:2023", 1)
    hits.version, hits.relevant_count, hits[0] = "newer", 3, replace(hits[0], similar=(4, 2), why=("tag",))
    body = json.loads(hits_answer(hits, "dog after:2023", library.info()).body)
    assert (body["index"]["version"], body["relevant_count"], body["filters"]) == ("newer", 3, ["after:2023"])
    assert (body["results"][0]["similar"], body["results"][0]["why"]) == ([4, 2], ["tag"])
    assert body["results"][0]["url"].endswith("?v=newer")


@pytest.mark.parametrize(
    ("uri", "is_its_own"),
    [
        ("https://pictures.example/a.jpg", True),
        ("HTTP://pictures.example/a.jpg", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("file:///etc/passwd", False),
        ("https://a.example/\n<script>", False),
        ("", False),
    ],
)
def test_only_an_address_of_the_web_is_handed_on(library: FakeLibrary, uri: str, is_its_own: bool):
    url = result(replace(library[1], uri=uri), "3f")["url"]
    assert url == (uri if is_its_own else "/api/image/1?v=3f")


def test_a_response_contains_no_path(library: FakeLibrary):
    answer = hits_answer(library.browse(5), None, library.info())
    facts = info_answer(library.info(), [], "0.1.0")
    assert str(library.paths[0].parent).encode() not in bytes(answer.body) + bytes(facts.body)


def test_in_stored_order_there_is_no_query_and_no_score(library: FakeLibrary):
    body = json.loads(hits_answer(library.browse(3), None, library.info()).body)
    assert body["query"] is None
    assert [entry["score"] for entry in body["results"]] == [None, None, None]


def test_the_facts_of_a_library(library: FakeLibrary):
    assert json.loads(info_answer(library.info(), ("a dog",), "0.1.0").body) == {
        "name": "demo",
        "count": 10,
        "model": "starter",
        "dim": 396,
        "version": "3f9a0c12",
        "failed": 2,
        "skipped": {"raw": 3, "hidden": 1},
        "fingerprint": "ab" * 32,
        "provider": "CPU",
        "kernel": "avx2",
        "snapseek": "0.1.0",
        "examples": ["a dog"],
        "has_fast": False,
        "accepts_image_url": False,
        "is_local": False,
        "max_upload_bytes": 25165824,
    }


@pytest.fixture(params=["orjson", "json"])
def writer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What writes the answers."""
    if request.param == "json":
        monkeypatch.setattr(responses, "orjson", None)
    else:
        pytest.importorskip("orjson")
    return str(request.param)


def test_json_is_compact(writer: str):
    umlaut = "ä".encode() if writer == "orjson" else b"\\u00e4"
    assert to_json({"a": [1, None], "b": "ä"}) == b'{"a":[1,null],"b":"' + umlaut + b'"}'


def test_an_integer_of_any_size_travels(writer: str):
    assert to_json({"a": 2**80, "b": float("nan"), "c": "ä"}) == (
        b'{"a":1208925819614629174706176,"b":null,"c":"\\u00e4"}'
    )


def test_numbers_that_json_does_not_have_become_null(library: FakeLibrary, writer: str):
    hit = replace(library[1], score=float("nan"), meta={"x": [float("inf"), {"y": -1.5}], "t": (1, 2)})
    body = json.loads(to_json(result(hit, "1")), parse_constant=pytest.fail)
    assert body["score"] is None
    assert body["meta"] == {"x": [None, {"y": -1.5}], "t": [1, 2]}


def test_a_name_that_is_no_text_travels_escaped(library: FakeLibrary, writer: str):
    hit = replace(library[1], meta={"name": "a\udcff.jpg"})
    assert b"a\\udcff.jpg" in to_json(result(hit, "1"))


def test_an_empty_module_of_that_name_is_not_orjson():
    code = (
        "import sys, types; sys.modules['orjson'] = types.ModuleType('orjson'); "
        "from snapseek.server.api import responses; sys.exit(responses.orjson is not None)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
