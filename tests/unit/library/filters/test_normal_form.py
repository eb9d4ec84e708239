import pytest

from snapseek.errors import InputError
from snapseek.library.filters.ast import And, Condition, Not, Or
from snapseek.library.filters.normal_form import MAX_CONDITIONS, MAX_DEPTH, check_size, normalized

A, B, C = (Condition(name, "=", 1) for name in "abc")


def test_many_ways_to_write_it_have_one_form():
    expected = normalized(And((A, B, Not(C))))
    for tree in (
        And((Not(C), B, A, A)),
        And((And((A,)), Or((And((B, Not(Not(Not(C))))),)))),
        Not(Not(And((B, And((Not(C), A)), And(()))))),
    ):
        assert normalized(tree) == expected
    assert normalized(Or((A,))) == A
    assert normalized(And(())) == And(())
    assert normalized(And((A, B))) != normalized(Or((A, B)))


def test_trees_have_a_largest_size():
    deep = A
    for _ in range(MAX_DEPTH - 1):
        deep = Not(deep)
    check_size(deep)
    check_size(And((A,) * MAX_CONDITIONS))
    with pytest.raises(InputError, match="16 levels"):
        check_size(Not(deep))
    with pytest.raises(InputError, match="256 conditions"):
        check_size(And((A,) * (MAX_CONDITIONS + 1)))
