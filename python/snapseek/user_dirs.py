"""Directories for files of the current user, by the conventions of each operating system."""

import os
import sys
from pathlib import Path

_APP = "snapseek"


def cache_dir() -> Path:
    """Return the directory of files that can be made again: `SNAPSEEK_CACHE`, or the system's.

    Linux and BSD: `XDG_CACHE_HOME` or `~/.cache`. macOS: `~/Library/Caches`. Windows: `LOCALAPPDATA`.
    """
    if override := os.environ.get("SNAPSEEK_CACHE"):
        return Path(override)
    if sys.platform == "win32":
        return _local_app_data() / _APP / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / _APP
    return _from_environment("XDG_CACHE_HOME", ".cache") / _APP


def data_dir() -> Path:
    """Return the directory of data that the user keeps.

    Linux and BSD: `XDG_DATA_HOME` or `~/.local/share`. macOS: `~/Library/Application Support`. Windows:
    `LOCALAPPDATA`.
    """
    if sys.platform == "win32":
        return _local_app_data() / _APP
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / _APP
    return _from_environment("XDG_DATA_HOME", ".local", "share") / _APP


def config_dir() -> Path:
    """Return the directory of what the user has confirmed: `SNAPSEEK_CONFIG`, or the system's.

    Linux and BSD: `XDG_CONFIG_HOME` or `~/.config`. macOS: `~/Library/Application Support`. Windows:
    `LOCALAPPDATA`.
    """
    if override := os.environ.get("SNAPSEEK_CONFIG"):
        return Path(override)
    if sys.platform == "win32":
        return _local_app_data() / _APP / "config"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / _APP / "config"
    return _from_environment("XDG_CONFIG_HOME", ".config") / _APP


def _local_app_data() -> Path:
    return _from_environment("LOCALAPPDATA", "AppData", "Local")


def _from_environment(variable: str, *default: str) -> Path:
    """Return the directory that `variable` names; if it is unset, `default` in the home directory."""
    value = os.environ.get(variable)
    return Path(value) if value else Path.home().joinpath(*default)
