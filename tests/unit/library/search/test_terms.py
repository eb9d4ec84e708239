"""snapseek.library.search.terms."""

from pathlib import Path

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st
from PIL import Image

from snapseek.errors import InputError
from snapseek.library.search.terms import MAX_TERMS, MAX_WEIGHT, Term, parse, terms_of, written


def read(query: str) -> list[tuple[object, float]]:
    return [(term.subject, term.weight) for term in parse(query)]


UNSEEN = "\u00ad\u2060\ufeff"
ORDINARY = [
    "two dogs on a beach",
    "t-shirt",
    "a black-and-white photo of New York",
    "Jean-Luc's x-ray, well-known",
    "pre- and post-war houses",
    "rock-'n'-roll",
    "the road \N{EN DASH} at night \N{EM DASH} in the rain",
    "the road -- at night",
    "a clock showing 12:30",
    "12:30",
    "16:9 wallpaper",
    "John 3:16",
    "Terminator 2:Judgment Day",
    "note: a dog",
    "id: a dog",
    "image: a dog",
    "http://example.com/dog",
    "-5 degrees",
    "+5 degrees and -10 at night",
    "C++ on a screen",
    "rock+roll",
    "2+2=4 on a blackboard",
    'a sign that says "stop"',
    'a sign that says "stop - look + listen"',
    '"stop" sign',
    'a 12" record',
    '5" disk',
    'an odd "quote',
    "a smile -_- or ->",
    "5 x 7 : 35",
    "2: snow",
    "2:3 cars",
    "1e3:snow",
    "\N{DOG FACE} \u72ac",
    "two  spaces\tand a tab",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_means_itself(text: str):
    assert read(text) == [(text, 1.0)]
    assert read(f"\n {text} ") == [(text, 1.0)]


@given(st.text().filter(lambda text: text.strip() and not set(text) & set('+-":' + UNSEEN)))
def test_text_without_a_sign_a_quote_or_a_colon_means_itself(text: str):
    assert read(text) == [(text.strip(), 1.0)]


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ('horse + stripes - "2:snow"', [("horse", 1), ("stripes", 1), ("snow", -2)]),
        ("horse + stripes - 2:snow", [("horse", 1), ("stripes", 1), ("snow", -2)]),
        ("zebra -stripes +spots", [("zebra", 1), ("stripes", -1), ("spots", 1)]),
        ("a red car - at night + in the snow", [("a red car", 1), ("at night", -1), ("in the snow", 1)]),
        ("-snow", [("snow", -1)]),
        ("- snow + horse", [("snow", -1), ("horse", 1)]),
        ("+ horse", [("horse", 1)]),
        ("2:golden retriever", [("golden retriever", 2)]),
        ('"2:golden retriever"', [("golden retriever", 2)]),
        ('2:"golden retriever"', [("golden retriever", 2)]),
        ('-"2:golden retriever"', [("golden retriever", -2)]),
        (".5:a + 0.25:b - 1.:c", [("a", 0.5), ("b", 0.25), ("c", -1)]),
        ("0.7:beach 0.3:sunset at sea", [("beach", 0.7), ("sunset at sea", 0.3)]),
        ('"0.7:beach" "0.3:sunset"', [("beach", 0.7), ("sunset", 0.3)]),
        ("horse -2:snow", [("horse", 1), ("snow", -2)]),
        ("-2:snow", [("snow", -2)]),
        ("horse + -2:snow", [("horse", 1), ("snow", -2)]),
        ("horse - -2:snow", [("horse", 1), ("snow", 2)]),
        ('horse - "-2:snow"', [("horse", 1), ("snow", 2)]),
        ("0:snow + horse", [("snow", 0), ("horse", 1)]),
        ('"12 - 30"', [("12 - 30", 1)]),
        ('"12:30" + "a + b"', [("12:30", 1), ("a + b", 1)]),
        ('1:"2:snow"', [("2:snow", 1)]),
        ('"id:5"', [("id:5", 1)]),
        ('"image:dog"', [("image:dog", 1)]),
        ('"say ""stop"""', [('say "stop"', 1)]),
        ('"2:"', [("2:", 1)]),
        ("horse - 5 riders", [("horse", 1), ("5 riders", -1)]),
        ("\u72ac -\u732b", [("\u72ac", 1), ("\u732b", -1)]),
    ],
)
def test_signs_weights_and_phrases(query: str, terms: list[tuple[str, float]]):
    assert read(query) == terms


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("id:17", [(17, 1)]),
        ("id:-9223372036854775808", [(-(2**63), 1)]),
        ("id:17 + at night - 0.5:id:18", [(17, 1), ("at night", 1), (18, -0.5)]),
        ("id:1 -id:2 +id:3", [(1, 1), (2, -1), (3, 1)]),
        ("2:id:1 3:id:2", [(1, 2), (2, 3)]),
        ("image:dog.jpg", [(Path("dog.jpg"), 1)]),
        ("image:new york.jpg + night", [(Path("new york.jpg"), 1), ("night", 1)]),
        ('2:image:"a - b + c.jpg" - day', [(Path("a - b + c.jpg"), 2), ("day", -1)]),
        (r'image:"C:\new folder\a.jpg"', [(Path(r"C:\new folder\a.jpg"), 1)]),
        ("image:/t-shirts/red-1.jpg", [(Path("/t-shirts/red-1.jpg"), 1)]),
        ("the id:17", [("the id:17", 1)]),
    ],
)
def test_pictures_are_terms(query: str, terms: list[tuple[object, float]]):
    assert read(query) == terms


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "empty query"),
        (" \n\t", "empty query"),
        ("x" * 10_000, "at most 1000 characters, got 10000"),
        ("-", "a term after the operator, got the end at character 2 (→) of the query: -→"),
        ("horse +  ", "got the end at character 8 (→) of the query: horse +→"),
        ("horse - + snow", "got another operator at character 9 (→) of the query: horse - →+ snow"),
        ("horse + -snow", "got another operator at character 9 (→) of the query: horse + →-snow"),
        ('horse - "snow', 'got none at character 9 (→) of the query: horse - →"snow'),
        ('"a""', 'a second " that closes this one, got none at character 1 '),
        ('image:"dog.jpg', 'a second " that closes this one, got none at character 7 '),
        ('horse + ""', "words between the quotes, got none at character 9 "),
        ('horse + 2:" "', "words between the quotes, got none at character 11 "),
        (
            "id:abc",
            "the number of a picture after id:, then + or - or the end, got something else at character 4 ",
        ),
        ("id:5 in the snow", "at character 4 (→) of the query: id:→5 in the snow"),
        ("id:9223372036854775808", "the number of a picture"),
        ("id:\u0663", "the number of a picture"),
        ("1001:snow", "a weight from -1000 to 1000, got 1001 at character 1 "),
        ('horse + "9999:snow"', "a weight from -1000 to 1000, got 9999 at character 10 "),
        ("9" * 400 + ":snow", "a weight from -1000 to 1000"),
        (" + ".join(["a"] * 17), "at most 16 terms, got more at character 63 "),
    ],
)
def test_a_malformed_query_is_refused_with_its_place(query: str, sentence: str):
    with pytest.raises(InputError) as caught:
        parse(query)
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 200


