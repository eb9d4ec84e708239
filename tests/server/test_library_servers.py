"""Servers of other libraries: one process for each library, whichever page asks."""

import json
import os
import signal
import time
import urllib.request

import pytest

from snapseek.errors import SnapseekError
from snapseek.library import Library
from snapseek.library.recent import remember_library
from snapseek.server.library_servers import LibraryServers
from tests.conftest import write_pictures
from tests.support.serve_process import served


def get(address, path):
    with urllib.request.urlopen(address + path, timeout=60) as answer:
        return json.load(answer)


def open_library(address, name):
    """Return the address of the server of a library, as the page of another server gets it."""
    (wanted,) = (
        entry["id"] for entry in get(address, "api/libraries")["libraries"] if entry["path"].endswith(name)
    )
    body = json.dumps({"id": wanted}).encode()
    headers = {"content-type": "application/json", "origin": address.rstrip("/")}
    request = urllib.request.Request(address + "api/libraries", body, headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)["url"]


def wait_for_end(address):
    """Send requests until the server has stopped; then the last one fails."""
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s:
        get(address, "healthz")
        time.sleep(0.05)


@pytest.fixture
def libraries(tmp_path, encoder, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "config"))
    for name in ("one", "two", "three"):
        Library.build(write_pictures(tmp_path / f"{name} pictures"), tmp_path / name, encoder=encoder)
        remember_library(tmp_path / name)
    return tmp_path


def test_each_library_has_one_server_and_all_stop_with_the_first(libraries):
    with served(libraries / "one", "--no-watch") as first:
        listed = get(first, "api/libraries")["libraries"]
        assert {(entry["pictures"], entry["is_current"]) for entry in listed} == {(6, True), (6, False)}
        second = open_library(first, "two")
        assert get(second, "api/library")["path"] == str(libraries / "two")
        assert open_library(first, "two") == second
        third = open_library(second, "three")  # the second server passes it on
        assert len({first, second, third}) == 3
        assert open_library(first, "three") == third
        assert open_library(third, "one") == first
        assert open_library(first, "one") == first
    for address in (second, third):
        with pytest.raises(OSError):  # noqa: PT011 (refused, or reset while it stops)
            wait_for_end(address)


def test_a_library_that_cannot_be_served_is_an_error(libraries, tmp_path):
    (libraries / "two" / "library.db").write_bytes(b"no database at all")
    servers = LibraryServers(libraries / "one", ["--no-watch"])
    servers.address = "http://127.0.0.1:9/"
    with pytest.raises(SnapseekError, match=r"cannot be served: .*library"):
        servers.address_of(libraries / "two")
    servers.close()
    with pytest.raises(SnapseekError, match="being stopped"):
        servers.address_of(libraries / "two")


def test_a_server_that_has_ended_is_started_again(libraries):
    servers = LibraryServers(libraries / "one", ["--no-watch"])
    servers.address = "http://127.0.0.1:9/"
    address = servers.address_of(libraries / "two")
    assert servers.address_of(libraries / "two") == address
    child = servers._children[libraries / "two"]
    os.kill(child._process.pid, signal.SIGKILL)
    child._process.wait()
    assert get(servers.address_of(libraries / "two"), "healthz") == {"status": "ok"}
    servers.close()


def test_a_parent_that_is_gone_is_an_error(libraries):
    servers = LibraryServers(libraries / "two", parent="http://127.0.0.1:9/")
    with pytest.raises(SnapseekError, match="did not open the library") as error:
        servers.address_of(libraries / "one")
    assert "snapseek serve" in error.value.hint
