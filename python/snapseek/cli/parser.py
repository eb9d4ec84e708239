"""The argument parser: it proposes the nearest option, and lets the words of a query begin with a minus."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from snapseek.errors import near_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NUMBER = re.compile(r"=?\d+")


def check_options(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Exit with a message that names the nearest option if a long option is unknown."""
    known = {name: action for each in _with_children(parser) for name, action in _options(each).items()}
    for argument in arguments:
        if argument == "--":
            return
        name = argument.partition("=")[0]
        if len(name) > 2 and name.startswith("--") and not any(long.startswith(name) for long in known):
            parser.error(f"unrecognized option {name}{near_name(name, known)}")


def words_last(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a search with its options first, then `--` and the words of the query.

    So a word may begin with a minus, and words and options may come in any order. A word is what no option
    has as its name: `-k5` and `-k 5` are the option, `-kitten` is a word. After `--` all are words.
    """
    known = _options(parser)
    options: list[str] = []
    words: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            words += remaining
        elif (action := _option_of(argument, known)) is None and not argument.startswith("--"):
            words.append(argument)
        elif action is None or "=" in argument or action.nargs == 0 or not _is_whole(argument, known):
            options.append(argument)
        else:
            options += _with_value(argument, next(remaining, None))
    return [*options, "--", *words] if words else options


def subparser_of(parser: argparse.ArgumentParser, command: str) -> argparse.ArgumentParser:
    """Return the parser of a command."""
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    found: argparse.ArgumentParser = actions[0].choices[command]
    return found


def _option_of(argument: str, known: dict[str, argparse.Action]) -> argparse.Action | None:
    """Return the option that an argument names, be it short, abbreviated or joined with its value."""
    name = argument.partition("=")[0]
    if argument.startswith("--"):
        found = {id(action): action for long, action in known.items() if long.startswith(name)}
        return known.get(name) or (next(iter(found.values())) if len(found) == 1 else None)
    if argument in known:
        return known[argument]
    takes_number = argument[:2] in known and known[argument[:2]].nargs != 0
    return known[argument[:2]] if takes_number and _NUMBER.fullmatch(argument[2:]) else None


def _is_whole(argument: str, known: dict[str, argparse.Action]) -> bool:
    """Return whether the value of the option is the next argument."""
    return argument in known or argument.startswith("--")


def _with_value(name: str, value: str | None) -> list[str]:
    """Return an option and its value as one argument where the value begins with a minus."""
    if value is None or not value.startswith("-"):
        return [name] if value is None else [name, value]
    return [f"{name}={value}" if name.startswith("--") else f"{name}{value}"]


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    # argparse has no public list of its options.
    return {name: action for action in parser._actions for name in action.option_strings}


def _with_children(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _with_children(child)
