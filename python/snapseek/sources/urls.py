"""Lists of urls: txt, csv, tsv, jsonl or parquet, with captions and whatever columns the user has."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from snapseek.errors import InputError
from snapseek.sources.fields.custom_columns import CustomColumns
from snapseek.sources.fields.record_fields import CAPTIONS, metadata_in
from snapseek.sources.http.fetch_limits import FetchLimits
from snapseek.sources.http.url_policy import MAX_URL, checked_url
from snapseek.sources.picture import Picture, storable
from snapseek.sources.row_reader import Row, open_parquet, plain_columns, read_rows
from snapseek.sources.source import changed, matched

KIND = "urls"
URL_NAMES = ("url", "uri", "image_url", "img_url", "imageurl", "image_link", "link", "image", "img", "src")
_URL = re.compile(r"\s*https?://", re.IGNORECASE)

Fetch = Callable[[Iterable[Picture], FetchLimits], Iterator[Picture]]


class UrlList:
    """The pictures that a list names, fetched when they are read."""

    kind = KIND

    def __init__(self, place: Path, limits: FetchLimits | None = None, fetch: Fetch | None = None) -> None:
        """`limits` say how politely; `fetch` does it, `fetched` by default."""
        self.place = place
        self._limits = limits or FetchLimits()
        self._fetch = fetch
        self._url_name: str | None = None
        self._own = CustomColumns()

    def find(self) -> Iterator[Picture]:
        """Each url once, by itself as the key. Raises InputError when the list has no column with urls."""
        self._own = CustomColumns()
        self._url_name = None
        is_typed = self.place.suffix.lower() == ".parquet"
        for row in read_rows(self.place):
            if row.problem is not None:
                # A source that cannot be seen in full keeps what the library has of it.
                yield Picture(self.place, "." if row.is_gap else f"row {row.number}", problem=row.problem)
                continue
            if self._url_name is None:
                self._begin(row.values, is_typed=is_typed)
            if not is_typed:
                self._own.see(row.values)
            yield self._picture(row)

    def _begin(self, first: Mapping[str, Any], *, is_typed: bool) -> None:
        self._url_name = _url_name(first, self.place)
        caption = next((name for name in CAPTIONS if name in _lowered(first)), "")
        self._own = CustomColumns(self._url_name, _lowered(first).get(caption, ""))
        if is_typed:
            schema = open_parquet(self.place).schema_arrow
            self._own.declare(pa.schema([schema.field(name) for name in plain_columns(schema)]))

    def _picture(self, row: Row) -> Picture:
        url = row.values.get(self._url_name or "")
        if not isinstance(url, str) or not url.strip():
            return Picture(self.place, f"row {row.number}", problem=f"row {row.number} has no url")
        key = storable(url.strip()[: 2 * MAX_URL])
        try:
            address = checked_url(url, allow_private=self._limits.allow_private)
        except InputError as error:
            return Picture(self.place, key, problem=str(error))
        return Picture(self.place, key, address=address)

    def columns(self) -> pa.Schema:
        """As the protocol has it: all columns but the url and what every record has."""
        return self._own.schema()

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """As the protocol has it: fetched, many at once, in the order in which they arrive."""
        fetch = self._fetch or default_fetch()
        return fetch(self._with_rows(pictures), self._limits)

    def _with_rows(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        rows = ((row, self._picture(row)) for row in read_rows(self.place) if row.problem is None)
        for picture, found in matched(pictures, rows, lambda pair: pair[1].within):
            if found is None:
                yield changed(picture)
                continue
            row, offered = found
            facts = metadata_in(_lowered_values(row.values))
            columns = self._own.values(row.values)
            yield replace(
                picture, address=offered.address, problem=offered.problem, metadata=facts, columns=columns
            )


def default_fetch() -> Fetch:
    """What fetches. Raises InputError when nothing is installed that can."""
    try:
        from snapseek.sources.http.prefetch import fetched
    except ImportError as error:
        raise InputError(
            expected="aiohttp, which fetches pictures",
            got="none",
            hint='install it: pip install "snapseek[fetch]"',
        ) from error
    return fetched


def _lowered(values: Mapping[str, Any]) -> dict[str, str]:
    """The names of columns by their lower case."""
    return {name.lower(): name for name in reversed(list(values)) if isinstance(name, str)}


def _lowered_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[column] for name, column in _lowered(values).items()}


def _url_name(first: Mapping[str, Any], place: Path) -> str:
    """The column with urls: by its name, or by what the first row has in it."""
    names = _lowered(first)
    found = next((names[name] for name in URL_NAMES if name in names), None)
    if found is None:
        texts = ((name, value) for name, value in first.items() if isinstance(value, str))
        found = next((name for name, value in texts if _URL.match(value)), None)
    if found is None:
        listed = ", ".join(map(str, first)) or "none"
        raise InputError(expected=f"a column with urls, such as url, in {place}", got=f"{listed:.200}")
    return found
