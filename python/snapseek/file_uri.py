"""Paths in URIs, the reverse of `Path.as_uri`."""

import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

_LOCAL = ("", "localhost")
_DRIVE = re.compile(r"/[A-Za-z]:(?=/|$)")


def path_of_uri(uri: str) -> Path:
    """Return the path that a URI such as `file:///home/me/a.jpg` names.

    On Windows `file:///C:/a.jpg` is `C:/a.jpg`, and `file://server/share/a.jpg` is `//server/share/a.jpg`.
    """
    parts = urlsplit(uri)
    path = os.fsdecode(unquote_to_bytes(parts.path))
    if sys.platform == "win32":
        if parts.netloc.lower() not in _LOCAL:
            path = f"//{parts.netloc}{path}"
        elif _DRIVE.match(path):
            path = path[1:]
    return Path(path)


def local_path(uri: str) -> Path | None:
    """Return the absolute path that a URI names on this machine; None if it names none."""
    try:
        is_here = sys.platform == "win32" or urlsplit(uri).netloc.lower() in _LOCAL
        path = path_of_uri(uri)
    except ValueError:
        return None
    return path if is_here and path.is_absolute() and "\0" not in str(path) else None
