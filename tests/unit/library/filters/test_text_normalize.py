import pyarrow as pa
import pytest

from snapseek.library.filters.text_normalize import casefold_text, casefold_texts, spaced, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Été à la PLAGE", ["ete", "a", "la", "plage"]),
        ("red-door, IMG_20.jpg!", ["red", "door", "img", "20", "jpg"]),
        ("東京の海 x", ["東", "京", "の", "海", "x"]),
        ("Ünïcödé x²", ["unicode", "x2"]),
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
