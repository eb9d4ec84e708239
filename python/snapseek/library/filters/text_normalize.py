"""Texts as filters and word search compare them: without case and accents, and cut into words.

A word is a run of letters and digits; of Chinese and Japanese, which leave no space between words, each
character is one.
"""

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# The stubs of pyarrow know neither arrays of any type nor all functions on them.
Texts = Any
_compute: Any = pc
_HALVES = re.compile("[\ud800-\udfff]")
_MARKS = r"\p{Mn}+"
_BETWEEN = r"[^\p{L}\p{N}]+"
_SINGLE = r"([\p{Han}\p{Hiragana}\p{Katakana}])"


def casefold_texts(texts: Texts) -> Texts:
    """An array of strings in lower case and without accents; nulls stay."""
    if _is_ascii(texts):
        return _compute.ascii_lower(texts)
    plain = _compute.utf8_normalize(texts, form="NFKD")
    return _compute.utf8_lower(_compute.replace_substring_regex(plain, _MARKS, ""))


def spaced(texts: Texts) -> Texts:
    """Folded texts as their words, a space before and after each: " red door "."""
    is_ascii = _is_ascii(texts)
    words = _compute.replace_substring_regex(texts, r"[^a-z0-9]+" if is_ascii else _BETWEEN, " ")
    if not is_ascii:
        words = _compute.replace_substring_regex(words, _SINGLE, r" \1 ")
        words = _compute.replace_substring_regex(words, " +", " ")
    nothing, space = pa.scalar("", words.type), pa.scalar(" ", words.type)
    return _compute.binary_join_element_wise(
        nothing, _compute.utf8_trim(words, characters=" "), nothing, space
    )


def casefold_text(text: str) -> str:
    """One text, folded."""
    return str(casefold_texts(_array(text))[0].as_py())


def words_of(text: str) -> list[str]:
    """The words of one text, folded."""
    return str(spaced(casefold_texts(_array(text)))[0].as_py()).split()


def _array(text: str) -> Texts:
    """Half characters, which JSON and file names may have, become the replacement character."""
    return pa.array([_HALVES.sub("\ufffd", text)], pa.string())


def _is_ascii(texts: Texts) -> bool:
    return bool(_compute.all(_compute.string_is_ascii(texts)).as_py() is not False)
