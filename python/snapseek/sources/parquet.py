"""Pictures in parquet tables: a column of bytes (img2dataset) or of `{bytes, path}` (Hugging Face)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from snapseek.errors import InputError
from snapseek.sources.archive_uri import PARQUET, member_uri
from snapseek.sources.fields.custom_columns import CustomColumns
from snapseek.sources.fields.record_fields import CAPTIONS, metadata_in
from snapseek.sources.fields.record_values import Losses
from snapseek.sources.parquet_batches import MAX_ROW_BYTES, bounded_batches
from snapseek.sources.picture import Picture
from snapseek.sources.row_reader import first_line, open_parquet, plain_columns, rows_in
from snapseek.sources.source import changed, matched

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

KIND = "parquet"

_BYTES_NAMES = (
    "image",
    "img",
    "picture",
    "photo",
    "jpg",
    "jpeg",
    "png",
    "webp",
    "image_bytes",
    "bytes",
    "content",
)
_BATCH_ROWS = 32
_TOO_LARGE = f"the row has more than {MAX_ROW_BYTES >> 20} MiB"
_ALSO_URL = "url"


class ParquetImages:
    """The pictures in one table, or in all tables of a folder."""

    kind = KIND

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self.path = path
        self._custom = CustomColumns()
        self._losses = Losses()
        self._names: dict[Path, str] = {}

    def find(self) -> Iterator[Picture]:
        """Yield one picture per row. The key is the table and the row number from 0.

        Raises InputError if there is no table.
        """
        self._custom = CustomColumns()
        self._names = _distinct_names(self.path)
        for path in tables(self.path):
            try:
                table = _Table.open(path)
            except InputError as error:
                yield Picture(self.path, self._key(path, None), problem=str(error))
                continue
            self._declare(table)
            modified_ns = path.stat().st_mtime_ns
            for row in range(table.rows):
                yield Picture(
                    self.path,
                    self._key(path, row),
                    modified_ns=modified_ns,
                    address=member_uri(PARQUET, path, f"{table.column}/{row}"),
                )

    def _declare(self, table: "_Table") -> None:
        self._custom.declare(pa.schema([field for field in table.custom if field.name not in CAPTIONS]))

    def _key(self, path: Path, row: int | None) -> str:
        name = "" if path == self.path else self._names.get(path, path.name)
        return "/".join(part for part in (name, "" if row is None else str(row)) if part) or path.name

    def columns(self) -> pa.Schema:
        """Return all columns that hold no bytes, with their types in the table."""
        return self._custom.schema()

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """Return the pictures with their bytes, metadata and custom columns."""
        self._losses = Losses()
        for picture, found in matched(pictures, self._rows(), lambda row: row[0]):
            if found is None:
                yield changed(picture)
                continue
            _, path, column, values = found
            row = picture.within.rpartition("/")[2]
            address = member_uri(PARQUET, path, f"{column}/{row}")
            yield self._filled(replace(picture, address=address), column, values)

    def notes(self) -> tuple[str, ...]:
        """Return which values changed or were lost."""
        return self._losses.notes()

    def _filled(self, picture: Picture, column: str, values: "dict[str, Any] | str") -> Picture:
        if isinstance(values, str):
            return replace(picture, problem=values)
        data, name = _content(values[column])
        if data is None:
            return replace(picture, problem=f"the row has no bytes in its column {column!r}")
        others = {key: value for key, value in values.items() if key != column}
        return replace(
            picture,
            data=data,
            label=name or _text(others.get("key")),
            metadata=metadata_in(others),
            columns=self._custom.values(others),
        )

    def _rows(self) -> Iterator[tuple[str, Path, str, "dict[str, Any] | str"]]:
        """Yield key, table, picture column, and the values or the problem of each row."""
        for path in tables(self.path):
            try:
                table = _Table.open(path)
            except InputError:
                continue
            for number, values in enumerate(table.values(self._losses, self._custom.declared)):
                yield self._key(path, number), path, table.column, values


def tables(path: Path) -> list[Path]:
    """Return the table at a path, or those of a folder by name. Raises InputError if there is none."""
    found = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    files = [file for file in found if file.is_file()]
    if not files:
        raise InputError(expected=f"a parquet file at {path}", got="none" if path.exists() else "nothing")
    return files


def _distinct_names(folder: Path) -> dict[Path, str]:
    """Return the name of each table below a folder, by its path; a name that was used before is a path."""
    names: dict[str, Path] = {}
    for path in tables(folder):
        first = names.setdefault(path.name, path)
        if first != path:
            names[path.relative_to(folder).as_posix()] = path
    return {path: name for name, path in names.items()}


def has_pictures(path: Path) -> bool:
    """Return whether a table has a column of pictures. Raises InputError if it is not a table."""
    return picture_column(open_parquet(path).schema_arrow) is not None


@dataclass(frozen=True)
class _Table:
    """A table with a column of pictures."""

    path: Path
    file: "ParquetFile"
    column: str
    custom: pa.Schema

    @classmethod
    def open(cls, path: Path) -> "_Table":
        """Open a table. Raises InputError if it is not a table or has no column of pictures."""
        file = open_parquet(path)
        column = picture_column(file.schema_arrow)
        if column is None:
            found = ", ".join(file.schema_arrow.names)
            raise InputError(
                expected="a column with the bytes of pictures, such as image", got=f"{found:.200}"
            )
        custom = [
            file.schema_arrow.field(name) for name in plain_columns(file.schema_arrow) if name != column
        ]
        return cls(path, file, column, pa.schema(custom))

    @property
    def rows(self) -> int:
        return int(self.file.metadata.num_rows)

    def values(self, losses: Losses, kinds: Mapping[str, pa.DataType]) -> Iterator[dict[str, Any] | str]:
        """Yield each row, or the reason why it cannot be read: damage is limited to its row group."""
        wanted = [self.column, *self.custom.names]
        for group in range(self.file.num_row_groups):
            unread = self.file.metadata.row_group(group).num_rows
            try:
                for batch in bounded_batches(self.path, group, wanted, _BATCH_ROWS):
                    rows: Iterable[dict[str, Any] | str] = (
                        [_TOO_LARGE] if batch is None else rows_in(batch, losses, kinds, pictures=self.column)
                    )
                    for values in rows:
                        unread -= 1
                        yield values
            except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
                yield from [f"the table cannot be read here: {first_line(error)}"] * unread


def picture_column(schema: pa.Schema) -> str | None:
    """Return the column with pictures: `{bytes, path}` of any name, or bytes of a common name."""
    structs: dict[str, Any] = {field.name: field.type for field in schema if _has_content(field.type)}
    usual = [name for name in structs if name.lower() in _BYTES_NAMES]
    paired = [name for name, kind in structs.items() if kind.get_field_index("path") >= 0]
    if usual or paired:
        return [*usual, *paired][0]
    names = {field.name.lower(): field.name for field in reversed(list(schema)) if _is_bytes(field.type)}
    return next((names[name] for name in _BYTES_NAMES if name in names), None)


def _has_content(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind):
        return False
    children = (kind.field(index) for index in range(kind.num_fields))
    return any(child.name == "bytes" and _is_bytes(child.type) for child in children)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _content(value: Any) -> tuple[bytes | None, str | None]:
    """Return the bytes, and the file name if the value is `{bytes, path}`."""
    data = value.get("bytes") if isinstance(value, dict) else value
    name = value.get("path") if isinstance(value, dict) else None
    return (data or None) if isinstance(data, bytes) else None, _text(name)


def _text(value: Any) -> str | None:
    return Path(value).name or None if isinstance(value, str) and len(value) < 1000 else None