def test_characters_that_nobody_sees_are_no_part_of_words():
    assert read("Son\u00adnen\u00adun\u00adter\u00adgang - Schnee\ufeff") == [
        ("Sonnenuntergang", 1),
        ("Schnee", -1),
    ]
    assert read('image:"a\u00adb.jpg"') == [(Path("a\u00adb.jpg"), 1)]
    assert read("\u00ad") == [("\u00ad", 1)]


def test_a_long_query_is_shown_around_the_place():
    with pytest.raises(InputError) as caught:
        parse("word " * 20 + "+ + " + "more " * 20)
    assert str(caught.value).endswith(": …rd word word word word word + →+ more more more more more mor…")


LETTERS = st.text(st.sampled_from("ab2:+-\" .\\\u732b\n'\0"), min_size=1)
WORDS = (st.text(min_size=1) | LETTERS).filter(lambda text: text.strip() and not set(text) & set(UNSEEN))
WEIGHTS = st.floats(-MAX_WEIGHT, MAX_WEIGHT).map(lambda weight: round(weight, 4)) | st.sampled_from(
    [1.0, -1.0]
)
IDS = st.integers(-(2**63), 2**63 - 1)
TERMS = st.lists(st.builds(Term, WORDS | IDS | WORDS.map(Path), WEIGHTS), min_size=1, max_size=MAX_TERMS)


@given(TERMS.filter(lambda terms: len(written(terms)) <= 1000))
@example([Term("2:snow")])
@example([Term('2:"'), Term("id:7"), Term(7, -1)])
@example([Term("snow", 1e-4), Term("-snow", -1e-4)])
def test_what_is_written_is_read_again(terms: list[Term]):
    assert parse(written(terms)) == terms


@given(st.text(max_size=60) | st.text(st.sampled_from('ab0.5:+-" id:image:'), max_size=30))
def test_any_text_is_read_or_refused_with_a_sentence(query: str):
    try:
        terms = parse(query)
    except InputError as refusal:
        event(str(refusal).partition(" at ")[0])
        return
    assert 1 <= len(terms) <= MAX_TERMS
    again = written(terms)
    assert parse(again) == terms
    assert written(parse(again)) == again


def test_terms_are_written_the_short_way():
    terms = [Term("red car"), Term("snow", -2), Term("12:30", 0.5), Term(7), Term(Path("a.jpg"))]
    assert written(terms) == 'red car - 2:snow + 0.5:"12:30" + id:7 + image:"a.jpg"'
    assert written([Term("snow", -1)]) == "- snow"
    assert written([Term(Image.new("RGB", (2, 2)), 2)]) == "2:image:(picture)"


def test_a_query_in_python_may_be_anything_that_a_term_may_be():
    picture = Image.new("RGB", (2, 2))
    assert terms_of("a + b") == [Term("a"), Term("b")]
    assert terms_of(7) == [Term(7)]
    assert terms_of(Path("a.jpg")) == [Term(Path("a.jpg"))]
    assert terms_of(picture) == [Term(picture)]
    assert terms_of(Term("a - b", 2)) == [Term("a - b", 2)]
    assert terms_of(["a + b", 7, Term(picture, -1)]) == [Term("a + b"), Term(7), Term(picture, -1)]


@pytest.mark.parametrize("query", [None, True, 1.5, b"dog", [], ["a"] * 17, [None], ["a", " "], [["a"]]])
def test_anything_else_is_refused(query):
    with pytest.raises(InputError, match="expected"):
        terms_of(query)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), 1001, -1001])
def test_a_weight_has_bounds(weight: float):
    with pytest.raises(InputError, match="a weight from -1000 to 1000, got"):
        Term("snow", weight)
