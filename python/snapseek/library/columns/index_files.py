"""The files of a shard's column indexes, which spare building them again."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from snapseek.errors import FormatError
from snapseek.library.columns.column_check import check_arrays
from snapseek.library.columns.column_file import StaleError, read_arrays, write_arrays
from snapseek.library.columns.column_index import ColumnIndex
from snapseek.library.columns.dictionary import DictionaryIndex
from snapseek.library.columns.fulltext import FullTextArrays, FullTextIndex, TextScan
from snapseek.library.columns.label_list import LabelListIndex
from snapseek.library.columns.numeric import NumericIndex
from snapseek.library.filters.typecheck import Kind
from snapseek.library.records.arrow_file import Records
from snapseek.mapped_file import LoadMode, MappedFile

AnyIndex = NumericIndex | DictionaryIndex | LabelListIndex | FullTextIndex | TextScan

_CLASSES: dict[str, Callable[..., Any]] = {
    "NumberFacet": NumericIndex,
    "ChoiceFacet": DictionaryIndex,
    "ListFacet": LabelListIndex,
}
_STORED_NAMES: dict[type, str] = {
    NumericIndex: "NumberFacet",
    DictionaryIndex: "ChoiceFacet",
    LabelListIndex: "ListFacet",
    FullTextIndex: "WordFacet",
}
"""The names of the classes in files."""

_STORED_NAMES_OF: dict[Kind, tuple[str, ...]] = {
    "text": ("ChoiceFacet", "WordFacet"),
    "list": ("ListFacet",),
    "number": ("NumberFacet",),
    "date": ("NumberFacet",),
    "flag": ("NumberFacet",),
}


class IndexFiles:
    """The index files next to the records of a shard; none if `path` is None.

    Parameters
    ----------
    records
        The records that the indexes are built from.
    kinds
        The kind of each column.
    path
        The file of the records.
    load
        Whether arrays are mapped or loaded.
    """

    def __init__(
        self, records: Records, kinds: Mapping[str, Kind], path: Path | None, load: LoadMode = "map"
    ) -> None:
        self._records = records
        self._kinds = kinds
        self._record_path = path
        self._load = load
        self._open: dict[str, MappedFile] = {}

    def check_length(self) -> None:
        """Raise FormatError if a file that an index reads was truncated."""
        for file in list(self._open.values()):
            file.check_length()

    def find(self, column: str) -> Path | None:
        """Return the file of a column's index, or None if it has none."""
        path = None if self._record_path is None else self._path(column)
        return path if path is not None and path.is_file() else None

    def load(self, column: str) -> ColumnIndex | None:
        """Return the index from its file, unless that is missing, damaged or of other records."""
        try:
            return self._read(column)
        except FormatError:
            return None

    def store(self, column: str, index: AnyIndex) -> None:
        """Write the index of a column, unless the shard was dropped meanwhile, with its files."""
        has_records = self._record_path is not None and self._record_path.is_file()
        if has_records and not isinstance(index, TextScan):
            arrays = index.index.arrays() if isinstance(index, FullTextIndex) else _arrays_of(index)
            write_arrays(self._path(column), self._stamp(column, _STORED_NAMES[type(index)]), arrays)

    def damage(self, column: str) -> str | None:
        """Return what is wrong with the file of a column, or None if it is sound, stale or missing."""
        try:
            self._read(column)
        except StaleError:
            return None
        except FormatError as error:
            return str(error)
        return None

    def _read(self, column: str) -> ColumnIndex | None:
        """Return the index from its file, None if there is none. Raises StaleError or FormatError."""
        path = self.find(column)
        if path is None:
            return None
        stale = StaleError(f"{path} was built from other records")
        for name in _STORED_NAMES_OF[self._kinds[column]]:
            try:
                arrays, file = read_arrays(path, self._stamp(column, name), self._load)
                check_arrays(
                    name, arrays, len(self._records), is_whole=self._kinds[column] in ("date", "flag")
                )
            except StaleError:
                continue
            except ValueError as error:
                raise FormatError(f"{path} is damaged: {error}") from error
            self._open[column] = file
            if name == "WordFacet":
                return FullTextIndex(FullTextArrays.from_arrays(arrays), TextScan(self._records, column))
            index: ColumnIndex = _CLASSES[name](**arrays)
            return index
        raise stale

    def _path(self, column: str) -> Path:
        assert self._record_path is not None
        return self._record_path.with_suffix(f".{self._records.schema.get_field_index(column)}.facet")

    def _stamp(self, column: str, kind: str) -> dict[str, object]:
        """Return what identifies the records: they never change, so the size of their file is enough."""
        return {
            "facet": kind,
            "column": column,
            "rows": len(self._records),
            "bytes": self._records.size_bytes,
        }


def _arrays_of(index: NumericIndex | DictionaryIndex | LabelListIndex) -> dict[str, NDArray[Any]]:
    """Return the arrays of an index by name."""
    return {field.name: getattr(index, field.name) for field in fields(index)}
