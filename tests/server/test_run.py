"""snapseek.server.run: a real port, and a real process where signals matter."""

import http.client
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from snapseek.errors import InputError, MissingArgumentError, ModelMismatchError
from snapseek.server import run, serve
from tests.support.fake_library import FakeLibrary

POSIX_SIGNALS = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
PROGRAM = """
import signal, sys, time
from contextlib import suppress
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.support.fake_library import FakeLibrary
from snapseek.server import serve
library = FakeLibrary(Path(sys.argv[2]))
exec(sys.argv[3])
with suppress(KeyboardInterrupt):  # of a signal that comes when `serve` has already returned
    serve(library, port=0, on_ready=lambda url: print(url, flush=True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
print("closed" if library.is_warm.wait(60) else "cold", flush=True)
"""


SLOW = """
library.is_slow = False
library.before_search = lambda: time.sleep(3 * library.is_slow)
import threading
threading.Timer(0.5, lambda: setattr(library, "is_slow", True)).start()
"""


@contextmanager
def running(folder: Path, setup: str = "") -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """Run a server in its own process. Yield the process, its host and its port."""
    here = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", PROGRAM, here, str(folder), setup]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        where = urlsplit(process.stdout.readline())
        if where.hostname is None or where.port is None:
            pytest.fail(process.communicate()[1])
        yield process, where.hostname, where.port
    finally:
        process.kill()
        process.communicate()


def raw(host: str, port: int, request: bytes) -> bytes:
    """Send bytes. Return the response; empty if the connection was closed meanwhile."""
    answer = b""
    with socket.create_connection((host, port), timeout=60) as connection, suppress(ConnectionError):
        connection.sendall(request)
        while part := connection.recv(65536):
            answer += part
    return answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    with running(tmp_path_factory.mktemp("pictures")) as (_, host, port):
        yield host, port


def test_connections_send_without_delay() -> None:
    with run.open_port("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_server_answers_at_the_printed_url(server: tuple[str, int]):
    connection = http.client.HTTPConnection(*server, timeout=60)
    connection.request("GET", "/api/search?q=two+dogs&limit=1")
    answer = connection.getresponse()
    assert answer.status == 200
    assert b'"query":"two dogs"' in answer.read()
    assert answer.getheader("server") is None
    connection.close()


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /api/items/%ff%fe HTTP/1.1",
        b"GET /api/items/% HTTP/1.1",
        b"GET /%00 HTTP/1.1",
        b"GET /..%2f..%2fetc%2fpasswd HTTP/1.1",
        b"GET /assets/..%2f..%2frun.py HTTP/1.1",
        b"GET /assets/%2e%2e/%2e%2e/run.py HTTP/1.1",
        b"GET /api/search?q=%zz%00 HTTP/1.1",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1",
        b"GET http://evil.example/api/info HTTP/1.1\r\nX-Evil: 1",
        b"POST /api/items HTTP/1.1\r\nContent-Length: 5",
        b"GET / HTTP/9.9",
        b"\xff\xfe\xfd",
        b"GET /api/info HTTP/1.1\r\nX-Long: " + b"a" * 200_000,
        b"GET /api/info HTTP/1.1\r\nUpgrade: websocket\r\nX-Odd: \xff",
    ],
)
def test_malformed_requests_do_not_stop_the_server(server: tuple[str, int], request_line: bytes):
    host = b"\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = raw(*server, request_line + host)
    if answer or len(request_line) < 65_536:  # one that is too long may be cut off without an answer
        assert int(answer.split(b" ")[1]) in (200, 400, 404, 405)
    assert b"Traceback" not in answer
    assert b"root:" not in answer
    assert raw(*server, b"GET /healthz HTTP/1.1" + host).endswith(b'{"status":"ok"}')


def test_a_foreign_host_name_is_rejected(server: tuple[str, int]):
    answer = raw(*server, b"GET /api/info HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 421 ")


def test_early_disconnects_do_not_stop_the_server(server: tuple[str, int]):
    for _ in range(20):
        with socket.create_connection(server, timeout=60) as connection:
            connection.sendall(b"GET /api/image/5 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert raw(*server, b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n").endswith(b'{"status":"ok"}')


@POSIX_SIGNALS
def test_ctrl_c_shuts_down_cleanly(tmp_path: Path):
    with running(tmp_path) as (process, host, port):
        kept = http.client.HTTPConnection(host, port, timeout=60)
        kept.request("GET", "/healthz")
        kept.getresponse().read()
        process.send_signal(signal.SIGINT)
        output, complaints = process.communicate(timeout=60)
        kept.close()
    assert (process.returncode, output, complaints) == (0, "closed\n", "")


@POSIX_SIGNALS
@pytest.mark.parametrize("pause_s", [0.0, 0.15])
def test_a_second_ctrl_c_cancels_requests_without_output(tmp_path: Path, pause_s: float):
    """During a search of three seconds, with signals at several moments of the shutdown."""
    with running(tmp_path, SLOW) as (process, host, port):
        client = http.client.HTTPConnection(host, port, timeout=60)
        client.request("GET", "/api/search?q=two+dogs")
        time.sleep(0.2)
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            time.sleep(pause_s)
        _, complaints = process.communicate(timeout=60)
        client.close()
    assert complaints == ""


@POSIX_SIGNALS
def test_sigterm_ends_the_process(tmp_path: Path):
    with running(tmp_path) as (process, _, _):
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    assert complaints == ""


