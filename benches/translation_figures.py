"""Measure how well the starter understands other languages: `python -m benches.translation_figures`.

The texts of benches/labels/translations.json were written before the words of the translations were. A noun
is understood if it is read as one of its labels, reported if the answer has a notice that it is not, and
otherwise silent: it is read as English. The queries are those of the demo pictures, with the same labels in
every language.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benches.relevance_figures import REPOSITORY
from snapseek import Encoder
from snapseek.images import open_image
from snapseek.library.paths import DEMO_PICTURES
from snapseek.models.text.languages import ENGLISH, unknown_words
from snapseek.models.text.translations import in_english

LABELS = Path(__file__).parent / "labels/translations.json"
DEMO = REPOSITORY / "models/starter/labels/demo.json"
EXTRA_PICTURES = REPOSITORY / "demo/pictures"


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


def open_demo(name: str) -> Image.Image:
    """Open a picture of the demo, which has a part in the package."""
    folder = next(folder for folder in (DEMO_PICTURES, EXTRA_PICTURES) if (folder / name).is_file())
    return open_image(folder / name).image


def demo_figures(encoder: Encoder, texts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return P@10 and R@1 of the demo's queries in each language, with and without translation."""
    demo = json.loads(DEMO.read_text("utf-8"))
    rows = np.concatenate([encoder.embed_images([open_demo(name)]) for name in demo["pictures"]])
    untranslated = Encoder.load("starter")
    untranslated.text.read_as = str
    found = {}
    for language in ("en", *next(iter(texts.values()))):
        figures = []
        for model in (encoder, untranslated):
            each = []
            for query, names in texts.items():
                right = np.isin(demo["pictures"], demo["queries"][query])
                scores = rows @ model.embed_texts([names.get(language, query)])[0]
                each.append((precision(scores, right), float(right[np.argmax(scores)])))
            figures.append(100 * np.mean(each, axis=0))
        (p10, r1), (p10_before, r1_before) = figures
        found[language] = f"P@10 {p10:.1f}, R@1 {r1:.1f}; untranslated {p10_before:.1f}, {r1_before:.1f}"
    return found


def main() -> None:
    labels = json.loads(LABELS.read_text("utf-8"))
    for language, nouns in labels["nouns"].items():
        outcomes = {text: outcome(text, right) for text, right in nouns.items()}
        others = [f"{text} {found}" for text, found in outcomes.items() if found != "understood"]
        print(f"{language}: {len(nouns) - len(others)} of {len(nouns)} understood; {', '.join(others)}")
    for language, figures in demo_figures(Encoder.load("starter"), labels["queries"]).items():
        print(f"{language}: {figures}")


if __name__ == "__main__":
    main()
