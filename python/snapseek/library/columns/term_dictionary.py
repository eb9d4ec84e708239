"""Different texts in order, as two arrays: as good in a mapped file as in memory."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from snapseek.library.filters.text_normalize import spaced

_compute: Any = pc
_buffer: Any = pa.py_buffer


class TermDictionary:
    """Folded texts, all different, by rising UTF-8 bytes; the code of one is its place."""

    def __init__(self, text: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        """`text`, the bytes of all; `ends`, (n + 1,): where each begins, and the end of the last."""
        self.text = text
        self.ends = ends
        self._spaced: Any = None

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Of texts in the order that they are to have."""
        encoded = [text.encode() for text in texts]
        ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), np.uint8), ends)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.ends) - 1

    def __getitem__(self, code: int) -> bytes:
        """The text of a code, as UTF-8."""
        if not 0 <= code < len(self):
            raise IndexError(code)
        return self.text[self.ends[code] : self.ends[code + 1]].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        """The texts in order."""
        return (self[code] for code in range(len(self)))

    def codes(self, operator: str, value: str) -> NDArray[np.int64]:
        """The codes, rising, of the texts that compare so with a folded value."""
        if operator in _SPANS:
            return np.arange(*_SPANS[operator](self, value.encode()))
        return np.flatnonzero(_TESTS[operator](self, value))

    def span(self, value: str) -> tuple[int, int]:
        """From which code to before which the texts begin with the folded value."""
        low = bisect_left(self, value.encode())
        return low, bisect_left(self, value.encode() + b"\xff", low)

    def array(self) -> Any:
        """The texts as an Arrow array; nothing is copied."""
        buffers = [None, _buffer(self.ends), _buffer(self.text)]
        return pa.Array.from_buffers(pa.large_string(), len(self), buffers)

    def _contain(self, words: str) -> NDArray[np.bool_]:
        """Flags: the words stand in it one after another; * at the end: the last may go on."""
        if self._spaced is None:
            self._spaced = spaced(self.array())
        return flags_of(_compute.match_substring(self._spaced, pattern_of(words)))

    def _within(self, folder: str) -> NDArray[np.bool_]:
        """Flags: it is that folder or below it; a folder that begins with / is one at the top."""
        return flags_of(within(self.array(), folder))


def within(paths: Any, folder: str) -> Any:
    """For an array of folded paths, which are that folder or below it; see `Vocabulary.codes`."""
    empty, slash = pa.scalar("", paths.type), pa.scalar("/", paths.type)
    framed = _compute.binary_join_element_wise(empty, _compute.utf8_trim(paths, characters="/"), empty, slash)
    if folder.startswith("/"):
        return _compute.starts_with(framed, f"/{folder.strip('/')}/".replace("//", "/"))
    return _compute.match_substring(framed, f"/{folder.strip('/')}/")


def pattern_of(words: str) -> str:
    """What to look for in spaced texts, to find words that follow one another."""
    return f" {words[:-1]}" if words.endswith("*") else f" {words} "


def flags_of(values: Any) -> NDArray[np.bool_]:
    """(n,) flags of an Arrow array of such; null is False."""
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
