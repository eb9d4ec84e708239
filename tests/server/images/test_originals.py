"""snapseek.server.images.originals, through the endpoint that sends them."""

import io
import os
import sys
from pathlib import Path

import pytest
from PIL import Image
from starlette.applications import Starlette

from snapseek.server import create_app
from snapseek.server.images.originals import media_type_of, resized_jpeg
from tests.support.asgi_client import LOCALHOST, Reply, ask
from tests.support.fake_library import FILES, SIZE, SVG, VERSION, FakeLibrary


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    return FakeLibrary(tmp_path)


@pytest.fixture
def app(library: FakeLibrary) -> Starlette:
    return create_app(library)


def image(app: Starlette, library: FakeLibrary, name: str, query: str = "", **fields: str) -> Reply:
    headers = [
        LOCALHOST,
        *((key.replace("_", "-").encode(), value.encode()) for key, value in fields.items()),
    ]
    return ask(app, f"/api/image/{library.id_of(name)}", query, headers=headers)


def opened(reply: Reply) -> Image.Image:
    assert reply.headers["content-type"] == "image/jpeg"
    picture = Image.open(io.BytesIO(reply.body))
    picture.load()
    assert picture.format == "JPEG"
    return picture


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.jpg", "image/jpeg"),
        ("b.png", "image/png"),
        ("c.webp", "image/webp"),
        ("d.gif", "image/gif"),
        ("png named.jpg", "image/png"),
    ],
)
def test_formats_of_browsers_are_sent_unchanged(
    app: Starlette, library: FakeLibrary, name: str, media_type: str
):
    reply = image(app, library, name)
    assert (reply.status, reply.headers["content-type"]) == (200, media_type)
    assert reply.body == FILES[name]


def test_another_format_is_sent_as_jpeg(app: Starlette, library: FakeLibrary):
    assert opened(image(app, library, "e.tiff")).size == SIZE


@pytest.mark.parametrize("name", ["svg named.png", "html named.jpg", "cut.jpg", "empty.jpg"])
def test_a_file_that_is_not_a_picture_is_not_sent(app: Starlette, library: FakeLibrary, name: str):
    reply = image(app, library, name, "w=32")
    assert reply.status == 415
    assert reply.headers["content-type"] == "application/problem+json"
    assert len(reply.json()["detail"]) > 10


def test_a_script_with_a_pictures_name_is_not_sent(app: Starlette, library: FakeLibrary):
    reply = image(app, library, "svg named.png")
    assert reply.status == 415
    assert SVG not in reply.body


def test_a_picture_is_resized_on_request(app: Starlette, library: FakeLibrary):
    for name in ("a.jpg", "b.png", "e.tiff"):
        assert opened(image(app, library, name, "w=32")).size == (32, 24)


def test_a_picture_is_never_enlarged(app: Starlette, library: FakeLibrary):
    assert image(app, library, "b.png", "w=4096").body == FILES["b.png"]
    assert image(app, library, "b.png", f"w={SIZE[0]}").body == FILES["b.png"]
    assert opened(image(app, library, "e.tiff", "w=4096")).size == SIZE


def test_a_missing_original_is_a_problem(app: Starlette, library: FakeLibrary):
    library.path_of("a.jpg").unlink()
    reply = image(app, library, "a.jpg")
    assert reply.status == 404
    assert reply.json()["got"] == "no file at its path"
    assert ask(app, "/api/items/1").status == 200


def test_a_folder_at_the_path_of_an_original_is_a_404(app: Starlette, library: FakeLibrary):
    library.path_of("a.jpg").unlink()
    library.path_of("a.jpg").mkdir()
    assert image(app, library, "a.jpg").status == 404


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of this kind are POSIX's")
def test_a_pipe_at_the_path_of_an_original_does_not_block(app: Starlette, library: FakeLibrary):
    library.path_of("a.jpg").unlink()
    os.mkfifo(library.path_of("a.jpg"))
    reply = image(app, library, "a.jpg")
    assert reply.status == 404
    assert reply.json()["got"] == "something that is not a file"


