import pytest

from snapseek.errors import InputError
from snapseek.library.filters.tree import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    Condition,
    Every,
    Near,
    Not,
    Some,
    check_size,
    conditions,
    normalised,
)

A, B, C = (Condition(name, "=", 1) for name in "abc")


def test_many_ways_to_write_it_have_one_form():
    expected = normalised(Every((A, B, Not(C))))
    for tree in (
        Every((Not(C), B, A, A)),
        Every((Every((A,)), Some((Every((B, Not(Not(Not(C))))),)))),
        Not(Not(Every((B, Every((Not(C), A)), Every(()))))),
    ):
        assert normalised(tree) == expected
    assert normalised(Some((A,))) == A
    assert normalised(Every(())) == Every(())
    assert normalised(Every((A, B))) != normalised(Some((A, B)))


def test_every_condition_of_a_tree():
    assert list(conditions(Every((A, Not(Some((B, Near(0, 0, 1)))))))) == [A, B, Near(0, 0, 1)]


def test_trees_have_a_largest_size():
    deep = A
    for _ in range(MAX_DEPTH - 1):
        deep = Not(deep)
    check_size(deep)
    check_size(Every((A,) * MAX_CONDITIONS))
    with pytest.raises(InputError, match="16 levels"):
        check_size(Not(deep))
    with pytest.raises(InputError, match="256 conditions"):
        check_size(Every((A,) * (MAX_CONDITIONS + 1)))
