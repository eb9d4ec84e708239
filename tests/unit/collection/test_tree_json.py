"""Filters survive the way to a partition, and nothing else is read as one."""

import json

import pytest

from snapseek.collection.tree_json import tree_from_json, tree_to_json
from snapseek.errors import InputError
from snapseek.library.filters.parser import parse_filter
from snapseek.library.filters.typecheck import STANDARD, typecheck

FILTERS = (
    "rating:>2",
    "-tag:beach",
    "licence:cc0,by year:2018..2020",
    "near:48.85,2.35,5km",
    "size:>2mp orientation:portrait",
    'caption:"red gate" has:camera',
    "date:2020-06 -has:title",
)


@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_is_read_as_it_was_sent(text):
    kinds = {**STANDARD, "licence": "text"}
    tree = typecheck(parse_filter(text, {*kinds}), kinds)
    assert tree_from_json(json.loads(json.dumps(tree_to_json(tree)))) == tree
    assert tree_from_json(tree_to_json(None)) is None


@pytest.mark.parametrize(
    "value",
    [
        7,
        [],
        ["xor"],
        ["not"],
        ["not", ["and"], ["and"]],
        ["if", "a", "="],
        ["if", 7, "=", 1],
        ["if", "a", "like", 1],
        ["if", "a", "in", 1],
        ["if", "a", "=", [1]],
        ["if", "a", "=", None],
        ["if", "a", "=", float("inf")],
        ["if", "a", "=", "x" * 200_000],
        ["if", "a", "in", [1] * 1001],
        ["if", "a", "exists", False],
        ["if", "@orientation", "=", "up"],
        ["near", 1, 2],
        ["near", 91, 2, 3],
        ["near", True, 2, 3],
        ["and", *[["if", "a", "=", 1]] * 300],
    ],
)
def test_another_value_is_no_filter(value):
    with pytest.raises(InputError):
        tree_from_json(value)


def test_a_deep_filter_is_refused():
    tree = ["if", "a", "=", 1]
    for _ in range(5000):
        tree = ["not", tree]
    with pytest.raises(InputError):
        tree_from_json(tree)
