"""The parts of `models/starter/` that need no torch: WordNet, colours, measures."""

import json
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
STARTER = REPOSITORY / "models" / "starter"
sys.path.insert(0, str(STARTER))

from colour import NAMES, SAID, anchors, centre_weights  # noqa: E402
from evaluate import Ranking  # noqa: E402
from labels import bare  # noqa: E402
from wordnet import Noun, WordNet, parse_noun  # noqa: E402

DOG = (
    "02084071 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 003 @ 02083346 n 0000 @ 01317541 n 0000 "
    '~ 01322604 n 0000 | a member of the genus Canis; "the dog barked all night"  '
)


def small_wordnet() -> WordNet:
    """Animal 1 above bird 2 and dog 3; poodle 4 below dog."""
    parents = {1: (), 2: (1,), 3: (1,), 4: (3,)}
    nouns = {number: Noun(number, 5, (f"n{number}",), "", above, False) for number, above in parents.items()}
    return WordNet(nouns, {"crane": [2, 3]}, {"goose": "geese"})


def test_a_line_of_wordnet():
    noun = parse_noun(DOG)
    assert noun.lemmas == ("dog", "domestic dog", "Canis familiaris")
    assert (noun.offset, noun.file, noun.gloss) == (2084071, 5, "a member of the genus Canis")
    assert noun.parents == (2083346, 1317541)
    assert not noun.named


def test_a_proper_noun_is_distinguished_from_a_kind():
    line = "09275473 15 n 01 Everest 0 001 @i 09359803 n 0000 | a mountain peak  "
    assert parse_noun(line).named


def test_classes_beneath_a_kind():
    words = small_wordnet()
    assert words.leaves([4, 2]) == {4: [0], 3: [0], 1: [0, 1], 2: [1]}
    assert words.ancestors(4) == [(3, 1), (1, 2)]
    assert (words.rank("Crane", 3), words.rank("crane", 9), words.rank("stork", 2)) == (1, 2, 0)


def test_names_are_compared_without_brackets_and_case():
    assert bare("Kite (bird of prey)") == bare("kite") == "kite"


def test_every_colour_has_anchors_and_a_word():
    points, names = anchors()
    assert points.shape == (len(names), 3)
    assert (names.sum(0) > 0).all()
    assert set(NAMES) <= set(SAID)
    assert all(set(colours) <= set(NAMES) for colours in SAID.values())
    assert centre_weights().sum() == pytest.approx(1)


def test_measures_of_a_ranking():
    ranking = Ranking("dog", (0, 3, 40))
    assert (ranking.recall(1), ranking.precision(10), ranking.precision(2)) == (1.0, 1 / 3, 1 / 2)
    assert Ranking("cat", (10,)).recall(10) == 0.0


@pytest.mark.parametrize("name", ["demo", "stamps", "imagenet"])
def test_labels_name_only_pictures_that_are_searched(name):
    labels = json.loads((STARTER / "labels" / f"{name}.json").read_text())
    pictures = set(labels["pictures"])
    groups = [group for group in labels.values() if isinstance(group, dict)]
    assert groups
    for group in groups:
        assert all(relevant and set(relevant) <= pictures for relevant in group.values())


def test_the_labelled_demo_pictures_are_the_demo_pictures():
    labels = json.loads((STARTER / "labels" / "demo.json").read_text())
    folders = (REPOSITORY / "demo" / "pictures", REPOSITORY / "python" / "snapseek" / "demo" / "pictures")
    there = {path.relative_to(folder).as_posix() for folder in folders for path in folder.rglob("*.jpg")}
    assert set(labels["pictures"]) == there
