"""Previews that were made and are not in a shard yet, and why others could not be made: safe at any stop."""

import os
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from snapseek.errors import FormatError, StorageError
from snapseek.images import MAX_PREVIEW_BYTES
from snapseek.library.storage.checked_values import Checker
from snapseek.library.storage.database import MIN_ID, harden, translated
from snapseek.library.storage.new_database import create_database, prove_ours, remove_database

FILE_NAME = "previews.db"
APPLICATION_ID = 0x534E5056
""""SNPV": what the header of a `previews.db` says that it is."""

_COMMIT_ROWS = 256
_COMMIT_S = 1.0
_PAGE = 500
_COLOR = re.compile(r"#[0-9a-f]{6}")
_MAX_SIDE_PX = 2**31 - 1
_SCHEMA = """
CREATE TABLE made (
    item INTEGER PRIMARY KEY,
    preview BLOB,
    color TEXT,
    width INTEGER,
    height INTEGER,
    reason TEXT,
    CHECK ((preview IS NULL) <> (reason IS NULL))
) STRICT
"""


@dataclass(frozen=True)
class PendingPreview:
    """What became of a picture: its preview, colour and size, or the reason why there are none."""

    item: int
    preview: bytes | None = None
    color: str | None = None
    width: int | None = None
    height: int | None = None
    reason: str | None = None


class PreviewQueue:
    """An open `previews.db` of a library. Only the writer of the library may write one."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        """Raises StorageError when the disk refuses or the file is another program's, FormatError when it is
        damaged."""
        self._path = directory / FILE_NAME
        self._mend = f"remove {self._path} and run: snapseek previews"
        self._check = Checker(self._path, self._mend)
        self._is_read_only = read_only
        self._since = 0
        self._applied: list[int] = []
        self._committed_s = time.monotonic()
        self._opened = self._prepare()
        uri = self._path.absolute().as_uri() + ("?mode=ro" if read_only else "?mode=rw")
        with self._translating():
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None)
            try:
                harden(self._connection)
                if not read_only:
                    self._connection.execute("PRAGMA journal_mode = WAL")
                    self._connection.execute("PRAGMA synchronous = NORMAL")
                    self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise translated(error, self._path, self._mend) from error

    def _prepare(self) -> os.stat_result:
        """Let the file be there and be ours; what it is on the disk."""
        try:
            if not self._is_read_only and not os.path.lexists(self._path):
                create_database(self._path, (_SCHEMA,), APPLICATION_ID)
            prove_ours(self._path, APPLICATION_ID, _has_our_table, writing=not self._is_read_only)
            return self._path.lstat()
        except FormatError as error:
            raise FormatError(
                f"expected the unfinished previews of this library in {self._path}, found another file, and "
                f"left it as it is; move it away, or {self._mend}"
            ) from error
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(f"cannot write {self._path}: {error.strerror}") from error

    @staticmethod
    def is_there(directory: Path) -> bool:
        """Whether anything was noted for a library."""
        return (directory / FILE_NAME).is_file()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            self.commit()
            with self._translating():
                (count,) = self._connection.execute("SELECT count(*) FROM made").fetchone()
        finally:
            self._connection.close()
        if count == 0 and not self._is_read_only:
            remove_database(self._path, self._opened)

    def add(self, made: PendingPreview) -> None:
        """Note one, and make what was noted safe now and then. Raises StorageError or FormatError."""
        with self._translating():
            if self._since == 0:
                self._connection.execute("BEGIN")
            row = (made.item, made.preview, made.color, made.width, made.height, made.reason)
            self._connection.execute("INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?, ?, ?)", row)
        self._since += 1
        if self._since >= _COMMIT_ROWS or time.monotonic() - self._committed_s >= _COMMIT_S:
            self.commit()

    def commit(self) -> None:
        """Make what was noted safe. Raises StorageError."""
        with self._translating():
            if self._since:
                self._connection.execute("COMMIT")
        self._since = 0
        self._committed_s = time.monotonic()

    def state_of(self, items: Sequence[int]) -> dict[int, bool]:
        """Of those that are noted, whether a preview was made."""
        return {item: preview is not None for item, preview, *_ in self._rows(items)}

    def failures(self) -> dict[int, str]:
        """Why pictures have no preview, by id."""
        query = "SELECT item, reason FROM made WHERE reason IS NOT NULL ORDER BY item"
        with self._translating():
            rows = self._connection.execute(query).fetchall()
        check = self._check
        return {check.whole(item, "an id", MIN_ID): check.text(reason, "a reason") for item, reason in rows}

    def forget_failures(self) -> None:
        """Let those that failed be tried again."""
        with self._translating():
            self._connection.execute("DELETE FROM made WHERE reason IS NOT NULL")

    def forget_applied(self) -> None:
        """Let go of the previews that `applied` has put into records, which are safe now."""
        rows = [(item,) for item in self._applied]
        try:
            with self._translating():
                self._connection.execute("BEGIN")
                self._connection.executemany("DELETE FROM made WHERE item = ? AND reason IS NULL", rows)
                self._connection.execute("COMMIT")
        except StorageError:  # a full disk: they are in the records, and noted twice until later
            self._connection.rollback()
        self._applied.clear()

    def applied(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """The records with the previews, colours and sizes that were made for them."""
        items: list[int] = np.asarray(records.column("id")).tolist()
        found = {item: facts for item, *facts, reason in self._rows(items) if reason is None}
        if not found:
            return records
        self._applied += found
        columns = list(records.columns)
        for place, name in enumerate(("preview", "color", "width", "height")):
            index = records.schema.get_field_index(name)
            values = records.column(index).to_pylist()
            told = [
                found[item][place] if item in found else value
                for item, value in zip(items, values, strict=True)
            ]
            columns[index] = pa.array(told, records.schema.field(index).type)
        return pa.RecordBatch.from_arrays(columns, schema=records.schema)

    def _rows(self, items: Sequence[int]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(items), _PAGE):
            some = items[start : start + _PAGE]
            marks = ",".join("?" * len(some))
            query = f"SELECT item, preview, color, width, height, reason FROM made WHERE item IN ({marks})"  # noqa: S608
            with self._translating():
                found += map(self._checked, self._connection.execute(query, some))
        return found

    def _checked(self, row: tuple[object, ...]) -> tuple[Any, ...]:
        """Return a row with values of the types and bounds that `Made` has."""
        _, preview, color, width, height, reason = row
        check = self._check
        if (preview is None) == (reason is None):
            check.fail("either a preview or a reason", reason)
        if (
            preview is not None
            and not 0 < len(check.data_or_none(preview, "a preview") or b"") <= MAX_PREVIEW_BYTES
        ):
            check.fail(f"a preview of at most {MAX_PREVIEW_BYTES} bytes", preview)
        if preview is not None and not _COLOR.fullmatch(check.text(color, "a colour")):
            check.fail("a colour such as #a0b1c2", color)
        sides = [
            check.whole_or_none(side, "the side of a picture", high=_MAX_SIDE_PX) for side in (width, height)
        ]
        if preview is not None and None in sides:
            check.fail("the sides of a picture", None)
        check.text_or_none(reason, "a reason")
        return row


def _has_our_table(connection: sqlite3.Connection) -> bool:
    """Whether this is a `previews.db` of a version that gave it no application id."""
    found = connection.execute("SELECT group_concat(name) FROM pragma_table_info('made')").fetchone()
    return bool(found == ("item,preview,color,width,height,reason",))
