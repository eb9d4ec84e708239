"""snapseek.cli.terminal_pictures: which terminals show pictures, and what they get."""

import io
import re

import pytest
from PIL import Image

from snapseek.cli.terminal_pictures import ITERM2, KITTY, picture_text, protocol_of


class Terminal(io.StringIO):
    def isatty(self):
        return True


def webp(width, height, **options):
    target = io.BytesIO()
    Image.effect_noise((width, height), 90).save(target, "WEBP", **options)
    return target.getvalue()


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, KITTY),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "3"}, KITTY),
        ({"TERM": "xterm-ghostty"}, KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, ITERM2),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, ITERM2),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, ITERM2),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "mintty"}, ITERM2),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, None),
        ({"TERM": "dumb"}, None),
        ({}, None),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "3"}, None),
        ({"TERM": "screen", "LC_TERMINAL": "iTerm2"}, None),
        ({"TERM": "dumb", "TERM_PROGRAM": "iTerm.app"}, None),
        ({"TERM": "dumb", "KITTY_WINDOW_ID": "3"}, None),
        ({"TERM": "eterm-color", "KITTY_WINDOW_ID": "3"}, None),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "3", "STY": "1.pts"}, None),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "3", "ZELLIJ": "0"}, None),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm", "NVIM": "/run/nvim"}, None),
    ],
)
def test_a_terminal_says_how_it_shows_pictures(environment, protocol):
    assert protocol_of(Terminal(), environment) == protocol
    assert protocol_of(io.StringIO(), environment) is None


def test_a_large_preview_is_sent_to_kitty_in_parts():
    text = picture_text(webp(144, 144, lossless=True), KITTY)
    parts = re.findall(r"\033_G([^;]*);([A-Za-z0-9+/=]*)\033\\", text)
    assert len(parts) > 1
    assert parts[0][0] == "a=T,f=100,q=2,r=4,m=1"
    assert {controls for controls, _ in parts[1:-1]} <= {"m=1"}
    assert parts[-1][0] == "m=0"
    assert text.endswith("\033\\\n")


@pytest.mark.parametrize(
    "preview", [b"", b"RIFF", b"\033]0;title\a", webp(300, 10), webp(40, 40)[:60]], ids=len
)
def test_what_is_no_preview_is_not_shown(preview):
    assert picture_text(preview, KITTY) == picture_text(preview, ITERM2) == ""