class StoppedError(Exception):
    """Ends `serve` where a test checks it."""


def test_the_first_search_is_done_before_the_port_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    library = FakeLibrary(tmp_path)

    def refuse(host: str, port: int) -> None:
        raise StoppedError(f"{len(library.searches)} searched before {host}:{port}")

    monkeypatch.setattr(run, "open_port", refuse)
    with pytest.raises(StoppedError, match=r"1 searched before 127\.0\.0\.1:8000"):
        serve(library)
    assert library.searches == [("a dog", 1, 0)]


def test_a_library_that_cannot_be_searched_is_not_served(tmp_path: Path):
    library = FakeLibrary(tmp_path)
    library.encoder.examples = ("other model",)
    with pytest.raises(ModelMismatchError):
        serve(library, port=0)


@pytest.mark.parametrize("examples", [(), ("unknown words",)])
def test_the_first_search_works_with_any_model(tmp_path: Path, examples: tuple[str, ...]):
    library = FakeLibrary(tmp_path)
    library.encoder.examples = examples
    run.warm(library)
    assert len(library.searches) == 1


def test_a_port_in_use_is_rejected_with_a_hint(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} of 127.0.0.1 is in use; .* another port"):
            serve(FakeLibrary(tmp_path), port=port)


@pytest.mark.parametrize(
    ("host", "port", "sentence"),
    [
        ("127.0.0.1", -1, "expected a port from 0 to 65535, got -1"),
        ("127.0.0.1", 65536, "got 65536"),
        ("no such host.invalid", 0, "which is unknown"),
        ("a" * 70 + ".example", 0, "which is unknown"),
        ("192.0.2.1", 0, "expected an address of this machine, got 192.0.2.1"),
    ],
)
def test_an_address_that_cannot_be_opened_is_rejected(host: str, port: int, sentence: str):
    with pytest.raises(InputError, match=sentence):
        run.open_port(host, port)


def test_a_port_without_permission_is_rejected(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(InputError, match="choose one above 1023"):
        run.open_port("127.0.0.1", 80)


def test_the_url_has_the_port_that_was_taken():
    with run.open_port("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert port > 0
        assert run.url_of(listener) == f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize("host", ["0.0.0.0", "", "localhost"])
def test_the_url_of_a_wildcard_address_is_the_loopback(host: str):
    with run.open_port(host, 0) as listener:
        assert urlsplit(run.url_of(listener)).hostname == "127.0.0.1"


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_address_has_brackets_in_the_url():
    try:
        listener = run.open_port("::1", 0)
    except InputError as error:
        pytest.skip(str(error))
    with listener:
        assert run.url_of(listener).startswith("http://[::1]:")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost", "::1", "127.0.0.5"])
def test_a_loopback_server_accepts_its_own_names_only(host: str):
    names = run.allowed_hosts(host)
    assert names is not None
    assert {"localhost", "127.0.0.1", "[::1]"} <= names
    assert (f"[{host}]" if ":" in host else host.lower()) in names


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "pictures.example", ""])
def test_a_remote_server_warns_and_accepts_every_name(host: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, logger="snapseek.server"):
        assert run.allowed_hosts(host) is None
    assert "other machines can reach" in caplog.text


def test_the_browser_is_opened_after_on_ready(monkeypatch: pytest.MonkeyPatch):
    seen: list[str] = []
    opened = threading.Event()

    def open_page(url: str) -> bool:
        seen.append(f"browser {url}")
        opened.set()
        return True

    monkeypatch.setattr("webbrowser.open", open_page)
    run._announce("http://127.0.0.1:1/", lambda url: seen.append(f"ready {url}"), True)
    assert opened.wait(60)
    assert seen == ["ready http://127.0.0.1:1/", "browser http://127.0.0.1:1/"]


def test_the_library_is_read_into_memory_once_the_server_accepts_requests(tmp_path: Path):
    setup = "library.warm = lambda: (print('warm', flush=True), library.is_warm.set())"
    with running(tmp_path, setup) as (process, _, _):  # which reads the printed url first
        assert process.stdout is not None
        assert process.stdout.readline() == "warm\n"


def test_a_server_for_other_machines_needs_a_token():
    token = "a-token-of-enough-characters"
    run.check_access("127.0.0.1", None)
    run.check_access("0.0.0.0", token)
    run.check_access("0.0.0.0", None, insecure=True)
    with pytest.raises(MissingArgumentError) as missing:
        run.check_access("0.0.0.0", None)
    assert "SNAPSEEK_TOKEN" in str(missing.value.hint)


@pytest.mark.parametrize("token", ["short", "é" * 20, "with a space in it now"])
def test_a_weak_token_is_rejected(token: str):
    with pytest.raises(InputError) as weak:
        run.check_access("127.0.0.1", token)
    assert weak.value.expected == "a token of at least 16 ASCII characters without spaces"
    assert weak.value.got == f"{len(token)} characters"


def test_a_server_keeps_loaded_objects_out_of_garbage_collection(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(run.gc, "collect", lambda: calls.append("collect"))
    monkeypatch.setattr(run.gc, "freeze", lambda: calls.append("freeze"))
    monkeypatch.setattr(run._Server, "run", lambda self, sockets: calls.append("run"))
    run.serve(FakeLibrary(tmp_path), port=0)
    assert calls == ["collect", "freeze", "run"]
    thread = threading.Thread(target=run.freeze_objects)  # in the program of someone else
    thread.start()
    thread.join()
    assert calls == ["collect", "freeze", "run"]
