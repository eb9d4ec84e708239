"""Lists of URLs or local paths (txt, csv, tsv, jsonl or parquet), with captions and custom columns.

A path is absolute, or relative to the folder of the list. A list may come from a stranger, so it reaches only
local files that have the suffix of a picture.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import pyarrow as pa

from snapseek.errors import InputError
from snapseek.file_kinds import PICTURE_SUFFIXES, is_picture_name
from snapseek.sources.fields.custom_columns import CustomColumns
from snapseek.sources.fields.record_fields import CAPTIONS, metadata_in
from snapseek.sources.fields.record_values import Losses
from snapseek.sources.http.fetch_limits import FetchLimits
from snapseek.sources.http.url_policy import MAX_URL, checked_url
from snapseek.sources.list_text import PATH_NAMES, URL_NAMES
from snapseek.sources.picture import Picture, displayed, row_stamp, storable
from snapseek.sources.row_reader import Row, is_address, open_parquet, plain_columns, read_rows
from snapseek.sources.source import changed, matched

KIND = "urls"
Fetch = Callable[[Iterable[Picture], FetchLimits], Iterator[Picture]]


class UrlList:
    """The pictures of a list of URLs, fetched by `read`."""

    kind = KIND

    def __init__(self, path: Path, limits: FetchLimits | None = None, fetch: Fetch | None = None) -> None:
        """Nothing is read yet. `fetch` fetches pictures within `limits`; it is `fetch_all` by default."""
        self.path = path
        self._limits = limits or FetchLimits()
        self._fetch = fetch
        self._url_name: str | None = None
        self._custom = CustomColumns()
        self._losses = Losses()

    def find(self) -> Iterator[Picture]:
        """Yield one picture per URL or path, which is its key. Raises InputError if no column holds them."""
        self._custom = CustomColumns()
        self._losses = Losses()
        self._url_name = None
        is_typed = self.path.suffix.lower() == ".parquet"
        for row in read_rows(self.path, self._losses):
            if row.problem is not None:
                # With a gap in the list, the library keeps all pictures that it has of this source.
                yield Picture(self.path, "." if row.is_gap else f"row {row.number}", problem=row.problem)
                continue
            if self._url_name is None:
                self._begin(row.values, is_typed=is_typed)
            if not is_typed:
                self._custom.observe(row.values)
            yield self._picture(row)

    def _begin(self, first: Mapping[str, Any], *, is_typed: bool) -> None:
        self._url_name = address_column(first, str(self.path))
        caption = next((name for name in CAPTIONS if name in _lowered(first)), "")
        self._custom = CustomColumns(self._url_name, _lowered(first).get(caption, ""))
        if is_typed:
            schema = open_parquet(self.path).schema_arrow
            self._custom.declare(pa.schema([schema.field(name) for name in plain_columns(schema)]))

    def _picture(self, row: Row) -> Picture:
        address = row.values.get(self._url_name or "")
        if not isinstance(address, str) or not address.strip():
            return Picture(self.path, f"row {row.number}", problem=f"row {row.number} has no URL")
        if _is_local(address):
            picture = local_picture(self.path, address.strip())
            return replace(picture, sidecars=(row_stamp(self.path, row.values),))
        key = storable(address.strip()[: 2 * MAX_URL])
        try:
            url = checked_url(address, allow_private=self._limits.allow_private)
        except InputError as error:
            return Picture(self.path, key, problem=str(error))
        return Picture(self.path, key, address=url)

    def columns(self) -> pa.Schema:
        """Return all columns but the URL and those of every record."""
        return self._custom.schema()

    def notes(self) -> tuple[str, ...]:
        """Return which values changed or were lost."""
        return self._losses.notes()

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """Fetch many pictures at a time, and return them in the order of arrival. Local ones stay files."""
        rows = self._with_rows(pictures)
        for picture in rows:
            if picture.address is not None and picture.problem is None:
                fetch = self._fetch or default_fetch()
                yield from fetch(chain([picture], rows), self._limits)
                return
            yield picture

    def _with_rows(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        rows = ((row, self._picture(row)) for row in read_rows(self.path) if row.problem is None)
        for picture, found in matched(pictures, rows, lambda pair: pair[1].within):
            if found is None:
                yield changed(picture)
                continue
            row, offered = found
            metadata = metadata_in(_lowered_values(row.values))
            columns = self._custom.values(row.values)
            yield replace(
                picture, address=offered.address, problem=offered.problem, metadata=metadata, columns=columns
            )


def default_fetch() -> Fetch:
    """Return `prefetch.fetch_all`. Raises InputError if aiohttp is not installed."""
    try:
        from snapseek.sources.http.prefetch import fetch_all
    except ImportError as error:
        raise InputError(
            expected="the package aiohttp to fetch pictures",
            got="it is not installed",
            hint='install it: pip install "snapseek[fetch]"',
        ) from error
    return fetch_all


def _lowered(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of columns by their lower-case form."""
    return {name.lower(): name for name in reversed(list(values)) if isinstance(name, str)}


def _lowered_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[column] for name, column in _lowered(values).items()}


def address_column(first: Mapping[str, Any], where: str) -> str:
    """Return the column with URLs or paths, by its name or by its value in the first row.

    Raises InputError, which says `where`, if there is none.
    """
    names = _lowered(first)
    usual = [names[name] for name in (*URL_NAMES, *PATH_NAMES) if name in names]
    texts = {name: value for name, value in first.items() if isinstance(value, str)}
    found = [name for name in (*usual, *texts) if is_address(texts.get(name, ""))]
    if not found and not usual:
        listed = ", ".join(map(str, first)) or "none"
        raise InputError(
            expected=f"a column with URLs, such as url, or with paths, such as file_name, in {where}",
            got=f"{listed:.200}",
        )
    return [*found, *usual][0]


def _is_local(address: str) -> bool:
    scheme, mark, _ = address.strip().partition("://")
    return not mark or scheme.lower() == "file"


def local_picture(source: Path, address: str) -> Picture:
    """Return the picture at a path or `file://` URL of a list. Its key is the absolute path."""
    shown = storable(address[:MAX_URL])
    if address.lower().startswith("file:"):
        address = os.fsdecode(unquote_to_bytes(urlsplit(address).path))
    path = Path(os.path.normpath(source.parent / address))
    if "\\" in address and not os.path.lexists(path):  # a relative path of a list from Windows
        path = Path(os.path.normpath(source.parent / address.replace("\\", "/")))
    if not is_picture_name(path) or "\0" in address:
        suffixes = " ".join(sorted(PICTURE_SUFFIXES))
        return Picture(
            source, shown, problem=f"expected a URL or the path of a picture ({suffixes}), got {shown!r:.100}"
        )
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Picture(source, shown, problem=f"the file {displayed(str(path))} cannot be read: {reason}")
    if not stat.S_ISREG(status.st_mode):
        return Picture(source, shown, problem=f"expected a regular file at {displayed(str(path))}")
    return Picture(source, str(path), status.st_size, status.st_mtime_ns)
