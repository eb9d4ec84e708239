"""The file manager gets one absolute path, whatever the names of files are."""

import subprocess
from pathlib import PurePosixPath, PureWindowsPath

import pytest

from snapseek.errors import StorageError
from snapseek.server import reveal as module
from snapseek.server.reveal import can_reveal, reveal, reveal_command, view, view_command

HOSTILE_NAMES = [
    "-R",
    "--help",
    "$(touch hit).jpg",
    "`touch hit`.jpg",
    "a; touch hit.jpg",
    "a && touch hit.jpg",
    "a | touch hit.jpg",
    "a\ntouch hit.jpg",
    'a" root,"C:.jpg',
    "a' 'b.jpg",
    "file:evil.jpg",
    "%PATH%.jpg",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_stays_one_argument(name):
    path = PurePosixPath("/pictures") / name
    assert reveal_command(path, "darwin") == ["open", "-R", f"/pictures/{name}"]
    assert reveal_command(path, "linux") == ["xdg-open", "/pictures"]
    assert reveal_command(PurePosixPath("/") / name / "a.jpg", "linux") == ["xdg-open", f"/{name}"]


def test_a_path_of_windows_is_in_quotes():
    path = PureWindowsPath(r"C:\My pictures, 2024\a & b %PATH%.jpg")
    assert reveal_command(path, "win32") == rf'explorer.exe /select,"{path}"'
    with pytest.raises(ValueError, match="without quotes"):
        reveal_command(PureWindowsPath(r'C:\a" /root,"C:\b.jpg'), "win32")


@pytest.mark.parametrize("platform", ["darwin", "win32", "linux"])
def test_a_relative_path_is_never_passed_on(platform):
    with pytest.raises(ValueError, match="absolute"):
        reveal_command(PurePosixPath("-R/a.jpg"), platform)


def test_the_command_runs_without_a_shell(monkeypatch, tmp_path):
    started = []
    real = subprocess.Popen

    def spy(command, **options):
        started.append((command, options))
        return real(["true"], stdout=subprocess.DEVNULL)

    monkeypatch.setattr(module.subprocess, "Popen", spy)
    reveal(tmp_path / "$(touch hit).jpg")
    ((command, options),) = started
    assert command == reveal_command(tmp_path / "$(touch hit).jpg")
    assert not options.get("shell")
    assert not (tmp_path / "hit").exists()


def test_a_missing_file_manager_is_an_error(monkeypatch, tmp_path):
    def fail(*_, **__):
        raise FileNotFoundError("xdg-open")

    monkeypatch.setattr(module.subprocess, "Popen", fail)
    with pytest.raises(StorageError, match="file manager"):
        reveal(tmp_path / "a.jpg")


def test_a_server_without_a_desktop_reveals_nothing(monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert can_reveal("linux", {"DISPLAY": ":0"})
    assert can_reveal("linux", {"WAYLAND_DISPLAY": "wayland-0"})
    assert can_reveal("darwin", {})
    assert not can_reveal("linux", {"DISPLAY": ""})
    monkeypatch.setattr(module.shutil, "which", lambda _name: None)
    assert not can_reveal("linux", {"DISPLAY": ":0"})


def test_the_command_that_opens_a_picture():
    path = PurePosixPath("/pictures/-a b.JPG")
    assert view_command(path, "darwin") == ["open", "/pictures/-a b.JPG"]
    assert view_command(path, "linux") == ["xdg-open", "/pictures/-a b.JPG"]
    assert view_command(PureWindowsPath(r"C:\a b.heic"), "win32") == ["explorer.exe", r"C:\a b.heic"]


@pytest.mark.parametrize("path", ["a.jpg", "/a.sh", "/a.desktop", "/a", "/a.jpg.exe"])
def test_what_may_be_a_program_is_not_opened(path):
    with pytest.raises(ValueError, match="expected"):
        view_command(PurePosixPath(path), "linux")


def test_a_program_among_the_pictures_is_refused(tmp_path):
    with pytest.raises(StorageError, match="a program that opens the picture, got expected a file with"):
        view(tmp_path / "a.sh")
