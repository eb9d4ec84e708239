"""`snapseek search` in a terminal: the default library, previews, and opening the best match."""

import base64
import io
import os
import re

import pytest
from PIL import Image

from snapseek.cli import main
from snapseek.server import reveal
from tests.conftest import write_pictures
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows

_KITTY_PARTS = re.compile(r"\033_G([^;]*);([^\033]*)\033\\")
_NO_TERMINAL = ("KITTY_WINDOW_ID", "TERM_PROGRAM", "LC_TERMINAL", "TMUX")


class Terminal(io.StringIO):
    """A stdout that is a terminal."""

    def isatty(self):
        return True


@pytest.fixture(scope="module")
def indexed(tmp_path_factory, tiny_model):
    """A folder with its library inside, that no test changes."""
    folder = write_pictures(tmp_path_factory.mktemp("terminal") / "pictures")
    assert main(["index", str(folder), "--model", str(tiny_model)]) == 0
    return folder


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    for name in _NO_TERMINAL:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def shown(monkeypatch, indexed, *flags):
    """What `search` writes to a terminal."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    assert main(["search", "red", "-k", "2", "--library", str(indexed), *flags]) == 0
    return terminal.getvalue()


def test_kitty_shows_a_preview_above_each_line(indexed, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-kitty")
    text = shown(monkeypatch, indexed)
    parts = _KITTY_PARTS.findall(text)
    assert [controls for controls, _ in parts if controls.startswith("a=T,f=100,")]
    assert all(len(data) <= 4096 for _, data in parts)
    lines = _KITTY_PARTS.sub("", text).splitlines()
    assert [line[-len("red.jpg  (file name)") :] for line in lines if line][:1] == ["red.jpg  (file name)"]
    picture = Image.open(io.BytesIO(base64.b64decode(parts[0][1])))
    assert picture.format == "PNG"
    red, green, blue = picture.convert("RGB").getpixel((5, 5))
    assert red > 150 > 90 > max(green, blue)


def test_iterm2_shows_inline_images(indexed, monkeypatch):
    monkeypatch.setenv("TERM_PROGRAM", "iTerm.app")
    found = re.findall(r"\033\]1337;File=inline=1;size=(\d+);[^:]*:([^\a]*)\a\n", shown(monkeypatch, indexed))
    assert len(found) == 2
    for size, data in found:
        assert len(base64.b64decode(data)) == int(size)


@pytest.mark.parametrize(
    ("environment", "flags"),
    [
        ({}, []),
        ({"TERM": "xterm-kitty"}, ["--no-previews"]),
        ({"TERM": "xterm-kitty"}, ["--json"]),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-1000/default,1,0"}, []),
        ({"TERM": "screen-256color", "KITTY_WINDOW_ID": "1"}, []),
    ],
)
def test_other_terminals_and_shapes_get_no_previews(indexed, monkeypatch, environment, flags):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if "--json" in flags:
        monkeypatch.setattr(Terminal, "encoding", "utf-8")
    assert "\033" not in shown(monkeypatch, indexed, *flags)


def test_a_pipe_gets_no_previews(indexed, monkeypatch, capsys):
    monkeypatch.setenv("TERM", "xterm-kitty")
    assert main(["search", "red", "--previews", "--library", str(indexed)]) == 0
    assert "\033" not in capsys.readouterr().out


def test_previews_that_cannot_be_shown_are_said(indexed, monkeypatch, capsys):
    assert "\033" not in shown(monkeypatch, indexed, "--previews")
    assert "no previews: this terminal" in capsys.readouterr().err


def test_elsewhere_the_library_that_was_opened_last_is_searched(
    indexed, tmp_path, tiny_model, capsys, monkeypatch
):
    monkeypatch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    assert main(["search", "red"]) == 1
    assert "expected a library at ., got none" in capsys.readouterr().err
    other = write_pictures(tmp_path / "other")
    for folder in (other, indexed):
        assert main(["index", str(folder), "--model", str(tiny_model)]) == 0
    capsys.readouterr()
    assert main(["search", "red", "--paths", "-k1"]) == 0
    found = capsys.readouterr()
    assert found.out == f"{indexed / 'red.jpg'}\n"
    assert f"Searching in {indexed} (--library chooses another)\n" in found.err
    monkeypatch.chdir(other / "deep")
    assert main(["search", "red", "--paths", "-k1"]) == 0
    found = capsys.readouterr()
    assert (found.out, "Searching in" in found.err) == (f"{other / 'red.jpg'}\n", False)
    monkeypatch.chdir(tmp_path)
    assert main(["search", "red", "--library", "."]) == 1  # a named library is never another one


@pytest.fixture
def viewed(monkeypatch):
    """The paths that were opened."""
    paths = []
    monkeypatch.setattr(reveal, "view", paths.append)
    monkeypatch.setattr(reveal, "can_reveal", lambda: True)
    return paths


def test_open_shows_the_best_match(indexed, viewed, capsys):
    assert main(["search", "red", "--open", "--paths", "--library", str(indexed)]) == 0
    best = capsys.readouterr().out.splitlines()[0]
    assert list(map(os.fspath, viewed)) == [best]


def test_open_without_a_match_opens_nothing(indexed, viewed, capsys):
    assert main(["search", "red", "--open", "--where", "year:1999", "--library", str(indexed)]) == 0
    assert viewed == []


def test_open_needs_a_desktop(indexed, viewed, monkeypatch, capsys):
    monkeypatch.setattr(reveal, "can_reveal", lambda: False)
    assert main(["search", "red", "--open", "--library", str(indexed)]) == 1
    assert "expected a desktop that opens pictures, got none" in capsys.readouterr().err
    assert viewed == []


def test_open_refuses_a_remote_picture(tmp_path, tiny_model, viewed, capsys):
    vectors = write_embeddings(tmp_path / "laion", unit_rows(30, dim=3).astype("f2"))
    library = tmp_path / "l"
    assert main(["import", str(vectors), "--library", str(library), "--model", str(tiny_model)]) == 0
    capsys.readouterr()
    assert main(["search", "red", "--open", "--library", str(library)]) == 1
    assert "its original is " in capsys.readouterr().err
    assert viewed == []


def test_open_refuses_a_file_that_is_gone(tmp_path, tiny_model, viewed, capsys):
    folder = write_pictures(tmp_path / "pictures")
    assert main(["index", str(folder), "--model", str(tiny_model)]) == 0
    (folder / "red.jpg").unlink()
    assert main(["search", "red", "--open", "--library", str(folder)]) == 1
    assert "snapseek sync" in capsys.readouterr().err
    assert viewed == []
