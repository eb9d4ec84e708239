"""A library changes while it is served: no error, and no answer that mixes two of its states."""

import pytest

from live_figures import Answer, Plan, fault_of, search_while_changing

STATES = {"a": frozenset({1, 2, 3}), "b": frozenset({2, 3, 4, 5})}


def test_every_answer_is_of_one_state(tmp_path):
    plan = Plan(first=60, added=120, removed=24, rounds=6, clients=3, pause_s=0.005)
    run = search_while_changing(tmp_path, plan)
    assert run.faults() == []
    assert len(run.states) > plan.rounds
    assert len({answer.version for answer in run.answers}) > 2
    last = run.answers[-1]
    assert (last.total, last.count) == (156, 156)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer("a", 3, 3, (3, 1), 1.0), None),
        (Answer("c", 3, 3, (3, 1), 1.0), "never committed"),
        (Answer("a", 3, 3, (3, 4), 1.0), r"pictures \[4\] were not in a"),
        (Answer("a", 4, 3, (3, 1), 1.0), "4 and 3 counted"),
        (Answer("a", 3, 4, (3, 1), 1.0), "3 and 4 counted"),
        (Answer("b", 4, 4, (5, 5), 1.0), "twice"),
    ],
)
def test_a_mixed_answer_would_be_seen(answer, fault):
    found = fault_of(answer, STATES)
    if fault is None:
        assert found is None
    else:
        with pytest.raises(RuntimeError, match=fault):
            raise RuntimeError(found)
