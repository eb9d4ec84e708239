import random

import pytest

from snapseek.models.queries.query_templates import QueryTemplates, article


@pytest.mark.parametrize(
    ("one", "many"),
    [("goose", "geese"), ("wild cat", "wild cats"), ("berry", "berries"), ("fox", "foxes"), ("toy", "toys")],
)
def test_plurals(one, many):
    assert QueryTemplates({"goose": "geese"}, random.Random(0)).plural(one) == many


def test_phrases_are_those_of_the_seed():
    first, again = (QueryTemplates({}, random.Random(3)).described("owl", 6) for _ in range(2))
    assert first == again
    assert all("owl" in phrase for phrase in first)
    assert article("owl") == "an owl"


def test_a_joined_phrase_names_both():
    phrase = QueryTemplates({}, random.Random(1)).joined("owl", "bench")
    assert "owl" in phrase
    assert "bench" in phrase
