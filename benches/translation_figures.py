"""Measure how well the starter understands other languages: `python -m benches.translation_figures`.

The texts of benches/labels/translations.json were written before the words of the translations were. A noun
is understood if it is read as one of its labels, reported if the answer has a notice that it is not, and
otherwise silent: it ranks noise. The queries are those of the demo pictures, whose labels are the same in every language.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.relevance_figures import REPOSITORY, embedded
from snapseek import Encoder
from snapseek.models.text.languages import ENGLISH, unknown_words
from snapseek.models.text.translations import in_english

LABELS = Path(__file__).parent / "labels/translations.json"
DEMO = REPOSITORY / "models/starter/labels/demo.json"


def outcome(text: str, right: Sequence[str]) -> str:
    """Return whether a text is `understood`, `wrong`, `reported` as not known, or `silent`."""
    read = in_english(text)
    if read in right:
        return "understood"
    if read != text:
        return "wrong"
    return "reported" if unknown_words(text, ENGLISH) else "silent"


def precision(scores: NDArray[np.float32], right: NDArray[np.bool_], depth: int = 10) -> float:
    """Return the share of right pictures among the first, or among as many as are right."""
    depth = min(depth, int(right.sum()))
    return float(right[np.argsort(-scores, kind="stable")[:depth]].mean())


def demo_figures(encoder: Encoder, queries: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[float, float]]:
    """Return P@10 and R@1 of the demo's queries in each language, in percent."""
    demo = json.loads(DEMO.read_text("utf-8"))
    rows = embedded(encoder, REPOSITORY / "demo/pictures", demo["pictures"])
    found = {}
    for language in ("en", *next(iter(queries.values()))):
        each = []
        for query, names in queries.items():
            right = np.isin(demo["pictures"], demo["queries"][query])
            scores = rows @ encoder.embed_texts([names.get(language, query)])[0]
            each.append((precision(scores, right), float(right[np.argmax(scores)])))
        found[language] = tuple(100 * np.mean(each, axis=0))
    return found


def main() -> None:
    labels = json.loads(LABELS.read_text("utf-8"))
    for language, nouns in labels["nouns"].items():
        outcomes = {text: outcome(text, right) for text, right in nouns.items()}
        counts = Counter(outcomes.values())
        others = ", ".join(
            f"{text} {found}" for text, found in outcomes.items() if found not in ("understood", "reported")
        )
        print(f"{language}: {counts['understood']} of {len(nouns)} understood, {dict(counts)}; {others}")
    encoder = Encoder.load("starter")
    after = demo_figures(encoder, labels["queries"])
    encoder.text.read_as = str
    encoder = Encoder.load("starter")
    encoder.text.read_as = str
    before = demo_figures(encoder, labels["queries"])
    for language, (p10, r1) in after.items():
        print(f"{language}: P@10 {p10:.1f}, R@1 {r1:.1f}; without translation {before[language][0]:.1f}, {before[language][1]:.1f}")


if __name__ == "__main__":
    main()
