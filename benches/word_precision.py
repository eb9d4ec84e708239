"""The share of right pictures among the first ten, by the model and by mode `auto`.

    python -m benches.word_precision

The queries are 60 of benches/labels/relevance.json, in the order of the file: 40 with three right pictures or
more, of which a word stands in the names of the demo pictures ("by words"), and 20 of which none does ("by
sight"). The pictures are searched three times: with their names and folders; with their names as captions,
the files called IMG_0001.jpg in one folder; and without any words.
"""

import csv
import json
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from snapseek import Encoder, Library
from snapseek.library.search.bm25 import query_words, word_forms
from snapseek.library.search.terms import Term

REPOSITORY = Path(__file__).parents[1]
_PICTURES = REPOSITORY / "demo" / "pictures"
_BY_WORDS, _BY_SIGHT = 40, 20
_MIN_RIGHT = 3
_DEPTH = 10
Labels = dict[str, set[str]]


def main() -> None:
    labels = json.loads((REPOSITORY / "benches" / "labels" / "relevance.json").read_text())
    names: list[str] = labels["pictures"]
    by_words, by_sight = split_labels({**labels["choose"], **labels["report"]}, names)
    print(f"{len(by_words)} queries by words, {len(by_sight)} by sight, {len(names)} pictures")
    encoder = Encoder.load("starter")
    with tempfile.TemporaryDirectory() as folder:
        for title, has_names, has_captions in (
            ("names and folders", True, False),
            ("captions", False, True),
            ("no words", False, False),
        ):
            copies = Path(folder) / title
            original = copied(names, copies, has_names=has_names, has_captions=has_captions)
            library = Library.build(copies, Path(folder) / f"{title}.snapseek", encoder=encoder)
            for kind, queries in (("by words", by_words), ("by sight", by_sight)):
                found = {mode: precision(library, queries, original, mode) for mode in ("clip", "auto")}
                shown = ", ".join(f"{mode} {value:.3f}" for mode, value in found.items())
                print(f"{title}, {kind}: P@{_DEPTH} {shown}")


def split_labels(labels: dict[str, list[str]], names: Sequence[str]) -> tuple[Labels, Labels]:
    """Return the queries by words and those by sight, with their right pictures."""
    known = {form for name in names for word in query_words(name) for form in word_forms(word)}
    named = {query for query in labels if known.intersection(query_words(query))}
    by_words = {query: set(labels[query]) for query in labels if query in named}
    by_words = {query: right for query, right in by_words.items() if len(right) >= _MIN_RIGHT}
    by_sight = {query: set(right) for query, right in labels.items() if right and query not in named}
    return dict(islice(by_words.items(), _BY_WORDS)), dict(islice(by_sight.items(), _BY_SIGHT))


def copied(names: Sequence[str], folder: Path, *, has_names: bool, has_captions: bool) -> dict[str, str]:
    """Copy the pictures into a folder; return the name that each had, by its name there."""
    original = {name if has_names else f"IMG_{number:04}.jpg": name for number, name in enumerate(names)}
    for copy, name in original.items():
        (folder / copy).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_PICTURES / name, folder / copy)
    if has_captions:
        with (folder / "metadata.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("file_name", "caption"))
            writer.writerows((copy, " ".join(query_words(name))) for copy, name in original.items())
    return original


def precision(library: Library, queries: Labels, original: dict[str, str], mode: str) -> float:
    """Return the mean share of right pictures among the first ten, of as many as there can be."""
    shares = []
    for query, right in queries.items():
        hits = library.search([Term(query)], _DEPTH, mode=mode)
        found = {original["/".join(filter(None, (hit.meta["folder"], hit.meta["name"])))] for hit in hits}
        shares.append(len(found & right) / min(_DEPTH, len(right)))
    return statistics.mean(shares)


if __name__ == "__main__":
    main()
