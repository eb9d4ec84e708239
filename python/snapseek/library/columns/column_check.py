"""Check the arrays of a column index that come from a file.

Checksums find bit rot. These checks find arrays that do not fit each other, so that no filter reads beyond an
array and no Arrow kernel gets offsets outside its text.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.library.columns.term_dictionary import TermDictionary

_Array = NDArray[Any]
_Arrays = Mapping[str, _Array]

_TYPES: dict[str, dict[str, str]] = {
    "NumberFacet": {"values": "iuf", "valid": "b"},
    "ChoiceFacet": {"codes": "u", "text": "u1", "ends": "i8", "shown_text": "u1", "shown_ends": "i8"},
    "ListFacet": {
        "starts": "i8",
        "rows": "i4",
        "present": "b",
        "text": "u1",
        "ends": "i8",
        "shown_text": "u1",
        "shown_ends": "i8",
    },
    "WordFacet": {
        "text": "u1",
        "ends": "i8",
        "starts": "i8",
        "rows": "i4",
        "bits": "u1",
        "places": "i4",
        "stream": "u",
        "begins": "i8",
        "present": "b",
    },
}
"""By the stored name of an index: its arrays, each with the NumPy kinds it may have, or kind and size."""


def check_arrays(name: str, arrays: _Arrays, rows: int, *, is_whole: bool) -> None:
    """Check the arrays of a column index.

    Parameters
    ----------
    name
        The stored name of the index.
    arrays
        Its arrays by name.
    rows
        The number of rows of the shard.
    is_whole
        Whether the values must be integers: times or flags.

    Raises
    ------
    ValueError
        If the arrays are not those of such an index, or do not fit each other.
    """
    wanted = _TYPES[name]
    if arrays.keys() != wanted.keys():
        raise ValueError(f"expected the arrays {', '.join(wanted)}, found {', '.join(arrays)}")
    for array, kind in wanted.items():
        _check_type(array, arrays[array], kind)
    if is_whole and arrays["values"].dtype.kind == "f":
        raise ValueError("expected integers, found fractions")
    _CHECKS[name](arrays, rows)


def _check_type(name: str, array: _Array, kind: str) -> None:
    is_right = array.dtype.str[1:] == kind if len(kind) == 2 else array.dtype.kind in kind
    if not is_right:
        raise ValueError(f"array {name} has the type {array.dtype}")
    if array.dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
        raise ValueError(f"array {name} has flags that are neither 0 nor 1")


def _check_number(arrays: _Arrays, rows: int) -> None:
    _expect("values", len(arrays["values"]), rows)
    if len(arrays["valid"]):
        _expect("valid", len(arrays["valid"]), rows)


def _check_choice(arrays: _Arrays, rows: int) -> None:
    _expect("codes", len(arrays["codes"]), rows)
    texts = _check_texts(arrays)
    _check_range("codes", arrays["codes"], 0, texts)


def _check_list(arrays: _Arrays, rows: int) -> None:
    _expect("present", len(arrays["present"]), rows)
    texts = _check_texts(arrays)
    _check_bounds("starts", arrays["starts"], texts, len(arrays["rows"]))
    _check_range("rows", arrays["rows"], 0, rows - 1)


def _check_words(arrays: _Arrays, rows: int) -> None:
    _expect("present", len(arrays["present"]), rows)
    words = _check_vocabulary("ends", arrays["text"], arrays["ends"])
    _check_bounds("starts", arrays["starts"], words, len(arrays["rows"]))
    _check_range("rows", arrays["rows"], 0, rows - 1)
    _check_bounds("begins", arrays["begins"], rows, len(arrays["stream"]))
    _check_range("stream", arrays["stream"], 1, words)
    row_bytes = (rows + 7) // 8
    bitmaps, remainder = divmod(len(arrays["bits"]), row_bytes) if row_bytes else (0, len(arrays["bits"]))
    _expect("bits", remainder, 0)
    _expect("places", len(arrays["places"]), words)
    _check_range("places", arrays["places"], -1, bitmaps - 1)


def _check_texts(arrays: _Arrays) -> int:
    """Return the number of texts after checking both their casefolded and their original form."""
    texts = _check_vocabulary("ends", arrays["text"], arrays["ends"])
    _expect("shown_ends", _check_vocabulary("shown_ends", arrays["shown_text"], arrays["shown_ends"]), texts)
    return texts


def _check_vocabulary(name: str, text: NDArray[np.uint8], ends: NDArray[np.int64]) -> int:
    if not len(ends):
        raise ValueError(f"array {name} is empty")
    _check_bounds(name, ends, len(ends) - 1, len(text))
    try:
        TermDictionary(text, ends).array().validate(full=True)
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error
    return len(ends) - 1


def _check_bounds(name: str, bounds: _Array, parts: int, total: int) -> None:
    """Check that `bounds`, (parts + 1,), ascend from 0 to `total`."""
    _expect(name, len(bounds), parts + 1)
    if bounds[0] != 0 or bounds[-1] != total or (bounds[1:] < bounds[:-1]).any():
        raise ValueError(f"array {name} does not rise from 0 to {total}")


def _check_range(name: str, values: _Array, low: int, high: int) -> None:
    if len(values) and (int(values.min()) < low or int(values.max()) > high):
        raise ValueError(f"array {name} has values outside {low} to {high}")


def _expect(name: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise ValueError(f"array {name}: expected {wanted}, found {found}")


_CHECKS: dict[str, Callable[[_Arrays, int], None]] = {
    "NumberFacet": _check_number,
    "ChoiceFacet": _check_choice,
    "ListFacet": _check_list,
    "WordFacet": _check_words,
}
