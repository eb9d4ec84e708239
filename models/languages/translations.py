"""Write the words of five languages that the starter reads as English.

What everyday things are called is in `nouns.txt`, adjectives and little words in `grammar.txt`; both are this
project's. The short names of emoji in Unicode's CLDR add rarer things. Plurals and endings are made here, by
rules that make too many forms: a form that nobody writes is never looked up.

    python models/languages/translations.py --annotations A --derived D --wordnet W/usr/share/wordnet

with the packages that `build.py` names.
"""

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from build import English, english, parsed_arguments
from snapseek.models.queries.query_corpus import word_list
from snapseek.models.queries.query_templates import IRREGULAR, QueryTemplates
from snapseek.models.text.languages import without_accents
from snapseek.models.text.translations import ADJECTIVE, DATA, LANGUAGES, LITTLE, NOUN, PLURAL, words_of

HERE = Path(__file__).parent
NAME = "name"
PARTS = {"# adjectives": ADJECTIVE, "# little words": LITTLE, "# names and English phrases": NAME}
MIN_PLAIN = 5
"""A shorter word without its accents may be anything: *león* is a lion, *Leon* a person."""

MIN_PLURAL = 3
"""A shorter form that a rule makes is more likely a name or an abbreviation."""

MAX_WORDS = 3
"""Longer names of emoji are descriptions."""

# Endings of a singular and what replaces them in plurals. The first ending that fits decides.
PLURALS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "de": (
        ("e", ("en",)),
        ("in", ("innen",)),
        ("nis", ("nisse",)),
        ("um", ("en",)),
        ("chen", ("chen",)),
        ("lein", ("lein",)),
        ("er", ("er", "ern")),
        ("el", ("el", "eln")),
        ("en", ("en",)),
        ("a", ("as", "en")),
        ("o", ("os",)),
        ("", ("e", "en", "er", "s")),
    ),
    "fr": (
        ("eau", ("eaux",)),
        ("eu", ("eux",)),
        ("al", ("aux", "als")),
        ("ou", ("ous", "oux")),
        ("s", ("s",)),
        ("x", ("x",)),
        ("", ("s",)),
    ),
    "es": (
        ("z", ("ces",)),
        ("ón", ("ones",)),
        ("án", ("anes",)),
        ("ín", ("ines",)),
        ("és", ("eses",)),
        ("ús", ("uses",)),
        *((vowel, (f"{vowel}s",)) for vowel in "aeiouáéíóú"),
        ("s", ("s",)),
        ("", ("es",)),
    ),
    "it": (
        ("co", ("chi", "ci")),
        ("go", ("ghi", "gi")),
        ("ca", ("che",)),
        ("ga", ("ghe",)),
        ("cia", ("ce", "cie")),
        ("gia", ("ge", "gie")),
        ("io", ("i",)),
        ("ista", ("isti", "iste")),
        ("o", ("i",)),
        ("a", ("e",)),
        ("e", ("i",)),
    ),
    "pt": (
        ("ão", ("ões", "ãos")),
        ("al", ("ais",)),
        ("el", ("éis", "eis")),
        ("ol", ("óis",)),
        ("ul", ("uis",)),
        ("il", ("is",)),
        ("m", ("ns",)),
        ("r", ("res",)),
        ("z", ("zes",)),
        ("ês", ("eses",)),
        ("s", ("s",)),
        ("", ("s",)),
    ),
}
UMLAUTS = {"au": "äu", "a": "ä", "o": "ö", "u": "ü"}
FEMININE = {
    "de": (("", ("e", "er", "es", "en", "em")),),
    "fr": (("e", ("e",)), ("x", ("x",)), ("", ("e",))),
    "es": (("o", ("a",)), ("or", ("ora",))),
    "it": (("o", ("a",)),),
    "pt": (("o", ("a",)), ("or", ("ora",))),
}
"""Other forms of an adjective in the singular; in German all that endings make."""

SPACES = str.maketrans("_-", "  ")
DIGRAPHS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


