"""Pictures and tables in memory become files of a library, which the indexing reads like any other source.

| in memory | file in `tables/` | read as |
|---|---|---|
| PIL pictures | pictures.parquet: PNG bytes, EXIF, and the position in the list | a table with pictures |
| a table with a column of pictures | picture_table.parquet | a table with pictures |
| a table with a column of addresses or paths | addresses.parquet | a list |
| a table with a column of vectors | vectors/: npy and parquet | vectors to import |
"""

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image, ImageOps

from snapseek.atomic_file import atomic_file
from snapseek.errors import InputError, StorageError
from snapseek.images.color_modes import to_rgb
from snapseek.library.storage.library_directory import check_writable, make_directory
from snapseek.library.storage.owned_files import check_directory
from snapseek.library.storage.schema import MEMORY_TABLES
from snapseek.sources.parquet import picture_column
from snapseek.sources.picture import content_hash
from snapseek.sources.urls import address_column

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetWriter

VECTOR_NAMES = (
    *("vector", "vectors", "embedding", "embeddings", "emb", "img_emb", "image_embedding"),
    *("image_embeddings", "clip_embedding", "features"),
)
"""Usual names of a column of vectors, in lower case."""

_MARK = b"snapseek"
_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_PICTURES = pa.schema([("image", _PICTURE), ("position", pa.int64())])
_GROUP_ROWS = 16
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


@dataclass(frozen=True)
class Table:
    """A table whose rows are pictures: with their bytes, or with their addresses or paths."""

    columns: pa.Table
    name: str

    def write(self, library: Path) -> Path:
        """Write it into the library. Raises StorageError."""
        with _folder(library) as folder:
            path = folder / self.name
            with _parquet_file(path, self.columns.schema) as writer:
                writer.write_table(self.columns)
        return path


@dataclass(frozen=True)
class VectorTable(Table):
    """A table of vectors, (n, dim), with the metadata of their pictures."""

    vectors: NDArray[np.floating[Any]]

    def write(self, library: Path) -> Path:
        """Write vectors and metadata into a folder of the library. Raises StorageError."""
        with _folder(library) as tables:
            folder = tables / self.name
            table = folder / "metadata_0.parquet"
            with _writing(folder):
                folder.mkdir(exist_ok=True)
                check_directory(folder)
                vectors = folder / "table_emb_0.npy"
                with atomic_file(vectors, may_replace=lambda _: _is_ours(table)) as file:
                    np.lib.format.write_array(file, self.vectors, allow_pickle=False)
            with _parquet_file(table, self.columns.schema) as writer:
                writer.write_table(self.columns)
        return folder


def as_table(items: object) -> Table | None:
    """Return what a DataFrame or an Arrow table holds; None for anything else.

    Raises InputError for a table without a column of vectors, pictures, addresses or paths.
    """
    columns = _arrow_table(items)
    if columns is None:
        return None
    if len(set(columns.column_names)) < columns.num_columns:
        raise InputError(expected="columns with distinct names", got=f"{columns.column_names!r:.200}")
    if not columns.num_rows:
        raise InputError(expected="a table with rows", got="an empty table")
    if (name := _vector_column(columns.schema)) is not None:
        return VectorTable(_with_uris(columns, name), "vectors", _vectors(columns, name))
    if picture_column(columns.schema) is not None:
        return Table(columns, "picture_table.parquet")
    return Table(_with_absolute_paths(columns), "addresses.parquet")


def write_pictures(pictures: Iterable[Image.Image], library: Path) -> Path:
    """Write PIL pictures into the library, in their order, and return the table.

    A picture that cannot be read has no bytes there, so that the indexing reports it.
    """
    with _folder(library) as folder, _parquet_file(folder / "pictures.parquet", _PICTURES) as writer:
        rows = enumerate(pictures)
        while group := list(islice(rows, _GROUP_ROWS)):
            contents = [{"bytes": _png(picture), "path": f"{position}.png"} for position, picture in group]
            positions = [position for position, _ in group]
            writer.write_table(pa.table([pa.array(contents, _PICTURE), positions], schema=_PICTURES))
    return folder / "pictures.parquet"


def _png(picture: Image.Image) -> bytes | None:
    stream = io.BytesIO()
    try:
        upright = ImageOps.exif_transpose(picture)
        if upright.mode not in _PNG_MODES:
            upright = to_rgb(upright)
        upright.save(stream, "PNG", exif=picture_exif(upright), compress_level=1)
    except Exception:  # PIL decodes lazily, and its plugins raise errors of every kind
        return None
    return stream.getvalue()


def picture_exif(picture: Image.Image) -> bytes:
    """Return the EXIF data of a picture, which has its date and location; empty if there is none."""
    with suppress(Exception):  # damaged EXIF data costs the metadata, not the picture
        return picture.getexif().tobytes()
    return b""


def _arrow_table(items: Any) -> pa.Table | None:
    """Return a table of Arrow, pandas, or of another library with Arrow's C interface; None for the rest."""
    try:
        if isinstance(items, pa.Table):
            return items
        if isinstance(items, pa.RecordBatch):
            return pa.Table.from_batches([items])
        if type(items).__module__.partition(".")[0] == "pandas" and hasattr(items, "columns"):
            return pa.Table.from_pandas(_plain_frame(items), preserve_index=False).replace_schema_metadata()
        if hasattr(items, "__arrow_c_stream__"):
            return pa.table(items)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(f"the table cannot be read: {error}") from error
    return None


