"""A durable queue of previews that are not in a shard yet, and of the failures of others."""

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
from snapseek.library.storage.new_database import create_database, prove_ours, remove_database
from snapseek.library.storage.schema import MIN_ID
from snapseek.library.storage.sqlite_connection import as_library_error, connect

FILE_NAME = "previews.db"
APPLICATION_ID = 0x534E5056
""""SNPV": the application id in the header of a `previews.db`."""

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
    """The preview, colour and size of a picture, or the reason why there are none."""

    item: int
    preview: bytes | None = None
    color: str | None = None
    width: int | None = None
    height: int | None = None
    reason: str | None = None


class PreviewQueue:
    """An open `previews.db` of a library. Only the writer of the library may write it.

    Raises
    ------
    StorageError
        If the disk refuses.
    FormatError
        If the file is damaged or not ours.
    """

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        self._path = directory / FILE_NAME
        self._hint = f"remove {self._path} and run: snapseek previews"
        self._check = Checker(self._path, self._hint)
        self._is_read_only = read_only
        self._uncommitted = 0
        self._applied: list[int] = []
        self._committed_s = time.monotonic()
        self._status = self._create_or_check()
        uri = self._path.absolute().as_uri() + ("?mode=ro" if read_only else "?mode=rw")
        with self._library_errors():
            self._connection = connect(uri)
            try:
                if not read_only:
                    self._connection.execute("PRAGMA journal_mode = WAL")
                    self._connection.execute("PRAGMA synchronous = NORMAL")
                    self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def _library_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise as_library_error(error, self._path, self._hint) from error

    def _create_or_check(self) -> os.stat_result:
        """Create the file, or check that it is ours. Return its status on the disk."""
        try:
            if not self._is_read_only and not os.path.lexists(self._path):
                create_database(self._path, (_SCHEMA,), APPLICATION_ID)
            prove_ours(self._path, APPLICATION_ID, _has_our_table, writing=not self._is_read_only)
            return self._path.lstat()
        except FormatError as error:
            raise FormatError(
                expected=f"the unfinished previews of this library in {self._path}",
                got="another file, which is left as it is",
                hint=f"move it away, or {self._hint}",
            ) from error
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(f"cannot write {self._path}: {error.strerror}") from error

    @staticmethod
    def exists(directory: Path) -> bool:
        """Return whether a library has a queue."""
        return (directory / FILE_NAME).is_file()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            self.commit()
            with self._library_errors():
                (count,) = self._connection.execute("SELECT count(*) FROM made").fetchone()
        finally:
            self._connection.close()
        if count == 0 and not self._is_read_only:
            remove_database(self._path, self._status)

    def add(self, preview: PendingPreview) -> None:
        """Add a preview or a failure, and commit from time to time. Raises StorageError or FormatError."""
        with self._library_errors():
            if self._uncommitted == 0:
                self._connection.execute("BEGIN")
            row = (
                preview.item,
                preview.preview,
                preview.color,
                preview.width,
                preview.height,
                preview.reason,
            )
            self._connection.execute("INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?, ?, ?)", row)
        self._uncommitted += 1
        if self._uncommitted >= _COMMIT_ROWS or time.monotonic() - self._committed_s >= _COMMIT_S:
            self.commit()

    def commit(self) -> None:
        """Commit what was added. Raises StorageError."""
        with self._library_errors():
            if self._uncommitted:
                self._connection.execute("COMMIT")
        self._uncommitted = 0
        self._committed_s = time.monotonic()

    def state_of(self, items: Sequence[int]) -> dict[int, bool]:
        """Return for each queued id whether it has a preview; other ids are left out."""
        return {item: preview is not None for item, preview, *_ in self._rows(items)}

    def failures(self) -> dict[int, str]:
        """Return why pictures have no preview, by id."""
        query = "SELECT item, reason FROM made WHERE reason IS NOT NULL ORDER BY item"
        with self._library_errors():
            rows = self._connection.execute(query).fetchall()
        check = self._check
        return {check.whole(item, "an id", MIN_ID): check.text(reason, "a reason") for item, reason in rows}

    def remove_failures(self) -> None:
        """Remove the failures, so that these pictures are tried again."""
        with self._library_errors():
            self._connection.execute("DELETE FROM made WHERE reason IS NOT NULL")

    def remove_applied(self) -> None:
        """Remove the previews that `applied` added to records; call it after these are committed."""
        rows = [(item,) for item in self._applied]
        try:
            with self._library_errors():
                self._connection.execute("BEGIN")
                self._connection.executemany("DELETE FROM made WHERE item = ? AND reason IS NULL", rows)
                self._connection.execute("COMMIT")
        except StorageError:  # a full disk: they stay in the queue, and are applied again
            self._connection.rollback()
        self._applied.clear()

    def applied(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """Return the records with their queued previews, colours and sizes."""
        items: list[int] = np.asarray(records.column("id")).tolist()
        found = {item: values for item, *values, reason in self._rows(items) if reason is None}
        if not found:
            return records
        self._applied += found
        columns = list(records.columns)
        for position, name in enumerate(("preview", "color", "width", "height")):
            index = records.schema.get_field_index(name)
            values = records.column(index).to_pylist()
            updated = [
                found[item][position] if item in found else value
                for item, value in zip(items, values, strict=True)
            ]
            columns[index] = pa.array(updated, records.schema.field(index).type)
        return pa.RecordBatch.from_arrays(columns, schema=records.schema)

    def _rows(self, items: Sequence[int]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(items), _PAGE):
            page = items[start : start + _PAGE]
            marks = ",".join("?" * len(page))
            query = f"SELECT item, preview, color, width, height, reason FROM made WHERE item IN ({marks})"  # noqa: S608
            with self._library_errors():
                found += map(self._checked, self._connection.execute(query, page))
        return found

    def _checked(self, row: tuple[object, ...]) -> tuple[Any, ...]:
        """Return a row after checking the types and bounds of its values."""
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
    """Return whether this is a `previews.db` of a version that gave it no application id."""
    found = connection.execute("SELECT group_concat(name) FROM pragma_table_info('made')").fetchone()
    return bool(found == ("item,preview,color,width,height,reason",))
