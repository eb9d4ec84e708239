"""Compare rules of near-duplicates on labelled pairs: `python -m benches.duplicate_figures STAMPS`.

STAMPS is the folder `stamps` of Debian's tuxpaint-stamps-default. The pairs are those of
benches/labels/duplicates.json: the rule was chosen on one half, the other half is for its figures.
"""

import json
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benches.altered_copies import CHANGES
from snapseek import Encoder
from snapseek.images import open_image
from snapseek.images.preview import make_preview
from snapseek.library.search.likeness import CosineBars, Look, PictureFacts, PreviewComparison
from snapseek.models.queries.background import load_background

REPOSITORY = Path(__file__).parents[1]
_EARLIER_CORRELATION = 0.75


@dataclass(frozen=True)
class Picture:
    """A picture, perhaps changed."""

    vector: np.ndarray
    look: Look


@dataclass(frozen=True)
class Pair:
    """Two pictures, whether they are the same, the change of the second, and whether for choosing."""

    first: Picture
    second: Picture
    is_same: bool
    change: str
    is_for_choosing: bool

    @property
    def cosine(self) -> float:
        return float(self.first.vector @ self.second.vector)


Rule = Callable[[Pair], bool]


def rules(bars: CosineBars) -> dict[str, Rule]:
    """Return the rules by name."""

    def shipped(pair: Pair) -> bool:
        looks = [pair.first.look, pair.second.look]
        return PreviewComparison(lambda numbers: [looks[number] for number in numbers], bars).alike(
            0, [1], [pair.cosine]
        ) == [1]

    return {
        "cosine of 0.96": lambda pair: pair.cosine >= 0.96,
        "earlier: previews at one place": lambda pair: pair.cosine >= 0.96 and _earlier(pair),
        "in results": lambda pair: pair.cosine >= bars.close and shipped(pair),
        "in the review": lambda pair: pair.cosine >= bars.near and shipped(pair),
    }


def _earlier(pair: Pair) -> bool:
    """The rule of earlier versions: previews correlate as they lie, and aspects are alike."""
    (first, aspect, _), (second, other_aspect, _) = pair.first.look, pair.second.look
    assert first is not None
    assert second is not None
    assert aspect
    assert other_aspect
    correlation = float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
    return correlation >= _EARLIER_CORRELATION and 0.8 <= aspect / other_aspect <= 1.25


class Pictures:
    """Opens, changes, embeds and previews pictures, each once."""

    def __init__(self, encoder: Encoder, stamps: Path) -> None:
        self._encoder = encoder
        self._stamps = stamps
        self._known: dict[tuple[str, str], Picture] = {}

    def get(self, name: str, change: str) -> Picture:
        if (name, change) not in self._known:
            folder = self._stamps.parent if name.startswith("stamps/") else REPOSITORY
            image = open_image(folder / name, min_side=400).image
            if change:
                image = CHANGES[change](image)
            look = Look(PictureFacts(make_preview(image).data, *image.size))
            self._known[name, change] = Picture(self._encoder.embed_images([image])[0], look)
        return self._known[name, change]


def _line(rule: Rule, pairs: list[Pair]) -> str:
    found = [pair for pair in pairs if rule(pair)]
    right = sum(pair.is_same for pair in found)
    all_right = sum(pair.is_same for pair in pairs)
    return f"{right / max(1, len(found)):.3f} | {right / all_right:.3f}"


def main() -> None:
    encoder = Encoder.load("starter")
    background = load_background(encoder)
    assert background is not None
    assert background.pictures is not None
    bars = CosineBars.of(background.pictures)
    labels = json.loads((REPOSITORY / "benches/labels/duplicates.json").read_text())
    pictures = Pictures(encoder, Path(sys.argv[1]))
    pairs = [
        Pair(
            pictures.get(first, ""),
            pictures.get(second, change or ""),
            kind == "copies",
            change or "none",
            zlib.crc32(first.encode()) % 2 == 0,
        )
        for kind in ("copies", "others")
        for first, second, change in labels[kind]
    ]
    choosing = [pair for pair in pairs if pair.is_for_choosing]
    others = [pair for pair in pairs if not pair.is_for_choosing]
    hard = sum(not pair.is_same for pair in others)
    print(f"starter: near {bars.near:.3f}, close {bars.close:.3f}")
    print(f"{len(pairs)} pairs; for figures {len(others)}, {hard} of them different pictures")
    print("| rule | precision | recall | on the pairs for choosing | recall |")
    print("|---|---|---|---|---|")
    for name, rule in rules(bars).items():
        print(f"| {name} | {_line(rule, others)} | {_line(rule, choosing)} |")
    copies = [pair for pair in pairs if pair.is_same]
    print("| change, all pairs | " + " | ".join(rules(bars)) + " |")
    for change in (*CHANGES, "none"):
        same = [pair for pair in copies if pair.change == change]
        found = [f"{sum(map(rule, same)) / len(same):.2f}" for rule in rules(bars).values()]
        print(f"| {change} | {' | '.join(found)} |")


if __name__ == "__main__":
    main()
