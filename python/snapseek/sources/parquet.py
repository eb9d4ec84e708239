"""Pictures inside parquet: a column of bytes as of img2dataset, or of `{bytes, path}` as of Hugging Face."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snapseek.errors import InputError
from snapseek.sources.archive_uri import PARQUET, member_uri
from snapseek.sources.fields.custom_columns import CustomColumns
from snapseek.sources.fields.record_fields import CAPTIONS, metadata_in
from snapseek.sources.picture import Picture
from snapseek.sources.row_reader import first_line, open_parquet, plain_columns, rows_in
from snapseek.sources.source import changed, matched

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
_BATCH_ROWS = 32  # pictures in memory at a time
_ALSO_URL = "url"


class ParquetImages:
    """The pictures in one table, or in all tables of a folder."""

    kind = KIND

    def __init__(self, place: Path) -> None:
        """`place` is looked at when it is asked for something."""
        self.place = place
        self._own = CustomColumns()

    def find(self) -> Iterator[Picture]:
        """Each row by its table and its number, from 0. Raises InputError for tables without pictures."""
        self._own = CustomColumns()
        for path in tables(self.place):
            try:
                table = _Table.open(path)
            except InputError as error:
                yield Picture(self.place, self._key(path, None), problem=str(error))
                continue
            self._declare(table)
            modified_ns = path.stat().st_mtime_ns
            for row in range(table.rows):
                yield Picture(
                    self.place,
                    self._key(path, row),
                    modified_ns=modified_ns,
                    address=member_uri(PARQUET, path, f"{table.column}/{row}"),
                )

    def _declare(self, table: "_Table") -> None:
        self._own.declare(pa.schema([field for field in table.own if field.name not in CAPTIONS]))

    def _key(self, path: Path, row: int | None) -> str:
        name = "" if path == self.place else path.name
        return "/".join(part for part in (name, "" if row is None else str(row)) if part) or path.name

    def columns(self) -> pa.Schema:
        """As the protocol has it: all columns without bytes, as they are in the table."""
        return self._own.schema()

    def read(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """As the protocol has it: with their bytes."""
        for picture, found in matched(pictures, self._rows(), lambda row: row[0]):
            if found is None:
                yield changed(picture)
                continue
            _, path, column, values = found
            row = picture.within.rpartition("/")[2]
            address = member_uri(PARQUET, path, f"{column}/{row}")
            yield self._filled(replace(picture, address=address), column, values)

    def _filled(self, picture: Picture, column: str, values: "dict[str, Any] | str") -> Picture:
        if isinstance(values, str):
            return replace(picture, problem=values)
        data, name = _content(values[column])
        if data is None:
            return replace(picture, problem=f"the row has no bytes in its column {column!r}")
        told = {key: value for key, value in values.items() if key != column}
        return replace(
            picture,
            data=data,
            label=name or _text(told.get("key")),
            metadata=metadata_in(told),
            columns=self._own.values(told),
        )

    def _rows(self) -> Iterator[tuple[str, Path, str, "dict[str, Any] | str"]]:
        """Each row: its key, its table, the column with the picture, and its values or why there are none."""
        for path in tables(self.place):
            try:
                table = _Table.open(path)
            except InputError:
                continue
            for number, values in enumerate(table.values()):
                yield self._key(path, number), path, table.column, values


def tables(place: Path) -> list[Path]:
    """The tables at a place, in order of name. Raises InputError when there is none."""
    found = sorted(place.rglob("*.parquet")) if place.is_dir() else [place]
    files = [path for path in found if path.is_file()]
    if not files:
        raise InputError(expected=f"a parquet file at {place}", got="none" if place.exists() else "nothing")
    return files


def has_pictures(path: Path) -> bool:
    """Whether a table has a column of pictures. Raises InputError when it is no table."""
    return _picture_column(open_parquet(path).schema_arrow) is not None


@dataclass(frozen=True)
class _Table:
    """A table with a column of pictures."""

    file: pq.ParquetFile
    column: str
    own: pa.Schema

    @classmethod
    def open(cls, path: Path) -> "_Table":
        """Raises InputError when it is no table or has no picture."""
        file = open_parquet(path)
        column = _picture_column(file.schema_arrow)
        if column is None:
            found = ", ".join(file.schema_arrow.names)
            raise InputError(
                expected="a column with the bytes of pictures, such as image", got=f"{found:.200}"
            )
        own = [file.schema_arrow.field(name) for name in plain_columns(file.schema_arrow) if name != column]
        return cls(file, column, pa.schema(own))

    @property
    def rows(self) -> int:
        return int(self.file.metadata.num_rows)

    def values(self) -> Iterator[dict[str, Any] | str]:
        """Each row, or why it cannot be read: damage costs a row group, never the table."""
        wanted = [self.column, *self.own.names]
        for group in range(self.file.num_row_groups):
            left = self.file.metadata.row_group(group).num_rows
            try:
                for batch in self.file.iter_batches(_BATCH_ROWS, [group], columns=wanted):
                    for values in rows_in(batch):
                        left -= 1
                        yield values
            except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
                yield from [f"the table cannot be read here: {first_line(error)}"] * left


def _picture_column(schema: pa.Schema) -> str | None:
    """The column with pictures: `{bytes, path}` under any name, or bytes under a usual one."""
    for field in schema:
        if pa.types.is_struct(field.type) and any(
            field.type.field(place).name == "bytes" and _is_bytes(field.type.field(place).type)
            for place in range(field.type.num_fields)
        ):
            return field.name
    names = {field.name.lower(): field.name for field in reversed(list(schema)) if _is_bytes(field.type)}
    return next((names[name] for name in _BYTES_NAMES if name in names), None)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _content(value: Any) -> tuple[bytes | None, str | None]:
    """The bytes, and the name that Hugging Face keeps beside them."""
    data = value.get("bytes") if isinstance(value, dict) else value
    name = value.get("path") if isinstance(value, dict) else None
    return (data or None) if isinstance(data, bytes) else None, _text(name)


def _text(value: Any) -> str | None:
    return Path(value).name or None if isinstance(value, str) and len(value) < 1000 else None
