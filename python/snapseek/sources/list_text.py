"""The encoding and the delimiter of a list in text: UTF-8, UTF-16 or Windows-1252; , ; tab or |."""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

from snapseek.sources.fields.record_fields import CAPTIONS
from snapseek.sources.fields.text_encoding import UTF8_ERRORS

MAX_LINE = 1 << 20
"""Maximum length of a line in characters; longer lines are reported and skipped."""

URL_NAMES = ("url", "uri", "image_url", "img_url", "imageurl", "image_link", "link", "image", "img", "src")
PATH_NAMES = ("image_path", "img_path", "file_name", "filename", "file_path", "filepath", "path", "file")
"""Usual names of the column with the pictures, in lower case; the first that a list has is used."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = ",;\t|"
_NO_DELIMITER = "\x1f"
_SAMPLE_LINES = 50
_SAMPLE_CHARACTERS = 1 << 16
_KNOWN_NAMES = frozenset({*URL_NAMES, *PATH_NAMES, *CAPTIONS})


def open_text(path: Path) -> TextIO:
    """Open a list: UTF-16 if it looks so, else UTF-8 in which other bytes are read as Windows-1252."""
    with path.open("rb") as file:
        encoding = _encoding(file.read(4))
    return path.open(encoding=encoding, errors=UTF8_ERRORS if "8" in encoding else "replace", newline="")


def _encoding(head: bytes) -> str:
    """Return UTF-16 for a byte order mark, or for an ASCII character in two bytes at the beginning."""
    if head[:2] in _UTF16:
        return "utf-16"
    zeros = [byte == 0 for byte in head]
    if zeros == [False, True, False, True]:
        return "utf-16-le"
    return "utf-16-be" if zeros == [True, False, True, False] else "utf-8-sig"


def lines_of(file: TextIO) -> Iterator[str | None]:
    """Yield the lines, None for one longer than MAX_LINE."""
    while line := file.readline(MAX_LINE):
        is_whole = len(line) < MAX_LINE or line.endswith(("\n", "\r"))
        while not is_whole and (chunk := file.readline(MAX_LINE)):
            is_whole = chunk.endswith(("\n", "\r"))
            line = ""
        yield line or None


def csv_records(file: TextIO, delimiter: str | None) -> Iterator[list[str] | csv.Error]:
    """Yield the cells of each record, or the error of the reader, which then continues with the next line.

    The delimiter is that of a first line `sep=;`, as spreadsheets write it, else `delimiter`, else the one
    that fits the first lines best.
    """
    lines = (line or "" for line in lines_of(file))
    sample = list(islice(lines, 1))
    if sample and (declared := _declared(sample[0])):
        delimiter, sample = declared, []
    elif delimiter is None:
        sample += _bounded(islice(lines, _SAMPLE_LINES))
        delimiter = _delimiter(sample)
    return _or_errors(csv.reader(_chained(sample, lines), delimiter=delimiter))


def _declared(line: str) -> str | None:
    name, _, value = line.strip("\r\n\"'").partition("=")
    return value if name.strip().lower() == "sep" and len(value) == 1 else None


def _bounded(lines: Iterator[str]) -> Iterator[str]:
    """Yield lines until they have some 64,000 characters."""
    taken = 0
    while taken < _SAMPLE_CHARACTERS and (line := next(lines, None)) is not None:
        taken += len(line)
        yield line


def _chained(first: list[str], following: Iterator[str]) -> Iterator[str]:
    yield from first
    yield from following


def _delimiter(lines: list[str]) -> str:
    """Return the delimiter with a known name in the header, with rows of one length, and with most cells."""
    return (
        max(_DELIMITERS, key=lambda delimiter: _fit(lines, delimiter)) if _is_split(lines) else _NO_DELIMITER
    )


def _is_split(lines: list[str]) -> bool:
    return any(_fit(lines, delimiter)[0] for delimiter in _DELIMITERS)


def _fit(lines: list[str], delimiter: str) -> tuple[bool, bool, float, int]:
    rows = [
        row for row in _or_errors(csv.reader(lines, delimiter=delimiter)) if isinstance(row, list) and row
    ]
    cells = len(rows[0]) if rows else 0
    is_named = any(name.strip().lower() in _KNOWN_NAMES for name in rows[0]) if rows else False
    same = sum(len(row) == cells for row in rows) / max(1, len(rows))
    return cells > 1, is_named, same, cells


def _or_errors(records: Iterator[list[str]]) -> Iterator[list[str] | csv.Error]:
    while True:
        try:
            yield next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield error
