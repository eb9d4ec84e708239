"""Write the database of a library directly, as no product code does."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snapseek.library.storage.database import Database
from snapseek.library.storage.file_table import FileRow
from snapseek.library.storage.schema import FOLDER


@contextmanager
def one_commit(directory: Path) -> Iterator[Database]:
    """Commit everything that is written in the block; create the library if it is missing."""
    with Database.open_for_writing(directory) as database, database.transaction():
        yield database


def add_file(database: Database, row: FileRow) -> None:
    """Add or replace the row of a file of an indexed folder."""
    database.connection.execute(
        "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            database.sources.get_or_create(FOLDER, row.folder).number,
            os.fsencode(row.within),
            row.size_bytes,
            row.modified_ns,
            row.content,
            row.item,
            row.reason,
            row.is_removed,
        ),
    )


def clear_files(database: Database) -> None:
    """Remove the rows of all files."""
    database.connection.execute("DELETE FROM files")
