import gzip
import json
from pathlib import Path

import pytest

from snapseek.models.queries.query_corpus import word_list
from snapseek.models.text.languages import DATA, ENGLISH, LANGUAGES, unknown_words

ROOT = Path(__file__).parents[4]
LABELS = json.loads((ROOT / "benches/labels/languages.json").read_text("utf-8"))
MISSED = {"pl": {"pies"}, "id": {"air"}, "hu": {"nap"}}
"""Words that are common in English, too, with another meaning."""


def flagged(text, languages=ENGLISH):
    return [word.text for word in unknown_words(text, languages)]


def english_queries():
    relevance = json.loads((ROOT / "benches/labels/relevance.json").read_text("utf-8"))
    stamps = json.loads((ROOT / "models/starter/labels/stamps.json").read_text("utf-8"))
    demo = json.loads((ROOT / "models/starter/labels/demo.json").read_text("utf-8"))
    sets = (relevance["choose"], relevance["report"], relevance["stamps_absent"], stamps["kinds"])
    queries = [query for queries in (*sets, demo["queries"], demo["titles"]) for query in queries]
    return list(dict.fromkeys([*queries, *word_list().everyday]))


@pytest.mark.parametrize("language", LABELS["words"])
def test_ten_words_of_a_language_are_understood_or_reported(language):
    understood = {*LABELS["understood"].get(language, ()), *MISSED.get(language, ())}
    words = LABELS["words"][language]
    assert len(words) == 10
    assert {word for word in words if not flagged(word)} <= understood


def test_english_queries_are_not_reported():
    queries = english_queries()
    assert len(queries) >= 500
    assert not any(map(flagged, LABELS["english"]))
    wrong = [query for query in queries if flagged(query)]
    assert len(wrong) <= 0.005 * len(queries), wrong


NAMES_AND_LOANWORDS = """
    naïve façade jalapeño Tokyo taxi crème_brûlée piñata résumé São_Paulo Zürich Björk Beyoncé Machu_Picchu
    Oktoberfest sushi tapas quesadilla gelato La_Tomatina Anna Pablo my_dog_Luna IMG_2034.jpg a_dog\u2019s_ear
    film_noir pane_of_glass chat_window 42 ?! 🐶 x the_dog_and_the_Hund Mont-Saint-Michel \uff24\uff2f\uff27
"""


@pytest.mark.parametrize("text", [text.replace("_", " ") for text in NAMES_AND_LOANWORDS.split()])
def test_names_and_loanwords_are_not_reported(text):
    assert flagged(text) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ein Hund am Strand", ["ein", "Hund", "Strand"]),
        ("chien sur la plage", ["chien", "sur", "plage"]),
        ("un perro en la playa", ["perro", "playa"]),
        ("猫 dog", ["猫"]),
        ("a picture of a собака", []),
        ("SONNENUNTERGANG", ["SONNENUNTERGANG"]),
        ("Schmetterlingsflügel", []),  # a capital: it may be a name
        ("schmetterlingsflügel", ["schmetterlingsflügel"]),
        ("cafe\u0301", []),
        ("ma\u0308dchen", ["mädchen"]),
    ],
)
def test_words_of_a_query_with_several(text, words):
    assert [word for word in flagged(text) if word in words] == words
    assert bool(flagged(text)) == bool(words)


def test_a_homograph_counts_alone_only():
    (chat,) = unknown_words("chat", ENGLISH)
    assert (chat.languages, chat.is_homograph) == (("French",), True)
    assert flagged("chat room") == []
    assert not unknown_words("chien", ENGLISH)[0].is_homograph


def test_the_languages_that_have_a_word_are_named():
    assert unknown_words("chien", ENGLISH)[0].languages == ("French",)
    assert unknown_words("собака", ENGLISH)[0].languages == ("Cyrillic",)
    assert unknown_words("ねこ", ENGLISH)[0].languages == ("Japanese",)
    assert unknown_words("猫", ENGLISH)[0].languages == ("Chinese",)


def test_a_model_that_knows_the_language_understands_it():
    german = frozenset({"en", "de"})
    assert flagged("Hund", german) == []
    assert flagged("chien", german) == ["chien"]
    assert flagged("ein Hund am Strand", german) == []


def test_the_list_is_sorted_and_whole():
    lines = gzip.decompress(DATA.read_bytes()).decode().splitlines()
    words = [line.split(" ")[0].encode() for line in lines]
    assert words == sorted(set(words))
    assert {mark for line in lines for mark in line.split(" ")[1:]} <= {*LANGUAGES, "?", "="}
    assert flagged(words[0].decode()) or " =" in lines[0]
    assert len(lines) > 100_000


@pytest.mark.parametrize(
    "text", ["", " ", "'", "a" * 1000, "\x00", "\ud800", "\u2019" * 100, "chien " * 1000]
)
def test_odd_texts(text):
    assert len(flagged(text)) <= 64
