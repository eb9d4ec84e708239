"""Build the index of a column from the records, batch by batch."""

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

FULL_TEXT_COLUMNS = frozenset({"caption", "title", "name"})
"""Columns that always get a full-text index; others do if their texts have several words."""

_MAX_TERMS = 65_000
_MIN_TERMS = 4096
"""Bound the distinct texts of a dictionary index: a quarter of the rows within these."""

_DENSE_SHARE = 32
"""Words in more than 1/32 of the rows get a bitmap, which is then smaller than a list of int32."""

_MIN_MEAN_WORDS = 2.0
"""Texts with fewer words on average get no full-text index."""

_compute: Any = pc
_Array = Any


def kind_of(arrow: Any) -> Kind | None:
    """Return how filters treat a column of an Arrow type; None if they cannot."""
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
    """Build the index of a column of numbers, times or flags."""
    parts = [_numbers(part) for part in records.column(column)]
    values = np.concatenate([values for values, _ in parts])
    valid = np.concatenate([valid for _, valid in parts])
    if values.dtype.kind in "iu":
        values = _narrow(values)
    return NumericIndex(values, valid if not valid.all() else np.zeros(0, np.bool_))


def _numbers(array: _Array) -> tuple[NDArray[Any], Flags]:
    array = _decoded(array)
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
    """Return integers in the smallest type that holds them."""
    if len(values) == 0:
        return values
    low, high = int(values.min()), int(values.max())
    kind = np.result_type(np.min_scalar_type(low), np.min_scalar_type(high))
    return values.astype(kind) if kind.kind in "iu" and kind.itemsize < values.dtype.itemsize else values


def _decoded(array: _Array) -> _Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def text_index(records: Records, column: str) -> DictionaryIndex | FullTextIndex | TextScan:
    """Build the index of a column of texts.

    Few distinct texts get a dictionary, texts of several words a full-text index; others are scanned.
    """
    texts = TextScan(records, column)
    if column not in FULL_TEXT_COLUMNS:
        dictionary = _dictionary_index(records, column)
        if dictionary is not None:
            return dictionary
        if not _has_words(records, column):
            return texts
    return FullTextIndex(_full_text_arrays(records, column), texts)


class TermCodes:
    """Codes of casefolded texts in order of appearance, and the first spelling of each."""

    def __init__(self) -> None:
        self.shown: dict[str, str] = {}
        self._code_of: dict[str, int] = {}

    def of(self, texts: _Array) -> NDArray[np.int64]:
        """Return the code of each text, (n,) int64; -1 for null."""
        coded = casefold_texts(texts).dictionary_encode()
        originals = texts.take(_first_rows(coded)).to_pylist()
        local = coded.dictionary.to_pylist()
        codes = [self._code_of.setdefault(text, len(self._code_of)) for text in local]
        for text, original in zip(local, originals, strict=True):
            self.shown.setdefault(text, original)
        indices = _compute.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
        found: NDArray[np.int64] = np.append(np.array(codes, np.int64), -1)[indices]
        return found

    def __len__(self) -> int:
        return len(self._code_of)

    def sorted(self) -> tuple[TermDictionary, TermDictionary, NDArray[np.int64]]:
        """Return the texts sorted by UTF-8 bytes, their first spellings, and the new code of each old one."""
        ordered = sorted(self._code_of, key=str.encode)
        new_codes = np.empty(len(ordered) + 1, np.int64)
        new_codes[[self._code_of[text] for text in ordered]] = np.arange(len(ordered))
        new_codes[-1] = -1
        return TermDictionary.of(ordered), TermDictionary.of(self.shown[text] for text in ordered), new_codes


def _first_rows(coded: _Array) -> _Array:
    """Return the first row of each entry of the dictionary."""
    valid = _compute.is_valid(coded).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(valid)
    codes = coded.indices.drop_null().to_numpy()
    first = np.empty(len(coded.dictionary), np.int64)
    first[codes[::-1]] = rows[::-1]
    return pa.array(first)


