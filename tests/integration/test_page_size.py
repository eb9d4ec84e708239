"""The built page loads little at first."""

import gzip
import re

import pytest

from snapseek.server.page import BUILT_PAGE

MAX_BYTES = 40_000
NAMED_BY_HTML = re.compile(r'(?:src|href)="([^"]+\.(?:js|css))"')
NAMED_BY_SCRIPT = re.compile(r'(?:from|import)"([^"]+\.js)"')
LOADED_WHEN_USED = (
    "BrowseExtras",
    "FilterPanel",
    "Lightbox",
    "PageTurn",
    "PreviewsCard",
    "QueryChips",
    "Scrubber",
    "SelectionBar",
    "ShortcutHelp",
    "TileActions",
)


def first_load():
    """Return the files that the page names, and those that they import."""
    found, waiting = [], [BUILT_PAGE / "index.html"]
    while waiting:
        path = waiting.pop()
        found.append(path)
        named = NAMED_BY_HTML if path.suffix == ".html" else NAMED_BY_SCRIPT
        names = named.findall(path.read_text())
        waiting += {path.parent / name for name in names} - {*found, *waiting}
    return found


@pytest.mark.browser
def test_the_first_load_is_at_most_40_kb_gzipped():
    files = first_load()
    assert {path.suffix for path in files} == {".html", ".js", ".css"}
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in files) <= MAX_BYTES


@pytest.mark.browser
def test_what_is_not_shown_at_first_is_loaded_when_used():
    names = [path.name for path in first_load()]
    for part in LOADED_WHEN_USED:
        assert list((BUILT_PAGE / "assets").glob(f"{part}-*.js"))
        assert not [name for name in names if name.startswith(part)]


@pytest.mark.browser
def test_the_page_names_its_files_relatively():
    html = (BUILT_PAGE / "index.html").read_text()
    assert re.findall(r'(?:src|href)="(?!\./)([^"]*)"', html) == []
