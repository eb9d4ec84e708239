from datetime import date

import pytest

from snapseek.errors import InputError
from snapseek.library.filters.ast import And, Condition, GeoWithin, Not, Or
from snapseek.library.filters.from_mapping import from_mapping


def test_what_mappings_say():
    assert from_mapping({}) == And(())
    assert from_mapping({"year": {">=": 2020, "<": 2022}, "folder": "holiday"}) == And(
        (
            And((Condition("year", ">=", 2020), Condition("year", "<", 2022))),
            Condition("folder", "=", "holiday"),
        )
    )
    assert from_mapping({"any": [{"kind": "png"}, {"not": {"tags": ["a", "b"]}}]}) == And(
        (
            Or(
                (
                    And((Condition("kind", "=", "png"),)),
                    And((Not(And((Condition("tags", "in", ("a", "b")),))),)),
                )
            ),
        )
    )
    assert from_mapping({"near": [48.85, 2.35, 5]}) == And((GeoWithin(48.85, 2.35, 5),))
    assert from_mapping({"camera": None}) == And((Condition("camera", "exists", False),))
    assert from_mapping({"taken": date(2020, 1, 2)}) == And((Condition("taken", "=", date(2020, 1, 2)),))


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
        ({"a": b"x"}, "got bytes"),
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
        from_mapping(where)
