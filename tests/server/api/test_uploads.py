"""snapseek.server.api.uploads: pictures of a request are bounded before they are decoded."""

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image
from starlette.applications import Starlette

from snapseek.server import create_app
from snapseek.server.api import uploads
from tests.support.asgi_client import Reply, ask
from tests.support.fake_library import FakeLibrary


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    return create_app(FakeLibrary(tmp_path))


def picture(width: int, height: int, kind: str = "PNG", **options: object) -> str:
    stream = io.BytesIO()
    Image.new("L", (width, height)).save(stream, kind, **options)
    return base64.b64encode(stream.getvalue()).decode()


def search(app: Starlette, *pictures: str) -> Reply:
    body = {"terms": [{"image": one} for one in pictures]}
    return ask(app, "/api/search", method="POST", body=json.dumps(body).encode())


def test_a_picture_of_more_pixels_than_a_request_may_have_is_not_decoded(app, monkeypatch):
    monkeypatch.setattr(uploads, "open_image", lambda *_, **__: pytest.fail("it was decoded"))
    found = search(app, picture(7000, 6000))
    assert found.status == 400
    assert "at most 40 megapixels together" in found.json()["detail"]


def test_the_pixels_of_all_pictures_count_together(app, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_PIXELS", 3_000_000)
    assert search(app, *[picture(1000, 1000)] * 3).status == 200
    assert search(app, *[picture(1000, 1000)] * 4).status == 400


def test_a_jpeg_that_is_shrunk_while_it_is_read_counts_as_what_is_left(app, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_PIXELS", 3_000_000)
    assert search(app, picture(4800, 4800, "JPEG")).status == 200
    assert search(app, picture(4800, 4800, "JPEG", progressive=True)).status == 400


def test_pixels_are_reserved_before_they_are_decoded(app, monkeypatch):
    budget = app.state.budget
    used = []

    def opening(data: bytes, **options: int) -> object:
        used.append(budget.used)
        return original(data, **options)

    original = uploads.open_image
    monkeypatch.setattr(uploads, "open_image", opening)
    assert search(app, picture(3000, 3000)).status == 200
    assert used[0] >= 4 * 3000 * 3000
    assert budget.used == 0


def test_pixels_that_do_not_fit_are_refused_for_now(app):
    other = app.state.budget.reserve()
    other.grow(180 * 2**20)
    found = search(app, picture(3000, 3000))
    assert (found.status, found.headers["retry-after"]) == (503, "2")
    other.close()
    assert search(app, picture(3000, 3000)).status == 200
