"""Entity tags, with which a browser checks whether its cached copy is current."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from starlette.datastructures import Headers


def etag_of(status: os.stat_result, variant: str = "") -> str:
    """Return a strong tag of a file as it is now; `variant` distinguishes its representations."""
    identity = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
    return '"' + "-".join(f"{number:x}" for number in identity) + variant + '"'


def is_held(headers: Headers, etag: str) -> bool:
    """Return whether the client holds exactly this representation (If-None-Match)."""
    held = headers.get("if-none-match", "")
    return held.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in held.split(",")]
