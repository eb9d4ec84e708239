from datetime import date

import pytest

from snapseek.errors import InputError
from snapseek.library.filters.mapping import tree_of
from snapseek.library.filters.tree import Condition, Every, Near, Not, Some


def test_what_mappings_say():
    assert tree_of({}) == Every(())
    assert tree_of({"year": {">=": 2020, "<": 2022}, "folder": "holiday"}) == Every(
        (
            Every((Condition("year", ">=", 2020), Condition("year", "<", 2022))),
            Condition("folder", "=", "holiday"),
        )
    )
    assert tree_of({"any": [{"kind": "png"}, {"not": {"tags": ["a", "b"]}}]}) == Every(
        (
            Some(
                (
                    Every((Condition("kind", "=", "png"),)),
                    Every((Not(Every((Condition("tags", "in", ("a", "b")),))),)),
                )
            ),
        )
    )
    assert tree_of({"near": [48.85, 2.35, 5]}) == Every((Near(48.85, 2.35, 5),))
    assert tree_of({"camera": None}) == Every((Condition("camera", "exists", False),))
    assert tree_of({"taken": date(2020, 1, 2)}) == Every((Condition("taken", "=", date(2020, 1, 2)),))


def nested(depth):
    where = {"a": 1}
    for _ in range(depth):
        where = {"not": where}
    return where


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ([], "expected a filter such as"),
        ({"a": {"~": 1}}, "expected one of = != <"),
        ({"a": {"in": "abc"}}, "expected a list of values"),
        ({"a": {"in": [[1]]}}, "expected a text, a number"),
        ({"a": {">": None}}, "expected a text, a number"),
        ({"a": float("nan")}, "finite number"),
        ({"a": 10**400}, "finite number"),
        ({"a": {"exists": 1}}, "true or false"),
        ({"a": ["x"] * 1001}, "at most 1000 values"),
        ({"a": "x" * 1001}, "at most 1000 characters"),
        ({"a": b"x"}, "found bytes"),
        ({1: 2}, "name of a column"),
        ({"any": {"a": 1}}, "expected a list of filters"),
        ({"all": "a"}, "expected a list of filters"),
        ({"not": [1]}, "expected a filter such as"),
        ({"near": [1, 2]}, "latitude, longitude, kilometres"),
        ({"near": [1, 2, True]}, "latitude, longitude, kilometres"),
        ({"near": [91, 0, 1]}, "latitude from -90"),
        ({"near": [0, 0, float("inf")]}, "above 0 km"),
        (nested(20), "at most 16 levels"),
        (nested(5000), "at most 16 levels"),
        ({"any": [{"a": 1}] * 300}, "at most 256 conditions"),
    ],
)
def test_what_is_refused(where, message):
    with pytest.raises(InputError, match=message):
        tree_of(where)