def _dictionary_index(records: Records, column: str) -> DictionaryIndex | None:
    """Build a dictionary index; None if there are too many distinct texts."""
    max_terms = min(_MAX_TERMS, max(_MIN_TERMS, len(records) // 4))
    codes, parts = TermCodes(), []
    for part in records.column(column):
        parts.append(codes.of(_strings(part)))
        if len(codes) > max_terms:
            return None
    terms, spellings, new_codes = codes.sorted()
    kind = np.min_scalar_type(len(codes))
    numbers = [(new_codes[part] + 1).astype(kind) for part in parts]
    return DictionaryIndex(
        np.concatenate([np.zeros(0, kind), *numbers]),
        terms.text,
        terms.ends,
        spellings.text,
        spellings.ends,
    )


def _strings(array: _Array) -> _Array:
    return _decoded(array).cast(pa.large_string())


def _has_words(records: Records, column: str) -> bool:
    """Return whether texts have several words on average, by the first batch."""
    first = _strings(next(iter(records.column(column)))).drop_null()
    spaces = _compute.count_substring(_compute.utf8_trim(first, characters=" "), " ")
    mean = _compute.mean(spaces).as_py()
    return mean is not None and mean + 1 >= _MIN_MEAN_WORDS


def label_list_index(records: Records, column: str) -> LabelListIndex:
    """Build the index of a column of lists of texts."""
    codes = TermCodes()
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
    terms, spellings, new_codes = codes.sorted()
    all_codes = new_codes[np.concatenate([np.zeros(0, np.int64), *code_parts])]
    all_rows = np.concatenate([np.zeros(0, np.int32), *row_parts])
    pairs = np.sort(all_codes * (start + 1) + all_rows)
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]  # a list may repeat a text
    counts = np.bincount(pairs // (start + 1), minlength=len(terms))
    return LabelListIndex(
        np.cumsum([0, *counts], dtype=np.int64),
        (pairs % (start + 1)).astype(np.int32),
        np.concatenate([np.zeros(0, np.bool_), *present_parts]),
        terms.text,
        terms.ends,
        spellings.text,
        spellings.ends,
    )


def _full_text_arrays(records: Records, column: str) -> FullTextArrays:
    codes = TermCodes()
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
    vocabulary, _, new_codes = codes.sorted()
    begins = np.cumsum(np.concatenate([[0], *lengths]), dtype=np.int64)
    stream = new_codes.astype(np.int32)[np.concatenate([np.zeros(0, np.int32), *streams])]
    present = np.concatenate([np.zeros(0, np.bool_), *presents])
    return _inverted(vocabulary, stream, begins, present)


def _inverted(
    vocabulary: TermDictionary, stream: NDArray[np.int32], begins: NDArray[np.int64], present: Flags
) -> FullTextArrays:
    """Return the inverted index: the rows of each word, from the words of each row."""
    row_of = np.repeat(np.arange(len(present), dtype=np.int32), np.diff(begins))
    order = np.argsort(stream, kind="stable")
    rows, bounds = row_of[order], np.searchsorted(stream[order], np.arange(len(vocabulary) + 1))
    del order, row_of
    lists: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    dense: list[NDArray[np.uint8]] = [np.zeros(0, np.uint8)]
    counts = np.zeros(len(vocabulary), np.int64)
    bitmap_slot = np.full(len(vocabulary), -1, np.int32)
    for code, (low, high) in enumerate(_pairs(bounds)):
        postings = rows[low:high]
        postings = postings[np.diff(postings, prepend=-1) > 0] if high - low > 1 else postings
        if len(postings) * _DENSE_SHARE > len(present) > _DENSE_SHARE:
            flags = np.zeros(len(present), np.bool_)
            flags[postings] = True
            bitmap_slot[code] = len(dense) - 1
            dense.append(np.packbits(flags))
        else:
            counts[code] = len(postings)
            lists.append(postings)
    kind = np.min_scalar_type(len(vocabulary))
    return FullTextArrays(
        text=vocabulary.text,
        ends=vocabulary.ends,
        starts=np.cumsum([0, *counts], dtype=np.int64),
        rows=np.concatenate(lists),
        bits=np.concatenate(dense),
        bitmap_slot=bitmap_slot,
        stream=(stream + 1).astype(kind),
        begins=begins,
        present=present,
    )


def _pairs(bounds: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    ends = bounds.tolist()
    return zip(ends, chain(ends[1:]), strict=False)