ENGLISH_PLURALS = {
    **{word: f"{word}es" for word in ("bus", "potato", "tomato", "volcano")},
    **{word: word for word in ("food", "furniture", "jewelry", "music", "snow", "water", "wildlife")},
}
INFLECTIONS = (("s", ""), ("ies", "y"), ("ed", ""), ("ed", "e"), ("ing", ""), ("ing", "e"))
SIBILANTS = ("ses", "xes", "zes", "ches", "shes", "oes")
PARTS_OF_ENGLISH = frozenset({"chevaux"})
"""Words that English has in compounds only (*chevaux-de-frise*)."""

ABBREVIATIONS = frozenset({"ala", "alt", "asa", "ave", "jus", "sal", "sel", "tor"})
"""Short words that stand in English texts, too."""

ENGLISH_LITTLE = frozenset({*"adeilou", "all", "am", "an", "as", "die", "do", "in", "no", "on"})
"""Little words that say nothing about the language of a query."""


@dataclass
class Forms:
    """Meanings of forms: form → language → part of speech and English, the first that was added."""

    known: English
    phrases: frozenset[str] = frozenset()
    meanings: dict[str, dict[str, tuple[str, str]]] = field(default_factory=lambda: defaultdict(dict))
    plain: dict[str, dict[str, tuple[str, str]]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, language: str, form: str, part: str, meaning: str) -> None:
        """Add a form of a word."""
        self.meanings[" ".join(words_of(form.lower()))].setdefault(language, (part, meaning))

    def add_plain(self) -> None:
        """Add what people type who have no key for an accent, unless it is another word."""
        for form, meanings in list(self.meanings.items()):
            for language, meaning in meanings.items():
                spellings = {without_accents(form), form.translate(DIGRAPHS) if language == "de" else form}
                for spelling in spellings - self.meanings.keys():
                    if len(spelling) >= MIN_PLAIN:
                        self.plain[spelling].setdefault(language, meaning)
        self.meanings |= self.plain

    def lines(self) -> Iterator[str]:
        """Yield the lines of the list, sorted: a form, and languages, mark and English of each meaning."""
        for form in sorted(self.meanings, key=lambda form: form.encode()):
            languages: dict[tuple[str, str], list[str]] = defaultdict(list)
            for language, (part, meaning) in self.meanings[form].items():
                is_english = form in ENGLISH_LITTLE if part == LITTLE else self._is_english(form)
                mark = part.upper() if is_english else part
                languages[mark, meaning].append(language)
            meanings = (f"{','.join(codes)} {part} {meaning}" for (part, meaning), codes in languages.items())
            yield "\t".join((form, *meanings))

    def _is_english(self, form: str) -> bool:
        if form in PARTS_OF_ENGLISH:
            return False
        return (
            form in ABBREVIATIONS or form in self.phrases or form in self.known.common or self._inflects(form)
        )

    def _inflects(self, word: str) -> bool:
        """Return whether the word is an English plural or verb form. `English.inflects` has more endings."""
        stems = [word[: -len(ending)] + base for ending, base in INFLECTIONS if word.endswith(ending)]
        if word.endswith(SIBILANTS):
            stems.append(word[:-2])
        return any(len(stem) > 2 and stem in self.known.common for stem in stems)


def plurals(language: str, word: str) -> set[str]:
    """Return the forms that may be the plural of a noun, or of a phrase whose first word is its noun."""
    head, space, others = word.partition(" ")
    if space and language != "de":
        return {f"{form} {others}" for form in plurals(language, head)}
    for ending, replacements in PLURALS[language]:
        if word.endswith(ending):
            stem = word[: len(word) - len(ending)]
            forms = {stem + replacement for replacement in replacements}
            is_umlauted = language == "de" and ending in ("", "er", "el", "en")
            return forms | (
                {umlaut(form) for form in forms | {word} if form[-1:] not in "ns"} if is_umlauted else set()
            )
    return set()


def umlaut(word: str) -> str:
    """Return the word with an umlaut in the last syllable of its stem."""
    return re.sub("(au|a|o|u)([^aouäöü]*)$", lambda found: UMLAUTS[found[1]] + found[2], word.lower())


