"""The built page stays small."""

import gzip

import pytest

from snapseek.server.page import BUILT_PAGE

MOST_BYTES = 40_000


@pytest.mark.browser
def test_the_page_is_at_most_40_kb_gzipped():
    files = [path for path in BUILT_PAGE.rglob("*") if path.suffix in (".html", ".js", ".css")]
    assert {path.suffix for path in files} == {".html", ".js", ".css"}
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in files) <= MOST_BYTES
