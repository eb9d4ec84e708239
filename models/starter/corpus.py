"""The texts that the text tower learns from, each with the classes that it should find.

All of them are made here: words and glosses of WordNet, the concept list, and phrases around them.
"""

import random
from dataclasses import dataclass

from concepts import Concept
from labels import Label
from snapseek.models.queries.query_templates import QueryTemplates
from wordnet import PERSON_FILE, PHYSICAL_FILES, Noun, WordNet

WIDEST_NODE = 420  # a kind with more classes beneath it says too little
WIDEST_HOST, FARTHEST_HOST = 60, 4  # other nouns hang at most 4 levels under a kind of at most 60 classes
SENSE_WEIGHTS = (1.0, 0.35, 0.15)
MIXTURES = 16_000


@dataclass(frozen=True)
class Sample:
    """One text; `classes` are class numbers, a repeated one means more; `weight` scales its loss."""

    text: str
    classes: tuple[int, ...]
    weight: float


@dataclass(frozen=True)
class Corpus:
    """Makes samples from its sources; the same seed makes the same samples."""

    words: WordNet
    labels: list[Label]
    concepts: list[Concept]
    seed: int = 7

    def samples(self) -> list[Sample]:
        """Return all samples, shuffled."""
        rng = random.Random(self.seed)
        phrasing = QueryTemplates(self.words.plurals, rng)
        leaves = self.words.leaves(label.offset for label in self.labels)
        found = self._of_labels(phrasing)
        found += self._of_kinds(leaves, phrasing)
        found += self._of_other_nouns(leaves)
        found += self._of_concepts(phrasing)
        found += self._mixtures([sample for sample in found if sample.weight >= 1], rng, phrasing)
        rng.shuffle(found)
        return found

    def _of_labels(self, phrasing: QueryTemplates) -> list[Sample]:
        found = []
        for label in self.labels:
            texts = (*label.descriptions, *phrasing.framed(label.name, 3))
            found += [Sample(text, (label.number,), 1.0) for text in texts]
        return found

    def _of_kinds(self, leaves: dict[int, list[int]], phrasing: QueryTemplates) -> list[Sample]:
        found = []
        for offset, classes in leaves.items():
            if len(classes) > WIDEST_NODE:
                continue
            noun = self.words.nouns[offset]
            for lemma in noun.lemmas:
                weight = self._sense_weight(lemma, offset)
                count = 2 if weight >= 1 else 0
                texts = [lemma, phrasing.plural(lemma)]
                texts += phrasing.framed(lemma, 1 + 2 * count) + phrasing.described(lemma, 2 * count)
                found += [Sample(text, tuple(classes), weight) for text in texts]
            found.append(Sample(noun.gloss, tuple(classes), 0.7))
        return found

    def _of_other_nouns(self, leaves: dict[int, list[int]]) -> list[Sample]:
        found = []
        for noun in self.words.nouns.values():
            host = self._host(noun, leaves)
            if host is None:
                continue
            for lemma in noun.lemmas[:3]:
                weight = 0.6 * self._sense_weight(lemma, noun.offset)
                found.append(Sample(lemma, tuple(leaves[host]), weight))
            found.append(Sample(noun.gloss, tuple(leaves[host]), 0.3))
        return found

    def _host(self, noun: Noun, leaves: dict[int, list[int]]) -> int | None:
        if noun.offset in leaves or noun.file not in PHYSICAL_FILES:
            return None
        # WordNet's thousands of famous people would all be called baseball players or bridegrooms.
        if noun.named and noun.file == PERSON_FILE:
            return None
        for node, level in self.words.ancestors(noun.offset):
            if level <= FARTHEST_HOST and 0 < len(leaves.get(node, ())) <= WIDEST_HOST:
                return node
        return None

    def _of_concepts(self, phrasing: QueryTemplates) -> list[Sample]:
        found = []
        for concept in self.concepts:
            for word in concept.words:
                texts = [word, word, phrasing.plural(word), *phrasing.framed(word, 8)]
                texts += phrasing.described(word, 5)
                found += [Sample(text, concept.classes, 3.0) for text in texts]
        return found

    def _mixtures(self, samples: list[Sample], rng: random.Random, phrasing: QueryTemplates) -> list[Sample]:
        short = [sample for sample in samples if sample.text.count(" ") <= 1 and len(sample.classes) <= 60]
        found = []
        for _ in range(MIXTURES):
            first, second = rng.sample(short, 2)
            text = phrasing.joined(first.text, second.text)
            # Each half counts the same, however many classes it has: repeat the shorter list.
            times = max(1, round(len(first.classes) / len(second.classes)))
            back = max(1, round(len(second.classes) / len(first.classes)))
            found.append(Sample(text, first.classes * back + second.classes * times, 1.0))
        return found

    def _sense_weight(self, lemma: str, offset: int) -> float:
        rank = self.words.rank(lemma, offset)
        return SENSE_WEIGHTS[min(rank, len(SENSE_WEIGHTS) - 1)]
