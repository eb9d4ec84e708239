"""Notices about a query: what a person should know about its answer.

A model for English embeds a word of another language as a vector, too, and that vector ranks noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from snapseek.library.search.query_vector import LazyEncoder
from snapseek.library.search.rank import Entry
from snapseek.library.search.request import ResolvedRequest
from snapseek.models.catalogue import MULTILINGUAL
from snapseek.models.text.languages import unknown_words

UNKNOWN_LANGUAGE = "unknown_language"
_MAX_NAMED = 3


@dataclass(frozen=True)
class Notice:
    """A notice about a query.

    Attributes
    ----------
    code
        The kind of notice, stable for programs: `unknown_language`.
    text
        One or two sentences for people.
    model
        The model that answers such queries, None if there is none to name.
    """

    code: str
    text: str
    model: str | None = None


def language_notices(
    resolved: ResolvedRequest, entries: Sequence[Entry], encoder: LazyEncoder
) -> tuple[Notice, ...]:
    """Return a notice if the query is in a language that the model does not know.

    There is none where the words are not embedded, or where a picture has all of them in its folder, file
    name, caption, title or tags: these answer the query without the model.
    """
    texts = resolved.encoded_texts
    if not texts or (entries and entries[0].has_every_word):
        return ()
    languages = encoder.encoder.languages
    unknown = [] if languages is None else unknown_words(" ".join(texts), languages)
    return (_unknown_language(unknown),) if unknown else ()


def _unknown_language(words: Sequence[str]) -> Notice:
    named = ", ".join(f"“{word}”" for word in words[:_MAX_NAMED]) + (" …" if len(words) > _MAX_NAMED else "")
    text = f"This model knows English and may not understand {named}. {MULTILINGUAL} knows many languages."
    return Notice(UNKNOWN_LANGUAGE, text, MULTILINGUAL)
