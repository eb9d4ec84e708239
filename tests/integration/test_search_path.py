"""How many files of the package a search passes: those with a function that it calls.

The search is cold: its query was not embedded before. What is made once for a library, such as the index of a
column, was made by an earlier search.
"""

import sys
import threading
from pathlib import Path

import pytest

import snapseek
from snapseek.library import Library
from snapseek.server import create_app
from tests.support.asgi_client import ask

ROOT = Path(snapseek.__file__).parent
MAX_FILES_PLAIN = 32
MAX_FILES_FILTERED = 36
MAX_FILES_OVER_HTTP = 49


def files_passed(work):
    """Return the files of the package in which `work` and the threads that it starts call a function."""
    found = set()

    def note(frame, event, _argument):
        code = frame.f_code
        if event == "call" and code.co_name != "<module>" and code.co_filename.startswith(str(ROOT)):
            found.add(Path(code.co_filename).relative_to(ROOT).as_posix())

    previous = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(previous)
        threading.setprofile(None)
    return sorted(found)


@pytest.fixture
def opened(library, encoder):
    """The library, opened and searched once."""
    fresh = Library.open(library.snapshot().path, encoder=encoder)
    fresh.search("red")
    fresh.search("red year:>2000", where="width:>10", sort="newest")
    return fresh


def test_a_plain_search_passes_few_files(opened):
    found = files_passed(lambda: opened.search("a red photo"))
    assert "library/search/rank.py" in found
    assert len(found) <= MAX_FILES_PLAIN, "\n".join(found)


def test_a_search_with_filter_and_sort_passes_few_files(opened):
    found = files_passed(lambda: opened.search("a green photo year:>2000", where="width:>10", sort="newest"))
    assert "library/filters/typecheck.py" in found
    assert len(found) <= MAX_FILES_FILTERED, "\n".join(found)


def test_a_search_over_http_passes_few_files(opened):
    app = create_app(opened)
    query = "q=a+blue+photo+year:%3E2000&where=width:%3E10&sort=newest"
    statuses = []
    found = files_passed(lambda: statuses.append(ask(app, "/api/search", query).status))
    assert statuses == [200]
    assert "library/search/rank.py" in found
    assert len(found) <= MAX_FILES_OVER_HTTP, "\n".join(found)


def test_no_file_of_the_package_is_long():
    assert [str(path) for path in ROOT.rglob("*.py") if len(path.read_text().splitlines()) > 400] == []
