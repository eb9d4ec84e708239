import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapseek.library.filters import text_normalize
from snapseek.library.filters.text_normalize import (
    FREE_CHARACTERS,
    MAX_CHARACTERS,
    MAX_EXPANSION,
    casefold_text,
    casefold_texts,
    spaced,
    words_of,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Été à la PLAGE", ["ete", "a", "la", "plage"]),
        ("red-door, IMG_20.jpg!", ["red", "door", "img", "20", "jpg"]),
        ("東京の海 x", ["東", "京", "の", "海", "x"]),
        ("Ünïcödé x²", ["unicode", "x2"]),
        ("\uff32\uff45\uff44 \uff12\uff10", ["red", "20"]),
        ("Foto\u00adgra\u00adfie", ["fotografie"]),
        ("\ufeffred\u2060wood", ["redwood"]),
        ("", []),
        ("-- !", []),
    ],
)
def test_words_are_runs_of_letters_and_digits_without_case_and_accents(text, words):
    assert words_of(text) == words


def test_ascii_and_other_texts_are_treated_alike():
    plain = casefold_texts(pa.array(["Red  Door!", None, ""]))
    mixed = casefold_texts(pa.array(["Red  Door!", None, "", "é"]))
    assert plain.to_pylist() == mixed.to_pylist()[:3] == ["red  door!", None, ""]
    assert spaced(plain).to_pylist() == spaced(mixed).to_pylist()[:3] == [" red door ", None, "  "]
    assert casefold_text("STRASSE É") == "strasse e"


LIGATURE = "\ufdfa"  # one character that NFKD decomposes into 18


@pytest.mark.parametrize("count", [1, 4, 5, 1000, 20_000])
def test_a_decomposition_is_bounded_by_the_length_of_its_text(count):
    found = casefold_text(LIGATURE * count)
    whole = unicodedata.normalize("NFKD", LIGATURE * count)
    assert found == whole[: MAX_EXPANSION * count + FREE_CHARACTERS]


def test_long_decompositions_are_cut_next_to_texts_that_stay():
    texts = pa.array([LIGATURE * 900, None, "Été", "", LIGATURE, "각" * 900], pa.large_string())
    found = casefold_texts(texts).to_pylist()
    assert len(found[0]) == MAX_EXPANSION * 900 + FREE_CHARACTERS
    assert found[1:5] == [None, "ete", "", unicodedata.normalize("NFKD", LIGATURE)]
    assert found[5] == unicodedata.normalize("NFKD", "각" * 900)


@pytest.mark.parametrize("letter", ["a", "é", "😀"])
def test_the_first_characters_of_a_long_text_count(letter):
    plain = "e" if letter == "é" else letter
    assert casefold_text(letter * MAX_CHARACTERS + "x") == plain * MAX_CHARACTERS
    assert words_of(letter * (MAX_CHARACTERS - 2) + " B c")[-1] == "b"


def test_no_canonical_decomposition_is_cut():
    longest = max(
        len(unicodedata.normalize("NFD", chr(code)))
        for code in range(0x110000)
        if not 0xD800 <= code < 0xE000
    )
    assert longest == MAX_EXPANSION


def test_pieces_are_normalized_as_the_whole(monkeypatch):
    texts = pa.array([None, "É", "", *(f"Ünï {number}" for number in range(50)), None])
    whole = casefold_texts(texts)
    monkeypatch.setattr(text_normalize, "_PIECE_BYTES", 20)
    assert casefold_texts(texts).equals(whole)
    assert casefold_texts(texts.slice(0, 0)).to_pylist() == []


def test_the_decomposition_of_a_column_is_never_held_as_a_whole():
    texts = pa.array([LIGATURE * 20_000] * 100, pa.large_string())  # 6 MB, in full 66 MB
    pool = pa.proxy_memory_pool(pa.default_memory_pool())
    default = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        casefold_texts(texts)
    finally:
        pa.set_memory_pool(default)
    assert pool.max_memory() < 45 * 2**20


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_texts_have_the_words_of_the_kernels(text):
    assert words_of(text) == str(spaced(casefold_texts(pa.array([text])))[0].as_py()).split()
