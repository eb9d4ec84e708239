"""snapseek.server.api.clip_retrieval: what clip-retrieval's client sends, and answers that it can read."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette

from snapseek.server import create_app
from tests.support.asgi_client import ask
from tests.support.fake_library import FILES, FakeLibrary


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    return FakeLibrary(tmp_path)


@pytest.fixture
def app(library: FakeLibrary) -> Starlette:
    return create_app(library)


def knn(app: Starlette, **fields: object) -> Any:
    """What ClipClient sends: every field, without a media type."""
    body = {
        "text": None,
        "image": None,
        "image_url": None,
        "embedding_input": None,
        "deduplicate": True,
        "use_safety_model": True,
        "use_violence_detector": True,
        "indice_name": "demo",
        "use_mclip": False,
        "aesthetic_score": 9,
        "aesthetic_weight": 0.5,
        "modality": "image",
        "num_images": 3,
        "num_result_ids": 3,
    } | fields
    return ask(app, "/knn-service", method="POST", body=json.dumps(body).encode())


def test_a_text_has_neighbours(app: Starlette, library: FakeLibrary):
    found = knn(app, text="two dogs - 5").json()
    assert library.searches == [('"two dogs - 5"', 3, 0)]
    assert library.request.dedup is True
    assert [entry["id"] for entry in found] == [1, 2, 3]
    assert found[0]["similarity"] == pytest.approx(0.3123456789)
    assert (found[0]["caption"], found[0]["name"]) == ("a.jpg", "a.jpg")
    assert base64.b64decode(found[0]["image"]) == b"RIFF-preview"


def test_a_picture_and_a_vector_have_neighbours(app: Starlette, library: FakeLibrary):
    assert len(knn(app, image=base64.b64encode(FILES["a.jpg"]).decode()).json()) == 3
    assert len(knn(app, embedding_input=np.ones(396).tolist()).json()) == 3
    assert [text for text, *_ in library.searches] == ["image:(picture)", "(vector)"]


def test_only_the_first_have_their_columns(app: Starlette):
    found = knn(app, text="dog", num_images=1, num_result_ids=3).json()
    assert [set(entry) > {"id", "similarity"} for entry in found] == [True, False, False]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"text": 5},
        {"image": "?"},
        {"image_url": 7},
        {"embedding_input": "x"},
        {"text": "a", "indice_name": "laion5B"},
        {"text": "a", "modality": "text"},
        {"text": "a", "num_images": 0},
        {"text": "a", "num_images": "3"},
    ],
)
def test_what_makes_no_sense_is_refused(app: Starlette, fields: dict[str, object]):
    assert knn(app, **fields).status == 400


def test_metadata_returns_columns_by_id(app: Starlette):
    body = json.dumps({"ids": [2, 99, 1], "indice_name": "demo"}).encode()
    found = ask(app, "/metadata", method="POST", body=body).json()
    assert [entry["id"] for entry in found] == [2, 1]
    assert found[0]["metadata"]["name"] == "b.png"


@pytest.mark.parametrize("ids", [None, "1", ["1"], [True], [2**63], list(range(1001))])
def test_what_are_no_ids_is_refused(app: Starlette, ids: object):
    reply = ask(app, "/metadata", method="POST", body=json.dumps({"ids": ids}).encode())
    assert reply.status == 400


def test_the_library_is_listed(app: Starlette):
    assert ask(app, "/indices-list").json() == ["demo"]
