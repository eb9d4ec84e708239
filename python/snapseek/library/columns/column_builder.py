"""From a column of the records to its facet, some ten thousand rows at a time."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from snapseek.library.columns.column_index import Flags
from snapseek.library.columns.dictionary import DictionaryIndex
from snapseek.library.columns.fulltext import FullTextArrays, FullTextIndex, TextScan
from snapseek.library.columns.label_list import LabelListIndex
from snapseek.library.columns.numeric import NumericIndex
from snapseek.library.columns.term_dictionary import TermDictionary
from snapseek.library.filters.text_normalize import casefold_texts, spaced
from snapseek.library.records.arrow_file import Records

Kind = Literal["number", "date", "flag", "text", "list"]

WORDY = frozenset({"caption", "title", "name"})
"""Columns that are always searched by words; others are if their texts have several."""

_MOST_CHOICES = 65_000
_FEW_CHOICES = 4096
_DENSE_SHARE = 32  # from a 32nd of the rows on, a bit for each row is smaller than a list
_WORDS_OF_A_TEXT = 2.0

_compute: Any = pc
_Array = Any


def kind_of(arrow: Any) -> Kind | None:
    """What can be asked of a column of that type; None where nothing can."""
    types = pa.types
    if types.is_dictionary(arrow):
        return kind_of(arrow.value_type)
    if types.is_boolean(arrow):
        return "flag"
    if types.is_integer(arrow) or types.is_floating(arrow) or types.is_decimal(arrow):
        return "number"
    if types.is_timestamp(arrow) or types.is_date(arrow):
        return "date"
    if _is_text(arrow):
        return "text"
    is_list = types.is_list(arrow) or types.is_large_list(arrow) or types.is_fixed_size_list(arrow)
    return "list" if is_list and _is_text(arrow.value_type) else None


def _is_text(arrow: pa.DataType) -> bool:
    types = pa.types
    return types.is_string(arrow) or types.is_large_string(arrow) or types.is_string_view(arrow)


def numeric_index(records: Records, column: str) -> NumericIndex:
    """Of a column of numbers, times or flags."""
    parts = [_numbers(part) for part in records.column(column)]
    values = np.concatenate([values for values, _ in parts])
    valid = np.concatenate([valid for _, valid in parts])
    if values.dtype.kind in "iu":
        values = _narrow(values)
    return NumericIndex(values, valid if not valid.all() else np.zeros(0, np.bool_))


def _numbers(array: _Array) -> tuple[NDArray[Any], Flags]:
    array = _plain(array)
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("us", getattr(array.type, "tz", None)), safe=False).cast(pa.int64())
    elif pa.types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    elif pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    values = _compute.fill_null(array, pa.scalar(0, array.type)).to_numpy(zero_copy_only=False)
    if values.dtype.kind == "f":
        valid = valid & ~np.isnan(values)
    return values, valid


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    """The same whole numbers in the smallest type that holds them."""
    if len(values) == 0:
        return values
    low, high = int(values.min()), int(values.max())
    kind = np.result_type(np.min_scalar_type(low), np.min_scalar_type(high))
    return values.astype(kind) if kind.kind in "iu" and kind.itemsize < values.dtype.itemsize else values


def _plain(array: _Array) -> _Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def text_index(records: Records, column: str) -> DictionaryIndex | FullTextIndex | TextScan:
    """Of a column of texts: by choice if few are different, by words if they have some, else as they are."""
    texts = TextScan(records, column)
    if column not in WORDY:
        choices = _choices(records, column)
        if choices is not None:
            return choices
        if not _has_words(records, column):
            return texts
    return FullTextIndex(_word_arrays(records, column), texts)


class _Codes:
    """Codes for folded texts in the order in which they come, and how each was first written."""

    def __init__(self) -> None:
        self.shown: dict[str, str] = {}
        self._of: dict[str, int] = {}

    def of(self, texts: _Array) -> NDArray[np.int64]:
        """(n,) the code of each text, -1 for null."""
        coded = casefold_texts(texts).dictionary_encode()
        originals = texts.take(_first_rows(coded)).to_pylist()
        local = coded.dictionary.to_pylist()
        codes = [self._of.setdefault(text, len(self._of)) for text in local]
        for text, original in zip(local, originals, strict=True):
            self.shown.setdefault(text, original)
        places = _compute.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
        found: NDArray[np.int64] = np.append(np.array(codes, np.int64), -1)[places]
        return found

    def __len__(self) -> int:
        return len(self._of)

    def in_order(self) -> tuple[TermDictionary, TermDictionary, NDArray[np.int64]]:
        """The texts by rising bytes, the same as first written, and where each code went."""
        ordered = sorted(self._of, key=str.encode)
        moved = np.empty(len(ordered) + 1, np.int64)
        moved[[self._of[text] for text in ordered]] = np.arange(len(ordered))
        moved[-1] = -1
        return TermDictionary.of(ordered), TermDictionary.of(self.shown[text] for text in ordered), moved


def _first_rows(coded: _Array) -> _Array:
    """For each entry of the dictionary a row that has it."""
    valid = _compute.is_valid(coded).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(valid)
    codes = coded.indices.drop_null().to_numpy()
    first = np.empty(len(coded.dictionary), np.int64)
    first[codes[::-1]] = rows[::-1]
    return pa.array(first)


def _choices(records: Records, column: str) -> DictionaryIndex | None:
    """None where too many are different."""
    most = min(_MOST_CHOICES, max(_FEW_CHOICES, len(records) // 4))
    codes, parts = _Codes(), []
    for part in records.column(column):
        parts.append(codes.of(_strings(part)))
        if len(codes) > most:
            return None
    folded_texts, shown, moved = codes.in_order()
    kind = np.min_scalar_type(len(codes))
    numbers = [(moved[part] + 1).astype(kind) for part in parts]
    return DictionaryIndex(
        np.concatenate([np.zeros(0, kind), *numbers]),
        folded_texts.text,
        folded_texts.ends,
        shown.text,
        shown.ends,
    )


def _strings(array: _Array) -> _Array:
    return _plain(array).cast(pa.large_string())


def _has_words(records: Records, column: str) -> bool:
    """Whether the texts are of several words, by the first of them."""
    first = _strings(next(iter(records.column(column)))).drop_null()
    spaces = _compute.count_substring(_compute.utf8_trim(first, characters=" "), " ")
    mean = _compute.mean(spaces).as_py()
    return mean is not None and mean + 1 >= _WORDS_OF_A_TEXT


def label_list_index(records: Records, column: str) -> LabelListIndex:
    """Of a column of lists of texts."""
    codes = _Codes()
    row_parts, code_parts, present_parts, start = [], [], [], 0
    for part in records.column(column):
        rows = _compute.list_parent_indices(part).to_numpy(zero_copy_only=False)
        found = codes.of(_strings(_compute.list_flatten(part)))
        present = np.zeros(len(part), np.bool_)
        present[rows[found >= 0]] = True
        row_parts.append((rows[found >= 0] + start).astype(np.int32))
        code_parts.append(found[found >= 0])
        present_parts.append(present)
        start += len(part)
    folded_texts, shown, moved = codes.in_order()
    all_codes = moved[np.concatenate([np.zeros(0, np.int64), *code_parts])]
    all_rows = np.concatenate([np.zeros(0, np.int32), *row_parts])
    pairs = np.sort(all_codes * (start + 1) + all_rows)
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]  # a text may be twice in a list
    counts = np.bincount(pairs // (start + 1), minlength=len(folded_texts))
    return LabelListIndex(
        np.cumsum([0, *counts], dtype=np.int64),
        (pairs % (start + 1)).astype(np.int32),
        np.concatenate([np.zeros(0, np.bool_), *present_parts]),
        folded_texts.text,
        folded_texts.ends,
        shown.text,
        shown.ends,
    )


def _word_arrays(records: Records, column: str) -> FullTextArrays:
    codes = _Codes()
    streams, lengths, presents = [], [], []
    for part in records.column(column):
        texts = _strings(part)
        plain = _compute.fill_null(_compute.utf8_trim(spaced(casefold_texts(texts)), characters=" "), "")
        lists = _compute.split_pattern(plain, " ")
        words = _compute.list_flatten(lists)
        words = words.filter(_compute.not_equal(words, ""))
        is_empty = _compute.equal(plain, "").to_numpy(zero_copy_only=False)
        sizes = _compute.list_value_length(lists).to_numpy().astype(np.int64) - is_empty
        streams.append(codes.of(words).astype(np.int32))
        lengths.append(sizes)
        presents.append(texts.is_valid().to_numpy(zero_copy_only=False))
    vocabulary, _, moved = codes.in_order()
    begins = np.cumsum(np.concatenate([[0], *lengths]), dtype=np.int64)
    stream = moved.astype(np.int32)[np.concatenate([np.zeros(0, np.int32), *streams])]
    present = np.concatenate([np.zeros(0, np.bool_), *presents])
    return _inverted(vocabulary, stream, begins, present)


def _inverted(
    vocabulary: TermDictionary, stream: NDArray[np.int32], begins: NDArray[np.int64], present: Flags
) -> FullTextArrays:
    """The rows of each word, from the words of each row."""
    row_of = np.repeat(np.arange(len(present), dtype=np.int32), np.diff(begins))
    order = np.argsort(stream, kind="stable")
    rows, bounds = row_of[order], np.searchsorted(stream[order], np.arange(len(vocabulary) + 1))
    del order, row_of
    lists: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    dense: list[NDArray[np.uint8]] = [np.zeros(0, np.uint8)]
    counts = np.zeros(len(vocabulary), np.int64)
    places = np.full(len(vocabulary), -1, np.int32)
    for code, (low, high) in enumerate(_pairs(bounds)):
        mine = rows[low:high]
        mine = mine[np.diff(mine, prepend=-1) > 0] if high - low > 1 else mine
        if len(mine) * _DENSE_SHARE > len(present) > _DENSE_SHARE:
            flags = np.zeros(len(present), np.bool_)
            flags[mine] = True
            places[code] = len(dense) - 1
            dense.append(np.packbits(flags))
        else:
            counts[code] = len(mine)
            lists.append(mine)
    kind = np.min_scalar_type(len(vocabulary))
    return FullTextArrays(
        text=vocabulary.text,
        ends=vocabulary.ends,
        starts=np.cumsum([0, *counts], dtype=np.int64),
        rows=np.concatenate(lists),
        bits=np.concatenate(dense),
        places=places,
        stream=(stream + 1).astype(kind),
        begins=begins,
        present=present,
    )


def _pairs(bounds: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    ends = bounds.tolist()
    return zip(ends, chain(ends[1:]), strict=False)
