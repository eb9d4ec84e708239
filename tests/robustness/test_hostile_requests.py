"""Hostile requests: no 5xx, and nothing is sent that is not in the library.

`SNAPSEEK_REQUESTS` (`make hostile-requests`) is how many random ones hypothesis makes up.
"""

import base64
import json
import os
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from snapseek.library import Library
from snapseek.server import create_app
from snapseek.server.api.request_body import MAX_BODY_BYTES
from snapseek.server.headers import SECURITY_HEADERS
from tests.conftest import write_pictures
from tests.support.asgi_client import LOCALHOST, Reply, ask
from tests.support.hostile_files import PRIVATE_HOSTS, bombs

FEW = 400
REQUESTS = int(os.environ.get("SNAPSEEK_REQUESTS", str(FEW)))
SECRET = b"nobody was meant to read this"
UNREADY = {"/", "/readyz"}  # may say 503: not built, not warm


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, secrets under several names next to them, and their library."""
    directory = tmp_path_factory.mktemp("hostile")
    write_pictures(directory / "pictures")
    for name in ("pictures/secret.txt", "pictures/deep/.env", "secret.jpg", "pictures/secret.svg"):
        (directory / name).write_bytes(SECRET)
    return directory


@pytest.fixture(scope="module")
def library(directory: Path, encoder) -> Library:
    return Library.build(directory / "pictures", directory / "l.snapseek", encoder=encoder)


@pytest.fixture(scope="module")
def app(library: Library) -> Starlette:
    return create_app(library)


@pytest.fixture(scope="module")
def originals(library: Library, directory: Path) -> set[bytes]:
    return {path.read_bytes() for path in (directory / "pictures").rglob("*.*") if path.suffix != ".txt"}


def check(reply: Reply, path: str) -> Reply:
    """Check what holds for every response, whatever the request."""
    assert reply.status < 500 or (reply.status == 503 and path in UNREADY), (reply.status, reply.body[:300])
    assert SECURITY_HEADERS.items() <= reply.headers.items()
    assert SECRET not in reply.body
    assert base64.b64encode(SECRET)[:-4] not in reply.body
    kind = reply.headers.get("content-type", "")
    if path.startswith(("/api/", "/knn", "/meta", "/ind")):
        assert "svg" not in kind
    if reply.status >= 400:
        assert kind == "application/problem+json"
        members = set(reply.json())
        assert members - {"code", "expected", "got", "hint"} == {"type", "title", "status", "detail"}
    return reply


def post(app: Starlette, path: str, body: object) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return check(ask(app, path, method="POST", body=data), path)


TRICKS = [
    "../secret.jpg",
    "../../secret.jpg",
    "..%2f..%2fsecret.jpg",
    "%2e%2e/secret.jpg",
    "....//secret.jpg",
    "..\\..\\secret.jpg",
    "/etc/passwd",
    "//etc/passwd",
    "file:///etc/passwd",
    "1/../../secret.jpg",
    "1%00.jpg",
    "1\0",
    "1;a",
    "1.jpg",
    "0x1",
    "1e0",
    "+1",
    " 1",
    "\u0661",
    "-0",
    "9" * 5000,
    "NaN",
    "1/2",
    "~root",
    "secret.txt",
    ".env",
    "library.db",
]


@pytest.mark.parametrize("trick", TRICKS, ids=ascii)
@pytest.mark.parametrize(
    "where", ["/{}", "/assets/{}", "/api/image/{}", "/api/preview/{}", "/api/items/{}", "/api/docs/{}"]
)
def test_no_path_leads_out_of_the_library(app: Starlette, trick: str, where: str):
    path = where.format(trick)
    assert check(ask(app, path), path).status in (400, 404)


DEEP = 100_000
BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"q"',
    b"\xff\xfe{\0}\0",
    b"\xef\xbb\xbf{}",
    b'{"q": "\\ud800"}',
    b'{"q": "\\u0000"}',
    b'{"q": NaN}',
    b'{"limit": 1e999, "q": "a"}',
    b'{"limit": ' + b"9" * 10_000 + b', "q": "a"}',
    b"[" * DEEP,
    b'{"where": ' + b'{"not": ' * DEEP + b"{}" + b"}" * DEEP + b"}",
    b'{"where": ' + b'{"not": ' * 300 + b'{"id": 1}' + b"}" * 301,
    b'{"where": {"any": [' + b",".join([b'{"id": 1}'] * 20_000) + b"]}}",
    b'{"where": {"name": {"prefix": "' + b"a" * 100_000 + b'"}}}',
    b'{"where": "' + b"(" * 3000 + b'"}',
    b'{"where": {"near": [NaN, 1, 2]}}',
    b'{"where": {"near": [1e308, 1e308, -1]}}',
    b'{"where": {"taken": {">": "99999999-99-99"}}}',
    b'{"where": {"id": {"in": [' + b",".join([b"1"] * 50_000) + b"]}}}",
    b'{"min_score": 1e400, "q": "a"}',
    b'{"terms": [{"vector": [1e39, 1, 1]}]}',
    b'{"terms": [{"vector": [0, 0, 0]}]}',
    b'{"terms": [{"text": "a", "weight": 1e-320}]}',
    b'{"terms": [{"id": 99999999999999999999}]}',
    b'{"terms": [{"image": "' + b"A" * 1000 + b'"}]}',
    b'{"terms": [{"image": "data:text/html;base64,PHNjcmlwdD4="}]}',
    b'{"q": "image:/etc/passwd"}',
    b'{"__proto__": {}, "q": "a"}',
    b'{"q": "a", "q": "b"}',
]


@pytest.mark.parametrize("path", ["/api/search", "/knn-service", "/metadata"])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: ascii(body[:30].decode("latin-1")))
def test_no_body_makes_the_server_fail(app: Starlette, path: str, body: bytes):
    post(app, path, body)


def test_an_endless_body_is_refused(app: Starlette):
    assert post(app, "/api/search", b" " * (MAX_BODY_BYTES + 1)).status == 413
    headers = [LOCALHOST, (b"content-length", b"9" * 15)]
    assert check(ask(app, "/api/search", method="POST", headers=headers), "").status == 413


@pytest.mark.parametrize(
    "name", [b"evil.example", b"localhost.evil.example", b"127.0.0.1.nip.io", b"", b"[::2]"]
)
def test_a_host_that_resolves_to_loopback_is_refused(app: Starlette, name: bytes):
    for path in ("/", "/api/search", "/api/image/1", "/knn-service", "/api/docs", "/metrics"):
        assert check(ask(app, path, headers=[(b"host", name)]), path).status == 421


@pytest.mark.parametrize(
    "header",
    [
        (b"range", b"bytes=0-,0-,0-,0-"),
        (b"range", b"bytes=" + b"0-1," * 5000),
        (b"range", b"bytes=-" + b"9" * 30),
        (b"if-none-match", b"*"),
        (b"if-none-match", b'W/"' + b"," * 60_000),
        (b"if-modified-since", b"\xff\xfe"),
        (b"authorization", b"Bearer \xff\0"),
        (b"cookie", b"snapseek=\xff; =;;=" + b";a=b" * 10_000),
        (b"content-length", b"-1"),
        (b"content-length", b"\xb2"),
        (b"content-type", b"application/xml; charset=\xff"),
        (b"accept-encoding", b"gzip;q=\xff"),
        (b"origin", b"null"),
        (b"x-forwarded-host", b"evil.example"),
    ],
    ids=ascii,
)
def test_no_header_makes_the_server_fail(app: Starlette, library: Library, header: tuple[bytes, bytes]):
    with_token = create_app(library, token="0123456789abcdef", allowed_hosts=None)
    for path in ("/api/image/1", "/api/search", "/api/info", "/"):
        check(ask(app, path, headers=[LOCALHOST, header]), path)
        check(ask(app, path, method="POST", headers=[LOCALHOST, header], body=b"{}"), path)
        check(ask(with_token, path, headers=[LOCALHOST, header], client="192.0.2.1"), path)


@pytest.mark.parametrize(
    "host", [*PRIVATE_HOSTS, "127.0.0.1", "localhost", "127.1", "2130706433", "0177.0.0.1"]
)
def test_no_private_address_is_requested(app: Starlette, host: str):
    for body in (
        {"terms": [{"image_url": f"http://{host}:9/a.jpg"}]},
        {"image_url": f"http://{host}:9/a.jpg", "num_images": 1},
    ):
        assert post(app, "/api/search" if "terms" in body else "/knn-service", body).status == 400


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/a",
        "gopher://127.0.0.1:70/",
        "data:,x",
        "//x",
        "http://",
        "x" * 9000,
    ],
    ids=lambda url: url[:20],
)
def test_only_http_urls_are_requested(app: Starlette, url: str):
    assert post(app, "/api/search", {"terms": [{"image_url": url}]}).status == 400


def test_a_public_server_fetches_no_urls(library: Library):
    app = create_app(library, allowed_hosts=None)
    reply = post(app, "/api/search", {"terms": [{"image_url": "http://192.0.2.1/a.jpg"}]})
    assert (reply.status, reply.json()["hint"]) == (400, "send the picture as image")


SMALL_BOMBS = [bomb for bomb in bombs() if "600-mb" not in bomb.name]


@pytest.mark.parametrize("bomb", SMALL_BOMBS, ids=lambda bomb: bomb.name)
def test_a_decompression_bomb_is_refused_like_any_bad_picture(app: Starlette, tmp_path: Path, bomb):
    path = tmp_path / bomb.name
    bomb.write(path)
    text = base64.b64encode(path.read_bytes()).decode()
    assert post(app, "/api/search", {"terms": [{"image": text}], "limit": 1}).status in (200, 400, 413)


NAMES = st.sampled_from(
    [
        "q",
        "limit",
        "offset",
        "where",
        "sort",
        "w",
        "v",
        "min_score",
        "dedup",
        "mode",
        "include",
        "exact",
        "token",
    ]
)
WORDS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["red", "id:1", "1", "-1", "year:2020", "-tag:x", '"', "near:1,2,3", "0.5", "newest", "\0"]
    ),
    st.lists(st.sampled_from(["red", "+", "-", "2:", '"', "id:1", "has:date", "in:", "(", ")"])).map(
        " ".join
    ),
)
PATHS = st.one_of(
    st.sampled_from(
        [
            "/",
            "/api/search",
            "/api/items",
            "/api/info",
            "/api/suggestions",
            "/knn-service",
            "/metadata",
            "/metrics",
        ]
    ),
    st.builds(
        "/api/{}/{}{}".format,
        st.sampled_from(["image", "items", "preview", "docs"]),
        st.one_of(st.integers(-2, 9), st.integers(), WORDS),
        st.sampled_from(["", "/", "/similar", "/.."]),
    ),
    st.text(max_size=40).map("/{}".format),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | NAMES, inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["q", "terms", "where", "sort", "limit", "dedup", "text", "image", "embedding_input", "ids", "num_images"]
)
SENT = st.one_of(
    st.binary(max_size=60),
    st.dictionaries(FIELDS, VALUES, max_size=4).map(lambda body: json.dumps(body).encode()),
)
FIELD = st.tuples(
    st.sampled_from(
        [b"range", b"if-none-match", b"cookie", b"authorization", b"content-length", b"origin", b"accept"]
    ),
    st.binary(max_size=30),
)


@st.composite
def queries(draw: st.DrawFn) -> bytes:
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=40))
    pairs = draw(st.lists(st.tuples(NAMES, WORDS), max_size=4))
    return urlencode([(name, value.encode("utf-8", "surrogatepass")) for name, value in pairs]).encode()


def test_random_requests_get_only_pictures_of_the_library(app: Starlette, originals: set[bytes]):
    @given(
        st.sampled_from(["GET", "GET", "POST", "HEAD", "PUT", "OPTIONS"]),
        PATHS,
        queries(),
        st.lists(FIELD, max_size=2),
        SENT,
    )
    @settings(
        max_examples=REQUESTS,
        deadline=None,
        database=None,
        derandomize=REQUESTS == FEW,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def hold(method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        response = ask(app, path, query, method=method, headers=[LOCALHOST, *headers], body=body)
        if method == "HEAD":
            assert response.status < 500 or path in UNREADY
            return
        reply = check(response, path)
        kind = reply.headers.get("content-type", "")
        if reply.status == 200 and kind.startswith("image/") and path.startswith("/api/image"):
            assert reply.body in originals or reply.body[:3] == b"\xff\xd8\xff"

    hold()
