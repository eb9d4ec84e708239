"""snapseek.file_uri."""

import os
import sys
from pathlib import Path, PureWindowsPath

import pytest

from snapseek.file_uri import path_of_uri


@pytest.mark.skipif(sys.platform == "win32", reason="has no such names")
@pytest.mark.parametrize(
    "name", [b"a b.jpg", b"100%.jpg", b"a#b?c.jpg", b"a!b.jpg", b"\xff\xfe.jpg", "ä".encode()]
)
def test_the_path_of_a_uri_is_the_one_it_was_made_of(name):
    path = Path("/home/me") / os.fsdecode(name)
    assert path_of_uri(path.as_uri()) == path


@pytest.mark.parametrize(
    "path", ["C:/Users/me/a b.jpg", "c:/100%.jpg", "//server/share/ä.jpg", "C:/a#b.jpg", "D:/"]
)
def test_a_drive_and_a_network_share_of_windows_are_kept(monkeypatch, path):
    monkeypatch.setattr(sys, "platform", "win32")
    assert path_of_uri(PureWindowsPath(path).as_uri()).as_posix().rstrip("/") == path.rstrip("/")


@pytest.mark.parametrize("system", ["linux", "win32"])
def test_the_host_localhost_is_this_machine(monkeypatch, system):
    monkeypatch.setattr(sys, "platform", system)
    assert path_of_uri("file://localhost/data/a.jpg") == Path("/data/a.jpg")
