"""A sorted dictionary of texts in two arrays, which may be mapped from a file."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from snapseek.library.filters.text_normalize import spaced, words_of

_compute: Any = pc
_MAX_INVERTED = 200_000
"""Words of more texts are looked up by reading all texts, which takes less memory."""
_buffer: Any = pa.py_buffer


class TermDictionary:
    """Distinct casefolded texts, sorted by their UTF-8 bytes. The code of a text is its position."""

    def __init__(self, text: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        """`text` are the bytes of all texts, `ends`, (n + 1,), the offset of each and the end of the last."""
        self.text = text
        self.ends = ends
        self._spaced: Any = None

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Return a dictionary of sorted texts."""
        encoded = [text.encode() for text in texts]
        ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), np.uint8), ends)

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.ends) - 1

    def __getitem__(self, code: int) -> bytes:
        """Return the text of a code, as UTF-8."""
        if not 0 <= code < len(self):
            raise IndexError(code)
        return self.text[self.ends[code] : self.ends[code + 1]].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        """Return an iterator over the texts in order."""
        return (self[code] for code in range(len(self)))

    def codes(self, operator: str, value: str) -> NDArray[np.int64]:
        """Return the ascending codes of the texts for which `text operator value` holds."""
        if operator in _SPANS:
            return np.arange(*_SPANS[operator](self, value.encode()))
        return np.flatnonzero(_TESTS[operator](self, value))

    def code_of(self, text: str) -> int | None:
        """Return the code of a text, or None."""
        encoded = text.encode()
        content, ends = self._views
        low, high = 0, len(ends) - 1
        while low < high:
            middle = (low + high) // 2
            if bytes(content[ends[middle] : ends[middle + 1]]) < encoded:
                low = middle + 1
            else:
                high = middle
        is_there = low < len(ends) - 1 and content[ends[low] : ends[low + 1]] == encoded
        return low if is_there else None

    @cached_property
    def _views(self) -> tuple[memoryview, memoryview]:
        """Texts and ends as Python reads them fastest, one by one."""
        text, ends = self.text.data, self.ends.data
        return text, ends

    def codes_with_word(self, word: str) -> NDArray[np.int64]:
        """Return the ascending codes of the texts that have a word, as `contains` finds them."""
        if len(self) > _MAX_INVERTED:
            return self.codes("contains", word)
        words, starts, codes = self._inverted
        number = words.get(word)
        return codes[:0] if number is None else codes[starts[number] : starts[number + 1]]

    @cached_property
    def _inverted(self) -> tuple[dict[str, int], NDArray[np.int64], NDArray[np.int64]]:
        """The number of each word, and the codes of the texts that have it: rising, from its start."""
        words = _compute.split_pattern(_compute.utf8_trim(spaced(self.array()), characters=" "), " ")
        texts = _compute.list_parent_indices(words).to_numpy(zero_copy_only=False)
        coded = _compute.list_flatten(words).dictionary_encode()
        numbers = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        pairs = np.unique(numbers * (len(self) + 1) + texts)  # a text may repeat a word
        counts = np.bincount(pairs // (len(self) + 1), minlength=len(coded.dictionary))
        index = {text: number for number, text in enumerate(coded.dictionary.to_pylist())}
        return index, np.cumsum([0, *counts]), pairs % (len(self) + 1)

    def span(self, value: str) -> tuple[int, int]:
        """Return the range of codes, end exclusive, of the texts that begin with a casefolded value."""
        low = bisect_left(self, value.encode())
        return low, bisect_left(self, value.encode() + b"\xff", low)

    def array(self) -> Any:
        """Return the texts as an Arrow array, without a copy."""
        buffers = [None, _buffer(self.ends), _buffer(self.text)]
        return pa.Array.from_buffers(pa.large_string(), len(self), buffers)

    def _contain(self, words: str) -> NDArray[np.bool_]:
        """Return a mask of the texts with these words in sequence; a final * leaves the last one open."""
        if self._spaced is None:
            self._spaced = spaced(self.array())
        return flags_of(_compute.match_substring(self._spaced, pattern_of(words)))

    def _within(self, folder: str) -> NDArray[np.bool_]:
        """Return a mask of the paths that are `folder` or below it; a leading / anchors it at the top."""
        return flags_of(within(self.array(), folder))


def within(paths: Any, folder: str) -> Any:
    """Return an Arrow mask of the casefolded paths in a folder: its name, or words of its name.

    A leading / anchors the path at the top, and a slash inside joins whole names: only they are compared.
    """
    empty, slash = pa.scalar("", paths.type), pa.scalar("/", paths.type)
    framed = _compute.binary_join_element_wise(empty, _compute.utf8_trim(paths, characters="/"), empty, slash)
    if folder.startswith("/"):
        return _compute.starts_with(framed, f"/{folder.strip('/')}/".replace("//", "/"))
    found = _compute.match_substring(framed, f"/{folder.strip('/')}/")
    words = [] if "/" in folder.strip("/") else words_of(folder)
    if not words:
        return found
    return _compute.or_(found, _compute.match_substring(spaced(paths), pattern_of(" ".join(words))))


def pattern_of(words: str) -> str:
    """Return the substring of spaced texts with words in sequence; a final * leaves the last one open."""
    return f" {words[:-1]}" if words.endswith("*") else f" {words} "


def flags_of(values: Any) -> NDArray[np.bool_]:
    """Return an Arrow array of booleans as (n,) bool; null is False."""
    flags: NDArray[np.bool_] = _compute.fill_null(values, False).to_numpy(zero_copy_only=False)
    return flags


_SPANS: dict[str, Callable[[TermDictionary, bytes], tuple[int, int]]] = {
    "=": lambda texts, value: (bisect_left(texts, value), bisect_right(texts, value)),
    "<": lambda texts, value: (0, bisect_left(texts, value)),
    "<=": lambda texts, value: (0, bisect_right(texts, value)),
    ">": lambda texts, value: (bisect_right(texts, value), len(texts)),
    ">=": lambda texts, value: (bisect_left(texts, value), len(texts)),
    "prefix": lambda texts, value: texts.span(value.decode()),
}
_TESTS: dict[str, Callable[[TermDictionary, str], NDArray[np.bool_]]] = {
    "contains": TermDictionary._contain,
    "within": TermDictionary._within,
}
