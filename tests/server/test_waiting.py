"""The page before the first picture."""

import http.client
import json
import socket
from contextlib import closing

import pytest

from snapseek.cli import open as open_command
from snapseek.cli.main import make_parser
from snapseek.errors import InputError
from snapseek.server.jobs import Job
from snapseek.server.waiting import waiting_page


class Jobs:
    """A runner with one job, which downloads."""

    def __init__(self, looks=0):
        self.job = Job(1, "index", "running", "download", 3_000_000, 28_000_000)
        self._looks = looks

    def jobs(self):
        return [self.job]

    def wait(self, _job, _timeout_s):
        self._looks -= 1
        return self._looks < 0


def get(port, path, host=None):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path, headers={"Host": host} if host else {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()


def test_the_page_shows_the_job_until_the_library_is_served():
    with waiting_page("127.0.0.1", 0, Jobs()) as (url, port):
        assert url == f"http://127.0.0.1:{port}/"
        status, headers, page = get(port, "/")
        assert (status, "waiting.js" in page) == (200, True)
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "api/jobs" in get(port, "/waiting.js")[2]
        found = json.loads(get(port, "/api/jobs?x=1")[2])
        assert (found["count"], found["jobs"][0]["stage"]) == (0, "download")
        assert found["jobs"][0]["summary"] == "Downloading 3 of 28 MB"
        assert [get(port, path)[0] for path in ("/api/info", "/api/search?q=dog", "/x")] == [503] * 3
    with socket.create_server(("127.0.0.1", port)):
        pass  # the port is free for the server of the library


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", ""])
def test_another_host_name_is_refused(host):
    with waiting_page("127.0.0.1", 0, Jobs()) as (_, port):
        assert get(port, "/api/jobs", host or "evil")[0] == 421


def test_a_busy_port_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(InputError, match="in use"), waiting_page("127.0.0.1", port, Jobs()):
            pass


@pytest.mark.parametrize(
    ("arguments", "is_shown"),
    [
        ([], True),
        (["--token", "0123456789abcdef"], False),
        (["--host", "0.0.0.0", "--insecure"], False),
        (["--allow-host", "photos.example.org"], False),
    ],
)
def test_it_is_shown_to_this_machine_only(tmp_path, monkeypatch, capsys, arguments, is_shown):
    monkeypatch.setattr(open_command, "_WAITING_S", -1.0)
    options = make_parser().parse_args(["open", str(tmp_path), "--no-open", "--port", "0", *arguments])
    jobs = Jobs(looks=2)
    assert not open_command._has_pictures(tmp_path / "none", jobs, jobs.job, options)
    assert ("the first pictures appear at http://127.0.0.1:" in capsys.readouterr().err) == is_shown
    assert (options.port != 0) == is_shown


def test_a_library_that_is_there_at_once_needs_no_page(library, tmp_path, capsys):
    options = make_parser().parse_args(["open", str(tmp_path), "--port", "0"])
    jobs = Jobs()
    assert open_command._has_pictures(library.info().path, jobs, jobs.job, options)
    assert capsys.readouterr().err == ""