def _plain_frame(frame: Any) -> Any:
    """Return a DataFrame with text for paths, and bytes for PIL pictures."""
    changed = {}
    for name in frame.columns:
        first = next((value for value in frame[name] if value is not None), None)
        if isinstance(first, os.PathLike):
            changed[name] = [
                os.fspath(value) if isinstance(value, os.PathLike) else value for value in frame[name]
            ]
        elif isinstance(first, Image.Image):
            changed[name] = [
                {"bytes": _png(value), "path": f"{position}.png"} if isinstance(value, Image.Image) else None
                for position, value in enumerate(frame[name])
            ]
    return frame.assign(**changed) if changed else frame


def _vector_column(schema: pa.Schema) -> str | None:
    """Return the column of vectors: of a usual name, or the only one if nothing else says what a row is."""
    found = [field.name for field in schema if _is_vector(field.type)]
    usual = [name for name in found if name.lower() in VECTOR_NAMES]
    if usual:
        return usual[0]
    texts = any(pa.types.is_string(field.type) or pa.types.is_large_string(field.type) for field in schema)
    is_only = len(found) == 1 and not texts and picture_column(schema) is None
    return found[0] if is_only else None


def _is_vector(kind: pa.DataType) -> bool:
    types = pa.types
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return is_list and types.is_floating(cast("Any", kind).value_type)


def _vectors(columns: pa.Table, name: str) -> NDArray[np.floating[Any]]:
    """Return a column of vectors as (n, dim). Raises InputError unless all have one length."""
    column: Any = columns.column(name)
    if column.null_count:
        row = column.is_null().to_numpy().argmax()
        raise InputError(expected=f"a vector in each row of column {name!r}", got=f"none in row {row}")
    parts: list[NDArray[np.floating[Any]]] = []
    for chunk in column.chunks:
        values = chunk.flatten()
        dim, remainder = divmod(len(values), len(chunk)) if len(chunk) else (0, 0)
        lengths = np.unique(chunk.value_lengths().to_numpy(zero_copy_only=False)) if len(chunk) else ()
        if (
            remainder
            or len(lengths) > 1
            or values.null_count
            or (parts and parts[0].shape[1] != dim and len(chunk))
        ):
            raise InputError(
                expected=f"vectors of one length in column {name!r}",
                got=f"lengths {', '.join(map(str, lengths[:5]))}" if len(lengths) > 1 else "missing numbers",
            )
        if len(chunk):
            parts.append(values.to_numpy(zero_copy_only=False).reshape(len(chunk), dim))
    return np.concatenate(parts)


def _with_absolute_paths(columns: pa.Table) -> pa.Table:
    """Return the table with absolute paths, as relative ones are those of the working directory."""
    name = address_column(columns.slice(0, 1).to_pylist()[0], "the table")
    values = [_absolute(value) for value in columns.column(name).to_pylist()]
    index = columns.column_names.index(name)
    return columns.set_column(index, name, pa.array(values, pa.string()))


def _with_uris(table: pa.Table, vectors: str) -> pa.Table:
    """Return the metadata of vectors with its addresses or paths as URIs in a column `url`."""
    columns = table.drop_columns([vectors])
    if not columns.num_columns:
        return pa.table({"position": np.arange(table.num_rows)})  # a file needs a column to count its rows
    if "url" in columns.column_names:
        return columns
    try:
        name = address_column(columns.slice(0, 1).to_pylist()[0], "the table")
    except InputError:  # vectors without addresses can be searched, too
        return columns
    paths = (_absolute(value) for value in columns.column(name).to_pylist())
    uris = [path if path is None or "://" in path else Path(path).as_uri() for path in paths]
    return columns.append_column("url", pa.array(uris, pa.string()))


def _absolute(value: object) -> str | None:
    if not isinstance(value, str) or not value.strip() or "://" in value:
        return value if isinstance(value, str) else None
    return os.path.abspath(os.path.expanduser(value.strip()))  # noqa: PTH100, PTH111  (`..` of links stays)


@contextmanager
def _folder(library: Path) -> Iterator[Path]:
    """Make the folder of tables, also that of a library that is yet to be made.

    What is new and empty is removed again if the block raises.
    """
    check_writable(library)
    is_new = make_directory(library)
    folder = library / MEMORY_TABLES
    with _writing(folder):
        folder.mkdir(exist_ok=True)
    check_directory(folder)
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
            if is_new:
                library.rmdir()
        raise


@contextmanager
def _parquet_file(path: Path, schema: pa.Schema) -> Iterator["ParquetWriter"]:
    """Open a table that replaces the one before when it is complete. A file that is not ours stays.

    A table like the one before gets its time, so that its pictures count as unchanged.
    """
    import pyarrow.parquet as pq  # here, because it takes 10 ms to import

    marked = schema.with_metadata({**(schema.metadata or {}), _MARK: b"1"})
    with _writing(path):
        before = (content_hash(path), path.stat().st_mtime_ns) if path.is_file() else (None, 0)
        with atomic_file(path, may_replace=_is_ours) as file:
            stream: BinaryIO = file
            with pq.ParquetWriter(cast("Any", stream), marked) as writer:  # stubs want a path
                yield writer
        if before[0] is not None and before[0] == content_hash(path):
            os.utime(path, ns=(before[1], before[1]))


def _is_ours(path: Path) -> bool:
    """Return whether a file is a table that was written here."""
    import pyarrow.parquet as pq  # here, because it takes 10 ms to import

    with suppress(pa.ArrowException, OSError):
        return _MARK in (pq.read_schema(path).metadata or {})
    return False


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Replace what the disk refuses in this block by a StorageError."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        is_foreign = isinstance(error, FileExistsError)
        reason = "a file of another program has that name" if is_foreign else error.strerror
        raise StorageError(f"cannot write {path}: {reason}") from error
