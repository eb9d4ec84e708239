"""Normalizes texts for filters and word search: casefolded, without accents, split into words.

A word is a run of letters and digits. In Chinese and Japanese, which have no spaces between words, each
character is a word.

The work for a value is bounded: compatibility decomposition (NFKD) turns the one character U+FDFA into 18, so
a hostile file could demand 18 times its size. The first `MAX_CHARACTERS` of a value count, and of their
decomposition at most `MAX_EXPANSION` times as many and `FREE_CHARACTERS` more. No text of letters with
accents, nor of Korean syllables, exceeds that.
"""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# The stubs of pyarrow have neither a type for any array nor all functions.
Texts = Any
_compute: Any = pc
MAX_CHARACTERS = 65_536
"""Characters of a value that filters and word search read."""

MAX_EXPANSION = 4
"""The longest canonical decomposition of one character, such as of the Greek U+1F82."""

FREE_CHARACTERS = 72
"""Four times the longest compatibility decomposition, so that short texts keep their symbols."""

_PIECE_BYTES = 2**20
"""Bounds the decomposition that is held before it is cut."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_ASCII_WORDS = re.compile("[a-z0-9]+")
_UNSEEN = r"[\p{Mn}\x{AD}\x{2060}\x{FEFF}]+"
"""Accents, and what copied texts have within words where nobody sees it, such as soft hyphens."""

_SEPARATORS = r"[^\p{L}\p{N}]+"
_IDEOGRAPHS = r"([\p{Han}\p{Hiragana}\p{Katakana}])"


def casefold_texts(texts: Texts) -> Texts:
    """Return an array of strings in lower case and without accents; nulls stay. Long values are cut."""
    if (_compute.max(_compute.binary_length(texts)).as_py() or 0) > MAX_CHARACTERS:
        texts = _compute.utf8_slice_codeunits(texts, 0, MAX_CHARACTERS)
    if _is_ascii(texts):
        return _compute.ascii_lower(texts)
    return pa.concat_arrays([_casefold_piece(piece) for piece in _pieces(texts)])


def _pieces(texts: Texts) -> list[Texts]:
    """Split an array into slices of at most `_PIECE_BYTES` each, or of one value."""
    sizes = _compute.fill_null(_compute.binary_length(texts), 0).to_numpy(zero_copy_only=False)
    piece = np.cumsum(sizes, dtype=np.int64) // _PIECE_BYTES
    starts = [0, *(np.flatnonzero(np.diff(piece)) + 1).tolist()]
    stops = [*starts[1:], len(texts)]
    return [texts.slice(start, stop - start) for start, stop in zip(starts, stops, strict=True)]


def _casefold_piece(texts: Texts) -> Texts:
    plain = _compute.utf8_normalize(texts, form="NFKD")
    bounds = _compute.add(_compute.multiply(_compute.utf8_length(texts), MAX_EXPANSION), FREE_CHARACTERS)
    is_too_long = _compute.fill_null(_compute.greater(_compute.utf8_length(plain), bounds), False)
    if _compute.any(is_too_long).as_py():
        found = zip(
            plain.filter(is_too_long).to_pylist(), bounds.filter(is_too_long).to_pylist(), strict=True
        )
        cut = pa.array([text[:bound] for text, bound in found], plain.type)
        plain = _compute.replace_with_mask(plain, is_too_long, cut)
    return _compute.utf8_lower(_compute.replace_substring_regex(plain, _UNSEEN, ""))


def spaced(texts: Texts) -> Texts:
    """Return casefolded texts as words with a space before and after each: " red car "."""
    is_ascii = _is_ascii(texts)
    words = _compute.replace_substring_regex(texts, r"[^a-z0-9]+" if is_ascii else _SEPARATORS, " ")
    if not is_ascii:
        words = _compute.replace_substring_regex(words, _IDEOGRAPHS, r" \1 ")
        words = _compute.replace_substring_regex(words, " +", " ")
    nothing, space = pa.scalar("", words.type), pa.scalar(" ", words.type)
    return _compute.binary_join_element_wise(
        nothing, _compute.utf8_trim(words, characters=" "), nothing, space
    )


def casefold_text(text: str) -> str:
    """Return one text in lower case and without accents."""
    return str(casefold_texts(_array(text))[0].as_py())


def words_of(text: str) -> list[str]:
    """Return the words of one text, in lower case and without accents."""
    if text.isascii() and len(text) <= MAX_CHARACTERS:  # as the kernels below, at a tenth of their cost
        return _ASCII_WORDS.findall(text.lower())
    return str(spaced(casefold_texts(_array(text)))[0].as_py()).split()


def _array(text: str) -> Texts:
    """Return an array of one text; lone surrogates, as of file names, become the replacement character."""
    return pa.array([_SURROGATES.sub("\ufffd", text)], pa.string())


def _is_ascii(texts: Texts) -> bool:
    return bool(_compute.all(_compute.string_is_ascii(texts)).as_py() is not False)
