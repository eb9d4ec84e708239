"""snapseek.server.images.image_endpoints."""

from pathlib import Path

import pytest

from snapseek.server import create_app
from snapseek.server.images import image_endpoints
from tests.support.asgi_client import LOCALHOST, ask
from tests.support.fake_library import FakeLibrary


def test_a_picture_is_resized_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    resized: list[Path] = []
    original = image_endpoints.resized_jpeg
    monkeypatch.setattr(
        image_endpoints,
        "resized_jpeg",
        lambda path, width, name: resized.append(path) or original(path, width, name),
    )
    app = create_app(FakeLibrary(tmp_path))
    first, second = (ask(app, "/api/image/1", "w=32", headers=[LOCALHOST]) for _ in range(2))
    assert (first.body, len(resized)) == (second.body, 1)
    assert ask(app, "/api/image/1", "w=33").status == 200
    assert len(resized) == 2
