import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapseek.errors import InputError
from snapseek.library.filters.ast import And, Condition, GeoWithin, Not, Or
from snapseek.library.filters.parser import parse_filter, parse_query

COLUMNS = ["licence", "aesthetic-score", "Photographer", "caption"]


def only(text, columns=COLUMNS):
    """The one condition of a text."""
    (tree,) = parse_filter(text, columns).parts
    return tree


def test_filters_are_taken_out_of_the_words():
    found = parse_query("red car after:2023 on a -tag:draft road", COLUMNS)
    assert found.words == "red car on a road"
    assert found.filters == ("after:2023", "-tag:draft")
    assert found.tree == And((Condition("date", ">=", "2023"), Not(Condition("tag", "=", "draft"))))


@pytest.mark.parametrize(
    "query",
    [
        "two dogs on a beach",
        "id:7 + 2:snow - image:dog.jpg",
        'image:"after:2023 x.jpg" + 2:"in:holiday b"',
        'a sign that says "after:2023"',
        "12:30, 16:9, note: a dog and https://example.com:80/x",
        "after: 2023",
        "unknown:value",
        "before",
        "x-after:2023x:y",
        '5" tall',
    ],
)
def test_what_is_no_filter_stays_as_it_is(query):
    found = parse_query(query, COLUMNS)
    assert (found.words, found.filters, found.tree) == (query, (), None)


@pytest.mark.parametrize("sign", ["-", "- ", "-  "])
def test_a_minus_turns_a_filter_round_and_is_no_operator_of_terms(sign):
    found = parse_query(f"horse {sign}tag:draft + stripes", COLUMNS)
    assert found.words == "horse + stripes"
    assert found.filters == ("-tag:draft",)
    assert found.tree == And((Not(Condition("tag", "=", "draft")),))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("before:2024-06", Condition("date", "<", "2024-06")),
        ("in:holiday/", Condition("folder", "within", "holiday/")),
        ("type:png", Condition("type", "=", "png")),
        ("type:png,webp", Or((Condition("type", "=", "png"), Condition("type", "=", "webp")))),
        ("size:>2mp", Condition("megapixels", ">", 2)),
        ("SIZE:<=1.5MB", Condition("size_bytes", "<=", 1_500_000)),
        ("size:<1kib", Condition("size_bytes", "<", 1024)),
        ("size:1..2mb", And((Condition("size_bytes", ">=", 1e6), Condition("size_bytes", "<=", 2e6)))),
        ("size:..2mp", And((Condition("megapixels", "<=", 2),))),
        ("year:2019..2021", And((Condition("year", ">=", "2019"), Condition("year", "<=", "2021")))),
        ("year:2019..", And((Condition("year", ">=", "2019"),))),
        ('camera:"X100"', Condition("camera", "contains", "X100*")),
        ("camera:=x100", Condition("camera", "=", "x100")),
        ('caption:"red ""big"" door"', Condition("caption", "contains", 'red "big" door')),
        ("near:48.85,2.35,5km", GeoWithin(48.85, 2.35, 5)),
        ("near:-48.85,2,500m", GeoWithin(-48.85, 2, 0.5)),
        ("has:camera", Condition("camera", "exists", True)),
        ("licence:cc0", Condition("licence", "=", "cc0")),
        ("Licence:!=cc0", Condition("licence", "!=", "cc0")),
        ("licence:~by", Condition("licence", "contains", "by")),
        ('licence:"a..b, c"', Condition("licence", "=", "a..b, c")),
        ("photographer:x", Condition("Photographer", "=", "x")),
        ("aesthetic-score:>5", Condition("aesthetic-score", ">", "5")),
    ],
)
def test_every_operator(text, tree):
    assert only(text) == tree


def test_a_column_of_the_library_goes_before_an_operator():
    assert only("size:>2mp", ["size"]) == Condition("size", ">", "2mp")
    assert only("type:a", ["Type"]) == Condition("Type", "=", "a")
    assert only("caption:a", ["caption"]) == Condition("caption", "contains", "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size:2mp", "comparison and a unit"),
        ("size:>2", "comparison and a unit"),
        ("size:1mp..2mb", "comparison and a unit"),
        ("near:paris", "latitude"),
        ("near:95,0,1km", "latitude from -90 to 90"),
        ("near:1,2,0km", "above 0 km"),
        ("near:1.2.3,2", "latitude"),
        ("type:png,", "expected a value after type"),
        ("type:>", "expected a value after type"),
        ('caption:"red"door', "expected a value after caption"),
        ("after:>2020", "plain value after after:"),
        ("year:2020 dogs", "got 'dogs'; known:"),
        ("unknown:3", "got 'unknown:3'"),
        ("tag:a " * 300, "at most 256 conditions"),
        ("tag:" + "a" * 5000, "at most 4000 characters"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_filter(text, ["tag"])


@given(st.text(alphabet='abr:-+<>=~!.," \\t0129*/é', max_size=60))
def test_no_text_does_harm_and_no_word_is_lost(text):
    try:
        found = parse_query(text, ["a", "b"])
    except InputError:
        return
    if found.tree is None:
        assert found.words == text.strip()
    assert len(found.words) <= len(text)
