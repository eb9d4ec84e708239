"""snapseek.server.images.image_endpoints."""

from pathlib import Path

import pytest

from snapseek.server import create_app
from snapseek.server.images import image_endpoints
from snapseek.server.images.image_endpoints import ResizedCache
from tests.support.asgi_client import LOCALHOST, ask
from tests.support.fake_library import FakeLibrary


def test_the_last_ones_are_kept_up_to_a_bound():
    kept = ResizedCache(max_bytes=10)
    kept.put("a", b"1234")
    kept.put("b", b"1234")
    assert kept.get("a") == b"1234"
    kept.put("c", b"1234")
    assert (kept.get("b"), kept.size_bytes) == (None, 8)
    kept.put("a", b"12")
    assert (kept.get("a"), kept.size_bytes) == (b"12", 6)
    kept.put("d", b"x" * 11)
    assert (kept.get("d"), kept.size_bytes) == (None, 0)


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
