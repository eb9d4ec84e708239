"""snapseek.user_dirs."""

import pytest

from snapseek import user_dirs


@pytest.fixture
def home(monkeypatch, tmp_path):
    for name in ("SNAPSEEK_CACHE", "XDG_CACHE_HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(user_dirs.Path, "home", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("platform", "cache", "data"),
    [
        ("linux", ".cache/snapseek", ".local/share/snapseek"),
        ("darwin", "Library/Caches/snapseek", "Library/Application Support/snapseek"),
        ("win32", "AppData/Local/snapseek/cache", "AppData/Local/snapseek"),
    ],
)
def test_defaults_follow_each_system(home, monkeypatch, platform, cache, data):
    monkeypatch.setattr(user_dirs.sys, "platform", platform)
    assert user_dirs.cache_dir() == home / cache
    assert user_dirs.data_dir() == home / data


@pytest.mark.parametrize(
    ("platform", "variable", "cache", "data"),
    [
        ("linux", "XDG_CACHE_HOME", "x/snapseek", ".local/share/snapseek"),
        ("linux", "XDG_DATA_HOME", ".cache/snapseek", "x/snapseek"),
        ("win32", "LOCALAPPDATA", "x/snapseek/cache", "x/snapseek"),
        ("darwin", "SNAPSEEK_CACHE", "x", "Library/Application Support/snapseek"),
    ],
)
def test_variables_move_directories(home, monkeypatch, platform, variable, cache, data):
    monkeypatch.setattr(user_dirs.sys, "platform", platform)
    monkeypatch.setenv(variable, str(home / "x"))
    assert user_dirs.cache_dir() == home / cache
    assert user_dirs.data_dir() == home / data


def test_an_empty_variable_counts_as_unset(home, monkeypatch):
    monkeypatch.setattr(user_dirs.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert user_dirs.cache_dir() == home / ".cache" / "snapseek"


@pytest.mark.parametrize(
    ("platform", "config"),
    [
        ("linux", ".config/snapseek"),
        ("darwin", "Library/Application Support/snapseek/config"),
        ("win32", "AppData/Local/snapseek/config"),
    ],
)
def test_the_configuration_follows_each_system(home, monkeypatch, platform, config):
    for name in ("SNAPSEEK_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(user_dirs.sys, "platform", platform)
    assert user_dirs.config_dir() == home / config
    monkeypatch.setenv("SNAPSEEK_CONFIG", str(home / "mine"))
    assert user_dirs.config_dir() == home / "mine"
