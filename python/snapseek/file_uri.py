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
