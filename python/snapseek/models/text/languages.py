"""Tells which words of a query are in a language that a model was not trained on."""

import unicodedata

ENGLISH = frozenset({"en"})
_LATIN = ("LATIN", "FULLWIDTH LATIN")


def unknown_words(text: str, languages: frozenset[str]) -> list[str]:
    """Return the words of a query in a language other than those; none if the query is understood.

    Parameters
    ----------
    text
        The words of a query.
    languages
        ISO 639 codes of the languages that the model knows.
    """
    words = text.split()
    foreign = [word for word in words if any(map(_is_foreign_letter, word))]
    return foreign if 2 * len(foreign) >= len(words) else []


def _is_foreign_letter(character: str) -> bool:
    return character.isalpha() and not unicodedata.name(character, "LATIN").startswith(_LATIN)
