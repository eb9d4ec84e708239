"""snapseek.cli.index: a command that indexes in a job passes its options on."""

import argparse
from pathlib import Path

from snapseek.cli import index
from snapseek.cli.options import add_building

LOCAL = {"library", "progress"}
"""What the job gets in any case."""


def parsers():
    building, child = argparse.ArgumentParser(), argparse.ArgumentParser()
    add_building(building)
    child.add_argument("command")
    index.add_arguments(child)
    return building, child


def test_every_option_of_an_index_reaches_the_job():
    building, child = parsers()
    values: list[str] = []
    for action in building._actions:
        if action.dest not in {"help", *LOCAL}:
            value = "3" if action.type is not None and action.dest == "threads" else "-x y"
            values.append(action.option_strings[-1] + ("" if action.nargs == 0 else f"={value}"))
    options = building.parse_args([*values, *values])
    sent = index.index_arguments([Path("-pictures")], Path("-library"), options)
    got = vars(child.parse_args(sent))
    expected = {name: value for name, value in vars(options).items() if name not in LOCAL}
    assert {name: got[name] for name in expected} == expected
    assert (got["library"], got["folders"]) == (Path("-library"), [Path("-pictures")])
    assert got["progress"] == "json"
