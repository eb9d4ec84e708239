"""snapseek.server.headers: the entity tags of files."""

import os
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from snapseek.server.headers import etag_of, is_held


def test_a_tag_follows_the_file_and_the_variant(tmp_path: Path):
    path = tmp_path / "picture"
    path.write_bytes(b"one")
    before = path.stat()
    assert etag_of(before) == etag_of(path.stat())
    assert etag_of(before) != etag_of(before, "-jpeg320")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))
    assert etag_of(path.stat()) != etag_of(before)


@pytest.mark.parametrize(
    ("field", "held"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
        ("", False),
    ],
)
def test_a_copy_is_held_when_its_tag_is_named(field: str, held: bool):
    assert is_held(Headers({"if-none-match": field}), '"a"') is held


def test_without_the_header_nothing_is_held():
    assert not is_held(Headers({}), '"a"')