def adjective_forms(language: str, word: str) -> set[str]:
    """Return all forms of an adjective; those that no rule makes stand after slashes."""
    forms = set(word.split("/"))
    if len(forms) == 1:
        ending, replacements = next((pair for pair in FEMININE[language] if word.endswith(pair[0])), ("", ()))
        forms |= {word[: len(word) - len(ending)] + replacement for replacement in replacements}
    return forms if language == "de" else forms | {many for form in forms for many in plurals(language, form)}


def rows(path: Path) -> Iterator[tuple[str, str, dict[str, list[str]]]]:
    """Yield part of speech, English, and the words of each language in a file of this folder."""
    part = NOUN
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("#"):
            part = PARTS.get(line, part)
        elif part == NAME:
            yield LITTLE, line, {language: [line] for language in LANGUAGES}
        else:
            meaning, *columns = line.split("|")
            words = (column.split(",") if column else [] for column in columns)
            yield part, meaning, dict(zip(LANGUAGES, words, strict=True))


def add_nouns(forms: Forms, nouns: Iterable[tuple[str, dict[str, list[str]]]]) -> None:
    """Add nouns and their plurals, singulars first: `Laster` is one truck."""
    listed = list(nouns)
    for meaning, words in listed:
        for language, said in words.items():
            for word in said:
                forms.add(language, word.partition("/")[0], NOUN, meaning)
    phrasing = QueryTemplates(IRREGULAR | ENGLISH_PLURALS, None)  # type: ignore[arg-type]  # nothing is random here
    for meaning, words in listed:
        many = phrasing.plural(meaning)
        for language, said in words.items():
            for word in said:
                one, _, plural = word.partition("/")
                for form in [plural] if plural else sorted(plurals(language, one)):
                    if len(form) >= MIN_PLURAL:
                        forms.add(language, form, PLURAL, many)


def add_others(forms: Forms) -> None:
    """Add adjectives and little words."""
    for part, meaning, words in rows(HERE / "grammar.txt"):
        for language, said in words.items():
            for word in said:
                every = adjective_forms(language, word) if part == ADJECTIVE else {word}
                for form in sorted(every):
                    forms.add(language, form, part, meaning)


def emoji_names(folders: list[Path], locale: str) -> dict[str, str]:
    """Return the short name of each emoji."""
    names = {}
    for path in (path for folder in folders for path in folder.glob(f"*/{locale}/annotations.json")):
        content = json.loads(path.read_text("utf-8"))
        for emoji, entry in next(iter(content.values())).get("annotations", {}).items():
            names[emoji] = entry.get("tts", [""])[0]
    return names


def emoji_nouns(folders: list[Path], visible: frozenset[str]) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Yield the names of emoji that are called like something visible in English."""
    meanings = emoji_names(folders, "en")
    names = {language: emoji_names(folders, language) for language in LANGUAGES}
    for emoji, meaning in meanings.items():
        if meaning not in visible:
            continue
        said = {language: names[language].get(emoji, "") for language in LANGUAGES}
        yield meaning, {language: [name] for language, name in said.items() if is_short(name)}


def phrases(wordnet: Path) -> frozenset[str]:
    """Return what English nouns of several words are."""
    lines = (wordnet / "index.noun").read_text().splitlines()
    lemmas = (line.split(" ", 1)[0] for line in lines if line[0] != " ")
    return frozenset(lemma.translate(SPACES) for lemma in lemmas if not lemma.isalpha())


def is_short(name: str) -> bool:
    return 0 < len(words_of(name)) <= MAX_WORDS and name.replace(" ", "").replace("-", "").isalpha()


def main() -> None:
    given = parsed_arguments(__doc__, DATA)
    folders = [given.annotations, given.derived]
    forms = Forms(english(given.wordnet, folders), phrases(given.wordnet))
    add_others(forms)
    add_nouns(forms, ((meaning, words) for _, meaning, words in rows(HERE / "nouns.txt")))
    own = set(forms.meanings)
    emoji = Forms(forms.known)
    add_nouns(emoji, emoji_nouns(folders, frozenset(word_list().all)))
    for form, meanings in emoji.meanings.items():
        if form not in own:
            forms.meanings[form] = meanings
    forms.add_plain()
    text = "".join(f"{line}\n" for line in forms.lines())
    given.out.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
