"""Pictures between the lines of a terminal: the graphics protocol of Kitty, and inline images of iTerm2.

A terminal that does not know a sequence prints it as garbage. So pictures are only written to terminals that
say by their environment that they show them. Programs between such a terminal and this one, such as tmux or
Emacs, pass that environment on but not the pictures.
"""

import base64
import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TextIO

from PIL import Image

KITTY, ITERM2 = "kitty", "iterm2"

_KITTY_PROGRAMS = ("kitty", "ghostty")
_ITERM2_PROGRAMS = ("iTerm.app", "WezTerm", "mintty")
_TERMS_IN_BETWEEN = ("screen", "tmux", "dumb", "eterm")
_VARIABLES_IN_BETWEEN = ("TMUX", "STY", "ZELLIJ", "INSIDE_EMACS", "VIM_TERMINAL", "NVIM")
"""What programs set that run others in a terminal of their own."""

_ROWS = 4
_KITTY_CHUNK = 4096
"""The longest part of a picture in one sequence of Kitty, in characters of base64."""

_MAX_SIDE_PX = 256
"""A preview has at most 144 pixels a side. A larger picture is none of ours and is not decoded."""


def protocol_of(stream: TextIO, environment: Mapping[str, str]) -> str | None:
    """Return how the terminal behind a stream shows pictures; None for any other stream or terminal."""
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if not stream.isatty() or term.startswith(_TERMS_IN_BETWEEN):
        return None
    if any(map(environment.get, _VARIABLES_IN_BETWEEN)):
        return None
    if environment.get("KITTY_WINDOW_ID") or program in _KITTY_PROGRAMS:
        return KITTY
    if term in [f"xterm-{name}" for name in _KITTY_PROGRAMS]:
        return KITTY
    is_iterm2 = program in _ITERM2_PROGRAMS or environment.get("LC_TERMINAL") == "iTerm2"
    return ITERM2 if is_iterm2 else None


def picture_text(preview: bytes, protocol: str) -> str:
    """Return what shows a preview, four lines high; an empty text for a preview that cannot be read."""
    data = _png(preview)
    if data is None:
        return ""
    text = base64.b64encode(data).decode("ascii")
    if protocol == ITERM2:
        size = f"size={len(data)};height={_ROWS};preserveAspectRatio=1"
        return f"\033]1337;File=inline=1;{size}:{text}\a\n"
    return "".join(_kitty_sequences(text)) + "\n"


def _kitty_sequences(text: str) -> Iterator[str]:
    """Yield a PNG in base64 in parts: `a=T` shows it, `q=2` wants no answer, `m=1` says that more comes."""
    for start in range(0, len(text), _KITTY_CHUNK):
        more = int(start + _KITTY_CHUNK < len(text))
        control = f"a=T,f=100,q=2,r={_ROWS},m={more}" if start == 0 else f"m={more}"
        yield f"\033_G{control};{text[start : start + _KITTY_CHUNK]}\033\\"


def _png(preview: bytes) -> bytes | None:
    """Return a preview as PNG, which every such terminal reads; None for what is no preview."""
    target = io.BytesIO()
    with suppress(OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        image = Image.open(io.BytesIO(preview), formats=("WEBP",))
        if max(image.size) <= _MAX_SIDE_PX:
            image.convert("RGB").save(target, "PNG")
    return target.getvalue() or None
