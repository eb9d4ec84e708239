"""Captions and custom columns in a table next to the pictures, as Hugging Face's imagefolder has it.

`metadata.csv`, `metadata.jsonl` or `metadata.parquet` in a folder describes the pictures in that folder and
below it: its column `file_name` is the path of a picture relative to the table. The table that is nearest to
a picture counts, and counts before sidecar files.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from snapseek.errors import InputError
from snapseek.file_kinds import is_picture_name
from snapseek.sources.fields.custom_columns import CustomColumns
from snapseek.sources.fields.record_fields import CAPTIONS, metadata_in
from snapseek.sources.fields.record_values import Losses
from snapseek.sources.folder import FolderSource
from snapseek.sources.picture import Picture, SidecarFile, row_stamp
from snapseek.sources.row_reader import Row, open_parquet, plain_columns, read_rows
from snapseek.sources.source import PlainFiles

_TABLES = ("metadata.csv", "metadata.tsv", "metadata.jsonl", "metadata.ndjson", "metadata.parquet")
_FILE_NAMES = ("file_name", "filename", "file", "image_path", "path", "image")
_MAX_ROWS = 2_000_000
"""Bounds the memory of all tables of a folder; further rows are left out with a note."""

_Values = dict[str, Any]


class FolderImages(FolderSource):
    """The pictures in a folder and the folders inside it, with what the tables next to them say."""

    def __init__(self, path: Path, exclude: Sequence[str] = ()) -> None:
        """Nothing is read yet."""
        super().__init__(path, exclude)
        self._begin_tables()

    def _begin_tables(self) -> None:
        self._custom = CustomColumns()
        self._losses = Losses()
        self._rows: dict[str, tuple[Path, _Values]] = {}
        self._notes: list[str] = []

    def find(self) -> Iterator[Picture]:
        """See `FolderSource.find`. The tables are read after the last picture."""
        pictures = super().find()
        self._begin_tables()
        return self.with_tables(pictures)

    def with_tables(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """Yield pictures of the folder, and then read the tables next to them."""
        folders: dict[str, None] = {}
        for picture in pictures:
            parent = picture.within.rpartition("/")[0]
            if parent not in folders:
                folders |= dict.fromkeys(_with_parents(parent))
            yield picture
        for folder in folders:
            self._read_table(folder)

    def row_stamps(self) -> Iterator[tuple[str, SidecarFile]]:
        """Yield the row of each picture of a table as a sidecar file, once `find` is exhausted."""
        for within, (table, values) in self._rows.items():
            yield within, row_stamp(table, values)

    def columns(self) -> pa.Schema:
        """Return the columns of the tables besides the names of files and metadata."""
        return self._custom.schema()

    def notes(self) -> tuple[str, ...]:
        """Return which tables could not be read, and which values changed or were lost."""
        return (*self._notes, *self._losses.notes())

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """Return the pictures with the metadata and the columns of their row; their bytes stay files."""
        for picture in pictures:
            _, values = self._rows.get(picture.within, (None, None))
            if values is None:
                yield picture
            else:
                metadata = metadata_in({name.lower(): value for name, value in values.items()})
                yield replace(picture, metadata=metadata, columns=self._custom.values(values))

    def _read_table(self, folder: str) -> None:
        root = self.path / folder
        table = next((root / name for name in _TABLES if (root / name).is_file()), None)
        if table is None:
            return
        try:
            self._add_rows(table, folder)
        except InputError as error:
            self._notes.append(f"{table.relative_to(self.path)} was skipped: {error}")

    def _add_rows(self, table: Path, folder: str) -> None:
        name: str | None = None
        for row in read_rows(table, self._losses):
            if row.problem is not None or len(self._rows) >= _MAX_ROWS:
                self._note_once(table, row.problem or f"it has more than {_MAX_ROWS} rows")
                continue
            if name is None:
                name = _name_column(row.values)
                self._declare(table, name)
            self._add_row(row, table, folder, name)

    def _declare(self, table: Path, name: str) -> None:
        if table.suffix == ".parquet":
            schema = open_parquet(table).schema_arrow
            kept = [column for column in plain_columns(schema) if column not in {name, *CAPTIONS}]
            self._custom.declare(pa.schema([schema.field(column) for column in kept]))

    def _add_row(self, row: Row, table: Path, folder: str, name: str) -> None:
        file = row.values.get(name)
        if not isinstance(file, str) or not file.strip():
            return
        values = {column: value for column, value in row.values.items() if column != name}
        if table.suffix != ".parquet":
            self._custom.observe({key: value for key, value in values.items() if key.lower() not in CAPTIONS})
        self._rows[_within(folder, file.strip())] = table, values

    def _note_once(self, table: Path, problem: str) -> None:
        note = f"{table.relative_to(self.path)}: {problem}"
        if len(self._notes) < len(_TABLES) * 2 and note not in self._notes:
            self._notes.append(note)


class FolderFiles(PlainFiles):
    """Single pictures of an indexed folder, with what the tables next to them say."""

    def __init__(self, kind: str, path: Path, pictures: Sequence[Picture]) -> None:
        """Nothing is read yet."""
        super().__init__(kind, path, lambda: pictures)
        self._folder = FolderImages(path)

    def find(self) -> Iterator[Picture]:
        """See `PictureSource.find`."""
        return self._folder.with_tables(super().find())

    def row_stamps(self) -> Iterator[tuple[str, SidecarFile]]:
        """See `FolderImages.row_stamps`."""
        return self._folder.row_stamps()

    def columns(self) -> pa.Schema:
        """See `FolderImages.columns`."""
        return self._folder.columns()

    def notes(self) -> tuple[str, ...]:
        """See `FolderImages.notes`."""
        return self._folder.notes()

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """See `FolderImages.read`."""
        return self._folder.read(pictures)


def _with_parents(folder: str) -> list[str]:
    """Return the folder and its parents, from the top."""
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:count]) for count in range(len(parts) + 1)]


def _within(folder: str, file: str) -> str:
    return os.path.normpath(f"{folder}/{file}" if folder else file).replace(os.sep, "/")


def _name_column(first: Mapping[str, Any]) -> str:
    """Return the column with the names of files. Raises InputError if there is none."""
    lowered = {name.lower(): name for name in first if isinstance(name, str)}
    found = next((lowered[name] for name in _FILE_NAMES if name in lowered), None)
    if found is None:
        texts = ((name, value) for name, value in first.items() if isinstance(value, str))
        found = next((name for name, value in texts if is_picture_name(Path(value))), None)
    if found is None:
        raise InputError(
            expected="a column file_name with the names of pictures", got=f"{', '.join(map(str, first)):.200}"
        )
    return found
