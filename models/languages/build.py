"""Write the words by which a model for English notices other languages.

The words are the names and keywords of emoji in the annotations of Unicode's CLDR: what a picture can show,
in many languages. Words of English get a mark; WordNet, the annotations in English and the project's own
lists say which these are.

    npm pack cldr-annotations-full@48.2.0 cldr-annotations-derived-full@48.2.0  # tar -x both
    apt-get download wordnet-base  # dpkg -x
    python models/languages/build.py --annotations A --derived D --wordnet W/usr/share/wordnet
"""

import argparse
import gzip
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snapseek.models.text.languages import AMBIGUOUS, DATA, HOMOGRAPH, LANGUAGES, WORD, without_accents

ROOT = Path(__file__).parents[2]
HOMOGRAPHS = Path(__file__).with_name("homographs.txt")
OWN_WORDS = (
    Path(__file__).with_name("english.txt"),
    ROOT / "python/snapseek/models/queries/words.txt",
    ROOT / "models/starter/concepts.txt",
)
ENGLISH = ("en", "en-001", "en-AU", "en-CA", "en-GB", "en-IN")
PARTS = ("noun", "verb", "adj", "adv")
MIN_COUNT = 4
"""A rare English word counts as foreign if it is a keyword of that many emoji in another language."""

MAX_LANGUAGES = 8
"""Unless it is a keyword in that many languages: then it is international, as *sushi*."""

SUFFIXES = (
    *(("s", ""), ("es", ""), ("ies", "y"), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e")),
    *(("er", ""), ("er", "e"), ("est", ""), ("ly", ""), ("ness", "")),
)


@dataclass(frozen=True)
class English:
    """`common` words, and `rare` ones that WordNet has but no text that was tagged."""

    common: frozenset[str]
    rare: frozenset[str]

    def inflects(self, word: str) -> bool:
        """Return whether the word is a form of a common one, such as a plural."""
        stems = ((len(word) - len(suffix), suffix, end) for suffix, end in SUFFIXES)
        return any(
            word.endswith(suffix) and length >= 3 and word[:length] + end in self.common
            for length, suffix, end in stems
        )


def keywords(folders: list[Path], locale: str) -> Counter[str]:
    """Return the words of a locale, with the number of emoji that have each."""
    texts: Counter[str] = Counter()
    for path in (path for folder in folders for path in folder.glob(f"*/{locale}/annotations.json")):
        content = json.loads(path.read_text("utf-8"))
        for entry in next(iter(content.values())).get("annotations", {}).values():
            texts.update(entry.get("default", []) + entry.get("tts", []))
    words: Counter[str] = Counter()
    for text, count in texts.items():
        for word in WORD.findall(unicodedata.normalize("NFC", text.lower())):
            words[word] += count
    return words


def english(wordnet: Path, folders: list[Path]) -> English:
    """Read the words of English."""
    tagged = {line.split("%")[0] for line in (wordnet / "cntlist.rev").read_text().splitlines()}
    lower: set[str] = set()
    names: set[str] = set()
    for part in PARTS:
        for lemma in _lemmas(wordnet / f"data.{part}"):
            (lower if lemma.islower() else names).add(lemma.lower())
        lines = (wordnet / f"{part}.exc").read_text().splitlines()
        lower.update(word for line in lines for word in line.split() if "_" not in word)
    own = {word for path in OWN_WORDS for word in _own_words(path)}
    annotated = {word for locale in ENGLISH for word in keywords(folders, locale)}
    common = ((lower | names) & tagged) | own | annotated
    return English(frozenset(common), frozenset(lower - common))


def _lemmas(path: Path) -> Iterator[str]:
    for line in path.read_text().splitlines():
        if line[0] != " ":
            words = line.partition(" | ")[0].split()
            lemmas = words[4 : 4 + 2 * int(words[3], 16) : 2]
            yield from (re.sub(r"\(.*\)", "", lemma) for lemma in lemmas if "_" not in lemma)


def _own_words(path: Path) -> Iterator[str]:
    lines = (line for line in path.read_text().splitlines() if not line.startswith("#"))
    return (word for line in lines for word in WORD.findall(line.lower()))


def is_english(word: str, count: int, languages: int, known: English) -> bool:
    """Return whether people mean the English word more often than that of another language."""
    is_rare_elsewhere = count < MIN_COUNT or languages >= MAX_LANGUAGES
    return word in known.common or known.inflects(word) or (word in known.rare and is_rare_elsewhere)


def lines_of(folders: list[Path], known: English) -> Iterator[str]:
    """Yield the lines of the list, sorted: a word, its mark, and the languages that have it."""
    words = {language: _latin(keywords(folders, language)) for language in LANGUAGES}
    homographs = dict(line.split() for line in HOMOGRAPHS.read_text("utf-8").splitlines() if line[:1] != "#")
    loanwords = {word for word in known.common if without_accents(word) != word and _is_latin(word)}
    every = {word for counts in words.values() for word in counts} | homographs.keys() | loanwords
    for word in sorted(every, key=lambda word: word.encode()):
        languages = [language for language in LANGUAGES if word in words[language]]
        if word in homographs:
            yield f"{word} {HOMOGRAPH} {homographs[word].replace(',', ' ')}"
            continue
        count = max((words[language][word] for language in languages), default=0)
        mark = AMBIGUOUS if is_english(word, count, len(languages), known) else ""
        yield " ".join(filter(None, [word, mark, *([] if mark else languages)]))


def _latin(counts: Counter[str]) -> Counter[str]:
    return Counter({word: count for word, count in counts.items() if len(word) > 1 and _is_latin(word)})


def _is_latin(word: str) -> bool:
    return all(unicodedata.name(letter, "").startswith("LATIN") for letter in word if letter.isalpha())


def parsed_arguments(about: str, out: Path) -> argparse.Namespace:
    """Return the folders of the sources, and the file to write, by default `out`."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--derived", type=Path, required=True)
    parser.add_argument("--wordnet", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=out)
    return parser.parse_args()


def main() -> None:
    given = parsed_arguments(__doc__, DATA)
    folders = [given.annotations, given.derived]
    text = "".join(f"{line}\n" for line in lines_of(folders, english(given.wordnet, folders)))
    given.out.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
