"""The settings of a library: format, name, model, fingerprint, dim, created, version, next_id."""

import sqlite3
from collections.abc import Mapping

from snapseek.library.storage.checked_values import Checker

_MAX_SETTINGS = 64
"""Eight are known; later versions may add some."""


class SettingsTable:
    """The table `settings`: texts by name."""

    def __init__(self, connection: sqlite3.Connection, check: Checker) -> None:
        self._connection = connection
        self._check = check

    def all(self) -> dict[str, str]:
        """Return all settings. Raises FormatError for an invalid one."""
        rows = self._connection.execute("SELECT name, value FROM settings")
        return self._check.settings(dict(self._check.at_most(_MAX_SETTINGS, "settings", rows)))

    def update(self, values: Mapping[str, str]) -> None:
        """Store settings; others stay as they are."""
        self._connection.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", values.items())

    def format(self) -> str:
        """Return the number of the format, a decimal. Raises FormatError for anything else."""
        row = self._connection.execute("SELECT value FROM settings WHERE name = 'format'").fetchone()
        found = "0" if row is None else row[0]
        if type(found) is not str or not found.isdecimal():
            self._check.fail("the number of a format", found)
        return found