def test_an_original_without_permission_is_a_problem(
    app: Starlette, library: FakeLibrary, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    reply = image(app, library, "a.jpg")
    assert reply.status == 404
    assert "cannot be opened (Permission denied)" in reply.json()["detail"]


def test_a_parent_folder_that_became_a_file_is_a_404(app: Starlette, library: FakeLibrary):
    library.paths[0] = library.path_of("b.png") / "a.jpg"
    assert ask(app, "/api/image/1").status == 404


@pytest.mark.parametrize("query", ["", "w=32"])
def test_a_cached_copy_is_not_sent_again(app: Starlette, library: FakeLibrary, query: str):
    first = image(app, library, "a.jpg", query)
    assert first.headers["cache-control"] == "private, no-cache"
    again = image(app, library, "a.jpg", query, if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_each_representation_has_its_own_tag(app: Starlette, library: FakeLibrary):
    tags = {image(app, library, "a.jpg", query).headers["etag"] for query in ("", "w=32", "w=33")}
    assert len(tags) == 3
    assert image(app, library, "a.jpg", "w=64").headers["etag"] in tags


def test_a_changed_original_is_sent_again(app: Starlette, library: FakeLibrary):
    first = image(app, library, "a.jpg")
    library.path_of("a.jpg").write_bytes(FILES["b.png"])
    again = image(app, library, "a.jpg", if_none_match=first.headers["etag"])
    assert (again.status, again.headers["content-type"]) == (200, "image/png")


def test_only_an_address_with_the_current_version_is_cached(app: Starlette, library: FakeLibrary):
    assert image(app, library, "a.jpg", f"v={VERSION}").headers["cache-control"] == "private, max-age=86400"
    assert image(app, library, "a.jpg", "v=older").headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("byte_range", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=5-9", slice(5, 10)),
        ("bytes=10-", slice(10, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=3-999999", slice(3, None)),
    ],
)
def test_a_range_of_an_original(app: Starlette, library: FakeLibrary, byte_range: str, part: slice):
    reply = image(app, library, "a.jpg", range=byte_range)
    assert reply.status == 206
    assert reply.body == FILES["a.jpg"][part]
    assert reply.headers["content-range"].endswith(f"/{len(FILES['a.jpg'])}")


@pytest.mark.parametrize(
    "byte_range",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=9-5",
        "bytes=a-b",
        "lines=1-2",
        "bytes=0-1,4-5",
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_a_malformed_range_is_ignored(app: Starlette, library: FakeLibrary, byte_range: str):
    reply = image(app, library, "a.jpg", range=byte_range)
    assert (reply.status, reply.body) == (200, FILES["a.jpg"])


@pytest.mark.parametrize("byte_range", ["bytes=999999-", "bytes=999999-1000000", "bytes=-0"])
def test_a_range_after_the_end_is_a_problem(app: Starlette, library: FakeLibrary, byte_range: str):
    reply = image(app, library, "a.jpg", range=byte_range)
    assert reply.status == 416
    assert reply.headers["content-range"] == f"bytes */{len(FILES['a.jpg'])}"
    assert reply.json()["status"] == 416


def test_a_head_request_returns_only_headers(app: Starlette, library: FakeLibrary):
    reply = ask(app, "/api/image/1", method="HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["content-length"]) == len(FILES["a.jpg"])
    assert reply.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.jpg", "image/jpeg"),
        ("png named.jpg", "image/png"),
        ("e.tiff", None),
        ("svg named.png", None),
        ("html named.jpg", None),
        ("empty.jpg", None),
    ],
)
def test_the_format_is_read_from_the_first_bytes(name: str, media_type: str | None):
    assert media_type_of(FILES[name][:64]) == media_type


def test_a_large_jpeg_is_resized_to_the_requested_width(tmp_path: Path):
    path = tmp_path / "wide.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side: upright it is 800 x 3200
    Image.effect_noise((3200, 800), 80).save(path, exif=exif)
    with Image.open(io.BytesIO(resized_jpeg(path, 200))) as picture:
        assert picture.size == (200, 800)
    with Image.open(io.BytesIO(resized_jpeg(path, None))) as picture:
        assert picture.size == (800, 3200)
