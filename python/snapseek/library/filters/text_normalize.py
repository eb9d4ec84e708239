"""Normalizes texts for filters and word search: casefolded, without accents, split into words.

A word is a run of letters and digits. In Chinese and Japanese, which have no spaces between words, each
character is a word.
"""

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# The stubs of pyarrow have neither a type for any array nor all functions.
Texts = Any
_compute: Any = pc
_SURROGATES = re.compile("[\ud800-\udfff]")
_COMBINING = r"\p{Mn}+"
_SEPARATORS = r"[^\p{L}\p{N}]+"
_IDEOGRAPHS = r"([\p{Han}\p{Hiragana}\p{Katakana}])"


def casefold_texts(texts: Texts) -> Texts:
    """Return an array of strings in lower case and without accents; nulls stay."""
    if _is_ascii(texts):
        return _compute.ascii_lower(texts)
    plain = _compute.utf8_normalize(texts, form="NFKD")
    return _compute.utf8_lower(_compute.replace_substring_regex(plain, _COMBINING, ""))


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
    return str(spaced(casefold_texts(_array(text)))[0].as_py()).split()


def _array(text: str) -> Texts:
    """Return an array of one text; lone surrogates, as of file names, become the replacement character."""
    return pa.array([_SURROGATES.sub("\ufffd", text)], pa.string())


def _is_ascii(texts: Texts) -> bool:
    return bool(_compute.all(_compute.string_is_ascii(texts)).as_py() is not False)
