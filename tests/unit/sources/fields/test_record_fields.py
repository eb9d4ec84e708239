import pytest

from snapseek.sources.fields.record_fields import metadata_in, split_tags


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ('["a","b"]', ("a", "b")),
        ("['a', 'b, c']", ("a", "b, c")),
        ('["a", 2024]', ("a", "2024")),
        ("[a, b]", ("a", "b")),
        ("[]", ()),
        ("a; b", ("a", "b")),
        ("a;b;", ("a", "b")),
        ("a|b", ("a", "b")),
        ("a | b, c", ("a", "b, c")),
        ("a, b", ("a", "b")),
        ("Smith, Ann; Lee, Bo", ("Smith, Ann", "Lee, Bo")),
        ("one tag", ("one tag",)),
        ("", ()),
        ("[" * 2000 + "]", None),
    ],
)
def test_tags_as_a_text(text, tags):
    found = metadata_in({"tags": text}).tags
    assert tags is None or found == tags


def test_nested_lists_are_no_tags():
    assert metadata_in({"tags": '[["a"], "b", null]'}).tags == ("b",)
    assert split_tags("x" * 10) == ["x" * 10]


@pytest.mark.parametrize("name", ["caption", "description", "text"])
def test_captions_that_are_lists_are_kept(name):
    assert metadata_in({name: ["a cat", " a cat on a mat "]}).caption == "a cat; a cat on a mat"
    assert metadata_in({name: ("a cat", None, 5)}).caption == "a cat"
    assert metadata_in({name: []}).caption is None


def test_the_first_field_with_a_text_counts():
    assert metadata_in({"caption": [""], "description": "words"}).caption == "words"


@pytest.mark.parametrize(
    ("rating", "stars"),
    [(5, 5), ("4", 4), (3.0, 3), (0, None), (-1, -1), (9, None), ("x", None), (None, None)],
)
def test_a_rating(rating, stars):
    assert metadata_in({"rating": rating}).rating == stars


def test_a_time_of_takeout_that_is_unknown():
    assert metadata_in({"photoTakenTime": {"timestamp": "0"}}).taken is None
