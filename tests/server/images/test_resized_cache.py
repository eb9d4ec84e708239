"""snapseek.server.images.image_endpoints."""

from pathlib import Path

import pytest

from snapseek.server import create_app
from snapseek.server.images import image_endpoints
from tests.support.asgi_client import LOCALHOST, ask
from tests.support.fake_library import FakeLibrary


def test_a_picture_is_made_smaller_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    drawn: list[Path] = []
    original = image_endpoints.redraw
    monkeypatch.setattr(
        image_endpoints, "redraw", lambda path, width: drawn.append(path) or original(path, width)
    )
    app = create_app(FakeLibrary(tmp_path))
    first, second = (ask(app, "/api/image/1", "w=32", headers=[LOCALHOST]) for _ in range(2))
    assert (first.body, len(drawn)) == (second.body, 1)
    assert ask(app, "/api/image/1", "w=33").status == 200
    assert len(drawn) == 2
