import gzip
import json
from pathlib import Path

import pytest

from snapseek.models.queries.query_corpus import generate_queries, word_list
from snapseek.models.text.languages import ENGLISH, unknown_words
from snapseek.models.text.translations import DATA, LANGUAGES, _translated, translate
from tests.unit.models.text.test_languages import NAMES_AND_LOANWORDS, english_queries

LABELS = json.loads((Path(__file__).parents[4] / "benches/labels/translations.json").read_text("utf-8"))
LEAST = {"de": 0.95, "fr": 0.85, "es": 0.95, "it": 0.95, "pt": 0.95}
"""The least share of the labelled nouns that is understood; the others are English words, too."""


def english(text):
    translation = translate(text)
    return translation.text if translation else None


@pytest.mark.parametrize("language", LANGUAGES)
def test_labelled_nouns_are_understood(language):
    nouns = LABELS["nouns"][language]
    assert len(nouns) >= 40
    understood = [text for text, right in nouns.items() if english(text) in right]
    assert len(understood) >= LEAST[language] * len(nouns)
    wrong = {text: english(text) for text in nouns if text not in understood and english(text)}
    assert not wrong


def test_english_queries_are_not_changed():
    queries = [*english_queries(), *word_list().things, *generate_queries(500)]
    assert len(queries) > 6000
    assert not {query: english(query) for query in queries if translate(query)}


@pytest.mark.parametrize("name", [name.replace("_", " ") for name in NAMES_AND_LOANWORDS.split()])
def test_names_and_loanwords_are_not_changed(name):
    assert translate(name) is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Hund", "dog"),
        ("HUNDE", "dogs"),
        ("der Hund", "dog"),
        ("Äpfel", "apples"),
        ("Aepfel", "apples"),
        ("rotes auto", "red car"),
        ("zwei rote Autos", "two red cars"),
        ("ein Hund am Strand", "dog at beach"),
        ("l'arbre", "tree"),
        ("l\u2019arbre", "tree"),
        ("coucher de soleil", "sunset"),
        ("une voiture rouge", "red car"),
        ("des chevaux blancs", "white horses"),
        ("un árbol verde", "green tree"),
        ("arbol", "tree"),
        ("a\u0301rbol", "tree"),
        ("luces rojas", "red lights"),
        ("dell'acqua", "of water"),
        ("uova", "eggs"),
        ("cães pretos", "black dogs"),
        ("guarda-chuva", "umbrella"),
        ("Hund Waldi", "dog Waldi"),
    ],
)
def test_articles_plurals_colors_and_accents(text, read):
    assert english(text) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("100 perros", "100 dogs"),
        ("perros 100", "dogs 100"),
        ("die 3 roten Häuser", "3 red houses"),
        ("3,5 kg manzanas", "3,5 kg apples"),
        ("coche de 1967", "car of 1967"),
        ("avión F16", "airplane F16"),
        ("perros 4x4", "dogs 4x4"),
        ("zwei Hunde 12:30", "two dogs 12:30"),
        ("7 gatos 8 9 10", "7 cats 8 9 10"),
        ("perro1", "dog 1"),
        ("gato \u0663", "cat \u0663"),
        ("100 dogs", None),
        ("1967", None),
        ("2 gifts", None),
    ],
)
def test_numbers_stay_where_they_are(text, read):
    assert english(text) == read


@pytest.mark.parametrize(
    ("text", "plain", "read"),
    [
        ("\uff28\uff55\uff4e\uff44", "hund", "dog"),
        ("Son\u00adnen\u00adun\u00adter\u00adgang", "sonnenuntergang", "sunset"),
        ("Hun\u2060d", "hund", "dog"),
    ],
)
def test_full_width_letters_and_invisible_characters_hide_no_word(text, plain, read):
    assert english(text) == read
    assert [word.text.lower() for word in unknown_words(text, ENGLISH)] == [plain]


@pytest.mark.parametrize(
    ("alone", "together", "read"),
    [
        ("chat", "un chat", "cat"),
        ("pain", "le pain", "bread"),
        ("gift", "gift box", None),
        ("boot", "ein Boot", "boat"),
        ("mare", "il mare", "sea"),
        ("auto", "rotes Auto", "red car"),
        ("die", "die hard", None),
        ("rose", "die Rose", None),
        ("chat", "chat room", None),
    ],
)
def test_an_english_word_counts_only_next_to_another(alone, together, read):
    assert english(alone) is None
    assert english(together) == read


@pytest.mark.parametrize(
    "text", ["burro", "serra", "the dog and the Hund", "Rio de Janeiro", "Côte d\u2019Azur"]
)
def test_texts_of_two_meanings_and_names_are_not_changed(text):
    assert translate(text) is None


def test_the_languages_that_have_the_words_are_named():
    assert translate("Hund").languages == ("German",)
    assert translate("casa").languages == ("Spanish", "Italian", "Portuguese")


def test_words_that_are_translated_are_no_longer_reported():
    texts = [text for nouns in LABELS["nouns"].values() for text in nouns if translate(text)]
    assert not [text for text in texts if unknown_words(english(text), ENGLISH)]


def test_the_list_is_sorted_and_whole():
    lines = [line.split("\t") for line in gzip.decompress(DATA.read_bytes()).decode().splitlines()]
    forms = [form.encode() for form, *_ in lines]
    assert forms == sorted(set(forms))
    assert len(lines) > 10_000
    for _, *fields in lines:
        assert fields
        for codes, mark, _ in (field.split(" ", 2) for field in fields):
            assert set(codes.split(",")) <= set(LANGUAGES)
            assert mark.lower() in ("n", "p", "a", "w")
    assert DATA.stat().st_size < 200_000


@pytest.mark.parametrize(
    "text", ["", " ", "'", "''", "l'", "\x00", "\ud800", "a" * 1000, "chien " * 1000, "-", "le " * 99]
)
def test_odd_texts(text):
    found = translate(text)
    assert found is None or len(found.text.split()) <= 64


def test_only_the_beginning_of_a_caption_is_read_and_kept():
    translate("Hund " * 200)
    before = _translated.cache_info().currsize
    assert translate("Hund " * 20_000) == translate("Hund " * 200)
    assert _translated.cache_info().currsize == before
