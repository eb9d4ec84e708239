"""Check values that come from a database before anything uses them.

SQLite keeps any type in any column once a file was changed by something else, so each value is checked when
it is read.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from snapseek.errors import FormatError
from snapseek.library.storage.relocation import NOT_MOVED

MAX_WHOLE = 2**63 - 1
MIN_TIME = -(2**63)
MAX_DIM = 4096
MAX_SETTING_CHARACTERS = 65_536
"""Longer than any path."""

_STEM = re.compile(r"[0-9a-f]{16}")
_VERSION = re.compile(r"[\w.-]{1,64}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{32}")
_DIGITS = re.compile(r"[0-9]{1,18}")
_NEEDED = ("name", "model", "dim", "created", "version")
"""Settings of a library that holds something, which is one with a fingerprint."""


class Checker:
    """Checks the values of one database; each method returns the value or raises FormatError."""

    def __init__(self, path: Path, hint: str) -> None:
        """Errors name the database `path` and have that `hint`."""
        self._path = path
        self._hint = hint
        self.relocation = NOT_MOVED
        """Translates the recorded paths of sources."""

    def fail(self, what: str, value: object) -> NoReturn:
        """Raise FormatError: expected `what`, got `value`."""
        raise FormatError(
            f"{self._path} is damaged: expected {what}, got {_excerpt(value)}",
            expected=what,
            got=_excerpt(value),
            hint=self._hint,
        )

    def at_most(self, limit: int, what: str, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, and raise FormatError at the first beyond `limit`."""
        for number, row in enumerate(rows):
            if number == limit:
                self.fail(f"at most {limit} {what}", limit + 1)
            yield row

    def whole(self, value: object, what: str, low: int = 0, high: int = MAX_WHOLE) -> int:
        """Return a whole number within bounds."""
        if type(value) is not int or not low <= value <= high:
            self.fail(f"a whole number from {low} to {high} as {what}", value)
        return value

    def whole_or_none(self, value: object, what: str, low: int = 0, high: int = MAX_WHOLE) -> int | None:
        """Return a whole number within bounds, or None."""
        return None if value is None else self.whole(value, what, low, high)

    def text(self, value: object, what: str) -> str:
        """Return a text."""
        if type(value) is not str:
            self.fail(f"a text as {what}", value)
        return value

    def text_or_none(self, value: object, what: str) -> str | None:
        """Return a text, or None."""
        return None if value is None else self.text(value, what)

    def data_or_none(self, value: object, what: str) -> bytes | None:
        """Return bytes, or None."""
        if value is not None and type(value) is not bytes:
            self.fail(f"bytes as {what}", value)
        return value

    def stem(self, value: object) -> str:
        """Return the name of a shard, which is never a path."""
        if type(value) is not str or not _STEM.fullmatch(value):
            self.fail("16 hexadecimal digits as the name of a shard", value)
        return value

    def key(self, value: object, what: str) -> str:
        """Return the key of a picture in its source: a path, a URL as its list has it, or a row."""
        if type(value) is not bytes or not value:
            self.fail(f"bytes as {what}", value)
        return os.fsdecode(value)

    def name(self, value: object, what: str) -> str:
        """Return the name of a file or folder that was stored as bytes."""
        if type(value) is not bytes or not value or b"\0" in value:
            self.fail(f"the bytes of a path as {what}", value)
        return os.fsdecode(value)

    def path(self, value: object) -> Path:
        """Return the path of a source, where it is now."""
        return self.relocation.path(self.recorded_path(value))

    def recorded_path(self, value: object) -> Path:
        """Return the path of a source as it was recorded."""
        path = Path(self.name(value, "the path of a source"))
        if ".." in path.parts:
            self.fail("a path without .. as the path of a source", value)
        return path

    def name_within(self, value: object, what: str) -> str:
        """Return the name of a file below a folder."""
        name = self.name(value, what)
        if name.startswith("/") or (".." in name and ".." in name.split("/")):
            self.fail(f"a path below a folder as {what}", value)
        return name

    def settings(self, found: Mapping[object, object]) -> dict[str, str]:
        """Return the settings of a library."""
        settings = {
            self.text(name, "a setting"): self.text(value, str(name)) for name, value in found.items()
        }
        if too_long := [text for text in settings.values() if len(text) > MAX_SETTING_CHARACTERS]:
            self.fail(f"a setting of at most {MAX_SETTING_CHARACTERS} characters", too_long[0])
        for name, high in (("dim", MAX_DIM), ("next_id", MAX_WHOLE)):
            value = settings.get(name)
            if value is not None and not (_DIGITS.fullmatch(value) and 1 <= int(value) <= high):
                self.fail(f"a whole number from 1 to {high} as {name}", value)
        if "id" in settings and not _ID.fullmatch(settings["id"]):  # names a file of the configuration
            self.fail("32 hexadecimal digits as id", settings["id"])
        if "fingerprint" in settings:
            missing = [name for name in _NEEDED if name not in settings]
            if missing:
                self.fail(f"the settings {', '.join(_NEEDED)}", f"none of {', '.join(missing)}")
            if not _VERSION.fullmatch(settings["version"]):
                self.fail("letters and digits as version", settings["version"])
        return settings


def _excerpt(value: object) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 100 else f"{shown[:100]}…"
