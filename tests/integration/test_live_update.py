"""A library changes while it is served: no error, and no response that mixes two versions."""

from dataclasses import replace
from pathlib import Path

import pytest

from benches.live_figures import Answer, Plan, Run, fault_of, search_while_changing

STATES = {"a": frozenset({1, 2, 3}), "b": frozenset({2, 3, 4, 5})}
PLAN = Plan(first=60, added=120, removed=24, rounds=6, clients=3, pause_s=0.005)


@pytest.mark.slow
def test_every_response_is_of_one_version(tmp_path):
    run = checked_run(tmp_path, PLAN)
    assert {answer.version for answer in run.answers} <= set(run.states)


@pytest.mark.slow
def test_every_version_is_served_if_the_writer_waits(tmp_path):
    run = checked_run(tmp_path, replace(PLAN, waits=True))
    assert {answer.version for answer in run.answers} == set(run.states)


def checked_run(tmp_path: Path, plan: Plan) -> Run:
    run = search_while_changing(tmp_path, plan)
    assert run.faults() == []
    assert len(run.states) > plan.rounds
    last = list(run.states)[-1]
    assert {(answer.total, answer.count) for answer in run.answers if answer.version == last} == {(156, 156)}
    return run


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
def test_a_mixed_response_is_detected(answer, fault):
    found = fault_of(answer, STATES)
    if fault is None:
        assert found is None
    else:
        with pytest.raises(RuntimeError, match=fault):
            raise RuntimeError(found)
