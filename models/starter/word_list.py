"""Write the words that the package ships: `python models/starter/word_list.py --out FILE`.

Everyday words are those of `concepts.txt`. Things are WordNet's physical nouns that its makers met in running
text, by their first sense, without names of persons and places and without slurs.
"""

import argparse
import re
from pathlib import Path

from ingredients import INGREDIENTS
from wordnet import PHYSICAL_FILES, Noun, WordNet

HERE = Path(__file__).parent
SHIPPED = HERE.parents[1] / "python/snapseek/models/words.txt"
HEADER = """\
# Words to make texts of. Everyday words: this project's. Things: nouns of WordNet 3.0, Copyright 2006 by
# Princeton University, all rights reserved; its licence is in starter/NOTICE.md.
# Made by models/starter/word_list.py.
"""
_PLAIN = re.compile(r"[a-z]{2,}(?:[ -][a-z]{2,}){0,2}")
_UNKIND = re.compile(r"offensive|disparag|derogat|slur|obscene|vulgar|slang|pejorative|prostitut")


def everyday(path: Path) -> list[str]:
    """Return the words of the concept list, each once, in its order."""
    lines = [line for line in path.read_text().splitlines() if ":" in line and not line.startswith("#")]
    return list(dict.fromkeys(word for line in lines for word in line.partition(":")[0].strip().split("|")))


def things(words: WordNet, met: set[str]) -> list[str]:
    """Return the nouns whose first sense a camera can see, among those that were `met`."""
    first = {word: words.nouns[senses[0]] for word, senses in words.senses.items() if word in met}
    return sorted(word for word, noun in first.items() if _PLAIN.fullmatch(word) and _can_be_shown(noun))


def _can_be_shown(noun: Noun) -> bool:
    return noun.file in PHYSICAL_FILES and not noun.named and not _UNKIND.search(noun.gloss)


def met_in_text(index: Path) -> set[str]:
    """Return the words of `index.noun` of which a sense was found in the texts that were tagged."""
    rows = (line.split() for line in index.read_text().splitlines() if line[0] != " ")
    return {row[0].replace("_", " ") for row in rows if int(row[-int(row[2]) - 1]) > 0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache/snapseek-build")
    given = parser.parse_args()
    folder = INGREDIENTS["wordnet-base"].fetch(given.work) / "usr/share/wordnet"
    common = everyday(HERE / "concepts.txt")
    known = set(common)
    others = [
        word for word in things(WordNet.read(folder), met_in_text(folder / "index.noun")) if word not in known
    ]
    parts = [HEADER, "# everyday\n", *(f"{word}\n" for word in common), "# things\n"]
    given.out.write_text("".join([*parts, *(f"{word}\n" for word in others)]))


if __name__ == "__main__":
    main()
