"""Show a file in the file manager of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from snapseek.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def can_reveal(platform: str = sys.platform, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether this machine has a file manager that a program can open."""
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


def reveal(path: Path) -> None:
    """Show a file in the file manager. Raises StorageError if none can be started."""
    try:
        process = subprocess.Popen(  # noqa: S603 (a fixed program; the path is one argument)
            reveal_command(path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=sys.platform != "win32",
        )
    except (OSError, ValueError) as error:
        raise StorageError(
            expected="a file manager that shows the folder of a picture", got=str(error)
        ) from error
    # Some file managers stay in the foreground until they are closed.
    threading.Thread(target=process.wait, name="reveal", daemon=True).start()
