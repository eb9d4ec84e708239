"""snapseek.server.page."""

from pathlib import Path
from urllib.parse import urljoin

import pytest
from starlette.applications import Starlette

from snapseek.server import create_app
from tests.support.asgi_client import LOCALHOST, ask
from tests.support.fake_library import FakeLibrary


@pytest.fixture
def page(tmp_path: Path) -> Path:
    directory = tmp_path / "static"
    (directory / "assets").mkdir(parents=True)
    (directory / "index.html").write_text("<!doctype html><title>snapseek</title>")
    (directory / "favicon.svg").write_text("<svg/>")
    (directory / "assets" / "index-B1a2_c3-.js").write_text("export {}")
    (directory / "assets" / "index-D4e5.css").write_text("a{}")
    (directory / ".hidden").write_text("hidden")
    (tmp_path / "outside.txt").write_text("outside")
    return directory


@pytest.fixture
def app(tmp_path: Path, page: Path) -> Starlette:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    return create_app(FakeLibrary(pictures), page_directory=page)


@pytest.mark.parametrize(
    ("path", "media_type", "caching"),
    [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/index.html", "text/html; charset=utf-8", "no-cache"),
        ("/favicon.svg", "image/svg+xml", "no-cache"),
        (
            "/assets/index-B1a2_c3-.js",
            "text/javascript; charset=utf-8",
            "public, max-age=31536000, immutable",
        ),
        ("/assets/index-D4e5.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable"),
    ],
)
def test_the_files_of_the_page(app: Starlette, path: str, media_type: str, caching: str):
    reply = ask(app, path)
    assert reply.status == 200
    assert reply.headers["content-type"] == media_type
    assert reply.headers["cache-control"] == caching
    assert int(reply.headers["content-length"]) == len(reply.body)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/docs", "/api/docs"),
        ("/openapi.json", "/api/openapi.json"),
        ("/favicon.ico", "/favicon.svg"),
    ],
)
def test_common_addresses_lead_to_those_that_exist(app: Starlette, path: str, target: str):
    reply = ask(app, path)
    assert reply.status == 308
    assert urljoin(f"http://here{path}", reply.headers["location"]) == f"http://here{target}"
    assert not reply.headers["location"].startswith("/")  # holds below a sub-path, too
    assert ask(app, target).status == 200


def test_the_page_reads_its_own_parameters(app: Starlette):
    assert ask(app, "/", "q=two+dogs&whatever=1").body.startswith(b"<!doctype html>")


def test_a_cached_page_is_not_sent_again(app: Starlette):
    etag = ask(app, "/").headers["etag"].encode()
    reply = ask(app, "/", headers=[LOCALHOST, (b"if-none-match", etag)])
    assert (reply.status, reply.body) == (304, b"")
    assert reply.headers["etag"] == etag.decode()


@pytest.mark.parametrize(
    "path",
    [
        "/nothing.js",
        "/assets/nothing.js",
        "/assets/",
        "/assets",
        "/.hidden",
        "/..",
        "/assets/../index.html",
        "/assets/../../outside.txt",
        "/assets//etc/passwd",
        "/assets/..\\index.html",
        "/assets/C:\\outside.txt",
        "/a\0b",
        "/" + "x" * 5000,
        "/\udcff",
    ],
)
def test_other_paths_are_a_404(app: Starlette, path: str):
    reply = ask(app, path)
    assert reply.status == 404
    assert reply.headers["content-type"] == "application/problem+json"


def test_without_a_built_page_the_api_works(tmp_path: Path):
    app = create_app(FakeLibrary(tmp_path), page_directory=tmp_path / "static")
    reply = ask(app, "/")
    assert reply.status == 503
    assert "npm run build" in reply.json()["detail"]
    assert ask(app, "/api/search", "q=dog").status == 200


@pytest.mark.parametrize("byte_range", [b"bytes=0-1", b"bytes=0-,0-", b"nonsense"])
def test_a_range_of_the_page_is_ignored(app: Starlette, byte_range: bytes):
    reply = ask(app, "/", headers=[LOCALHOST, (b"range", byte_range)])
    assert (reply.status, reply.body) == (200, ask(app, "/").body)
