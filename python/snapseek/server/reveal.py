"""Show a file on the desktop of this machine: in the file manager, or in its default program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from snapseek.errors import StorageError
from snapseek.file_kinds import PICTURE_SUFFIXES, RAW_SUFFIXES, VIDEO_SUFFIXES, suffix_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def can_reveal(platform: str = sys.platform, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether this machine has a desktop on which a program can open files."""
    if platform in ("darwin", "win32"):
        return True
    has_desktop = bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
    return has_desktop and shutil.which("xdg-open") is not None


def reveal_command(path: Path, platform: str = sys.platform) -> list[str] | str:
    """Return the command that shows a file: selected in its folder, or on Linux the folder alone.

    No shell reads it. The path is absolute, so it cannot be taken for an option.

    Raises ValueError for a path that is not absolute.
    """
    if not path.is_absolute():
        raise ValueError(f"expected an absolute path, got {path}")
    if platform == "darwin":
        return ["open", "-R", str(path)]
    if platform == "win32":
        if '"' in str(path):  # no file of Windows has one in its name, and it would end the argument
            raise ValueError(f"expected a path without quotes, got {path}")
        return f'explorer.exe /select,"{path}"'  # Explorer does not understand quotes around the option
    return ["xdg-open", str(path.parent)]


def view_command(path: Path, platform: str = sys.platform) -> list[str]:
    """Return the command that opens a file in its default program.

    Raises ValueError for a path that is not absolute, and for a file that the name does not call a picture:
    the default program of a script runs it.
    """
    if not path.is_absolute():
        raise ValueError(f"expected an absolute path, got {path}")
    if suffix_of(path) not in PICTURE_SUFFIXES | RAW_SUFFIXES | VIDEO_SUFFIXES:
        raise ValueError(f"expected a file with the name of a picture, got {path.name}")
    if platform == "win32":
        return ["explorer.exe", str(path)]
    return ["open" if platform == "darwin" else "xdg-open", str(path)]


def reveal(path: Path) -> None:
    """Show a file in the file manager. Raises StorageError if none can be started."""
    _start(reveal_command, path, "a file manager that shows the folder of a picture")


def view(path: Path) -> None:
    """Open a picture in its default program. Raises StorageError if none can be started."""
    _start(view_command, path, "a program that opens the picture")


def _start(command: Callable[[Path], list[str] | str], path: Path, expected: str) -> None:
    try:
        process = subprocess.Popen(  # noqa: S603 (a fixed program; the path is one argument)
            command(path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=sys.platform != "win32",
        )
    except (OSError, ValueError) as error:
        raise StorageError(expected=expected, got=str(error)) from error
    # Some file managers stay in the foreground until they are closed.
    threading.Thread(target=process.wait, name="reveal", daemon=True).start()
