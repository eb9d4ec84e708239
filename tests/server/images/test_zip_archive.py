"""snapseek.server.images.zip_archive."""

import io
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest
from starlette.applications import Starlette

from snapseek.errors import ItemNotFoundError, OutOfRangeError
from snapseek.server import create_app
from snapseek.server.images.zip_archive import MISSING_NAME, archive_chunks, archive_contents
from tests.support.asgi_client import ask
from tests.support.fake_library import FILES, FakeLibrary


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    return FakeLibrary(tmp_path)


@pytest.fixture
def app(library: FakeLibrary) -> Starlette:
    return create_app(library)


def opened(data: bytes) -> ZipFile:
    archive = ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return archive


def test_the_originals_are_stored_unchanged_in_the_given_order(app: Starlette, library: FakeLibrary):
    reply = ask(app, "/api/zip", f"ids={library.id_of('e.tiff')},{library.id_of('a.jpg')}")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/zip"
    assert reply.headers["content-disposition"] == 'attachment; filename="pictures.zip"'
    archive = opened(reply.body)
    assert archive.namelist() == ["e.tiff", "a.jpg"]
    for info in archive.infolist():
        assert archive.read(info) == FILES[info.filename]
        assert info.compress_type == ZIP_STORED


def test_what_is_no_picture_or_missing_is_named(app: Starlette, library: FakeLibrary):
    library.path_of("b.png").unlink()
    ids = [library.id_of(name) for name in ("a.jpg", "b.png", "html named.jpg", "svg named.png", "empty.jpg")]
    archive = opened(ask(app, "/api/zip", f"ids={','.join(map(str, ids))}").body)
    assert archive.namelist() == ["a.jpg", MISSING_NAME]
    named = archive.read(MISSING_NAME).decode()
    assert [line.partition(":")[0] for line in named.splitlines()] == [
        "b.png",
        "html named.jpg",
        "svg named.png",
        "empty.jpg",
    ]


def test_a_file_that_grows_or_goes_away_meanwhile_does_not_break_the_archive(library: FakeLibrary):
    contents = archive_contents(library, [1, 2, 3])
    size = library.paths[0].stat().st_size
    with library.paths[0].open("ab") as file:
        file.write(b"x" * 1_000_000)
    library.paths[1].unlink()
    archive = opened(b"".join(archive_chunks(library, contents)))
    assert archive.namelist() == ["a.jpg", "c.webp", MISSING_NAME]
    assert archive.getinfo("a.jpg").file_size == size


def test_a_large_file_is_sent_in_pieces(library: FakeLibrary):
    library.paths[0].write_bytes(FILES["a.jpg"] + bytes(3_000_000))
    chunks = list(archive_chunks(library, archive_contents(library, [1])))
    assert len(chunks) > 8
    assert max(map(len, chunks)) < 600_000
    assert len(opened(b"".join(chunks)).read("a.jpg")) == 3_000_000 + len(FILES["a.jpg"])


def test_the_bytes_are_bounded(library: FakeLibrary):
    size = library.paths[0].stat().st_size
    assert archive_contents(library, [1], size).members
    with pytest.raises(OutOfRangeError) as raised:
        archive_contents(library, [1], size - 1)
    assert raised.value.hint == "select fewer pictures"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("ids=", 400),
        ("ids=x", 400),
        ("ids=" + ",".join(map(str, range(1, 258))), 400),
        ("ids=1&w=100", 400),
        ("ids=99", 404),
    ],
)
def test_a_bad_request_is_refused(app: Starlette, query: str, status: int):
    reply = ask(app, "/api/zip", query)
    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"


def test_nothing_to_send_is_an_error(library: FakeLibrary):
    library.paths[0].unlink()
    with pytest.raises(ItemNotFoundError, match="none that can be read"):
        archive_contents(library, [1])


def test_a_head_request_gets_the_headers_alone(app: Starlette):
    reply = ask(app, "/api/zip", "ids=1", method="HEAD")
    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.jpg", "A.JPG", "a.jpg"], ["a.jpg", "A (2).JPG", "a (3).jpg"]),
        (["../../etc/x.jpg", "C:\\y.jpg"], ["_.._etc_x.jpg", "C__y.jpg"]),
        (["", "..", "noise\x00\n.png"], ["picture 1", "picture 2", "noise__.png"]),
        ([MISSING_NAME, "x" * 300 + ".jpg"], ["not included (2).txt", "x" * 116 + ".jpg"]),
    ],
)
def test_names_are_safe_and_different(
    library: FakeLibrary, monkeypatch: pytest.MonkeyPatch, names: list[str], expected: list[str]
):
    items = {number: library[number] for number in range(1, len(names) + 1)}
    for number, name in enumerate(names, 1):
        items[number].meta["name"] = name
    monkeypatch.setattr(FakeLibrary, "__getitem__", lambda _, item: items[item])
    contents = archive_contents(library, list(items))
    assert [member.name for member in contents.members] == expected
