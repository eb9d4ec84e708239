"""Entity tags: how a browser asks whether the file it keeps is still the one on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from starlette.datastructures import Headers


def etag_of(facts: os.stat_result, variant: str = "") -> str:
    """A strong tag for one file as it is now; `variant` tells representations of the same file apart."""
    identity = (facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_size)
    return '"' + "-".join(f"{number:x}" for number in identity) + variant + '"'


def is_held(headers: Headers, etag: str) -> bool:
    """Whether the client says (If-None-Match) that it holds exactly this representation."""
    held = headers.get("if-none-match", "")
    return held.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in held.split(",")]
