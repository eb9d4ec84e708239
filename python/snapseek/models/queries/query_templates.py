"""Templates of queries: plurals, articles, photo phrases, adjectives, colors."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

VOWELS = frozenset("aeiou")

FRAMES = (
    "{a}",
    "{many}",
    "the {one}",
    "a photo of {a}",
    "a picture of {a}",
    "photo of {many}",
    "pictures of {many}",
    "a close-up of {a}",
    "two {many}",
    "three {many}",
    "some {many}",
    "a lot of {many}",
    "a group of {many}",
    "my {one}",
    "{one} photo",
    "{one} picture",
    "image of {a}",
    "{a} outdoors",
    "{a} outside",
    "{a} in the background",
    "a person with {a}",
    "show me {many}",
    "there is {a}",
    "someone holding {a}",
)

ADJECTIVES = [
    "small",
    "big",
    "large",
    "little",
    "tiny",
    "huge",
    "old",
    "new",
    "young",
    "cute",
    "funny",
    "beautiful",
    "pretty",
    "nice",
    "wild",
    "wooden",
    "shiny",
    "bright",
    "dark",
    "fresh",
    "single",
    "empty",
    "close",
    "modern",
    "ancient",
    "vintage",
    "antique",
    "colorful",
    "colourful",
    "lovely",
    "sleeping",
    "sitting",
    "standing",
    "wet",
    "dirty",
    "clean",
    "broken",
    "round",
    "tall",
    "long",
    "happy",
    "lonely",
    "famous",
    "traditional",
    "rusty",
    "hot",
    "cold",
]

COLOUR_WORDS = [
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
    "black",
    "white",
    "gray",
    "grey",
    "golden",
    "turquoise",
]

IRREGULAR = {
    "child": "children",
    "deer": "deer",
    "fish": "fish",
    "fisherman": "fishermen",
    "foot": "feet",
    "goose": "geese",
    "knife": "knives",
    "leaf": "leaves",
    "loaf": "loaves",
    "man": "men",
    "mouse": "mice",
    "ox": "oxen",
    "people": "people",
    "person": "people",
    "policeman": "policemen",
    "sheep": "sheep",
    "shelf": "shelves",
    "tooth": "teeth",
    "wife": "wives",
    "wolf": "wolves",
    "woman": "women",
}

JOINTS = ("{} and {}", "{} with {}", "{} next to {}", "{} on {}", "{} in front of {}", "{}, {}")


def article(word: str) -> str:
    """Return `a word`, or `an apple`."""
    return f"{'an' if word[0].lower() in VOWELS else 'a'} {word}"


@dataclass(frozen=True)
class QueryTemplates:
    """Generates random phrases about nouns.

    `plurals` are irregular ones, such as `{"mouse": "mice"}`; `rng` is the random generator.
    """

    plurals: Mapping[str, str]
    rng: random.Random

    def plural(self, phrase: str) -> str:
        """Return the plural of a noun phrase."""
        head, _, word = phrase.rpartition(" ")
        return f"{head} {self._plural_word(word)}".strip()

    def _plural_word(self, word: str) -> str:
        if word in self.plurals:
            return self.plurals[word]
        if word.endswith(("s", "x", "z", "ch", "sh")):
            return word if word.endswith("s") and not word.endswith("ss") else word + "es"
        if word.endswith("y") and word[-2:-1] not in VOWELS:
            return word[:-1] + "ies"
        return word + "s"

    def framed(self, noun: str, count: int) -> list[str]:
        """Return `count` distinct phrases about a noun."""
        frames = self.rng.sample(FRAMES, min(count, len(FRAMES)))
        return [frame.format(one=noun, many=self.plural(noun), a=article(noun)) for frame in frames]

    def described(self, noun: str, count: int) -> list[str]:
        """Return `count` phrases of an adjective or color and a noun; every third one is framed too."""
        phrases = []
        for index in range(count):
            source = COLOUR_WORDS if self.rng.random() < 0.4 else ADJECTIVES
            phrase = f"{self.rng.choice(source)} {noun}"
            phrases.append(self.framed(phrase, 1)[0] if index % 3 == 0 else phrase)
        return phrases

    def joined(self, first: str, second: str) -> str:
        """Return one phrase that names two things."""
        left, right = (self.rng.choice((noun, article(noun), self.plural(noun))) for noun in (first, second))
        return self.rng.choice(JOINTS).format(left, right)
