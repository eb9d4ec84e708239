"""The help of every command as docs/CLI.md shows it. `make cli-help` rewrites it there."""

import argparse
import os
import re
from collections.abc import Iterator
from pathlib import Path

from snapseek.cli.main import make_parser

DOCUMENT = Path(__file__).parents[2] / "docs" / "CLI.md"
BLOCK = re.compile(r"```text\n\$ snapseek ?(.*?) ?--help\n(.*?)```", re.DOTALL)
_WIDTH = "100"


def helps() -> dict[str, str]:
    """The help by the words before --help: `index`, `models pull`; "" is that of snapseek itself."""
    os.environ["COLUMNS"] = _WIDTH
    os.environ["NO_COLOR"] = "1"
    return {words: parser.format_help() for words, parser in parsers()}


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every parser by the words that lead to it."""
    return _within("", make_parser())


def _within(words: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from _within(f"{words} {name}".strip(), inner)


def shown() -> dict[str, str]:
    """The help as the document shows it."""
    return dict(BLOCK.findall(DOCUMENT.read_text()))


def with_helps(text: str) -> str:
    """The document with what the parsers say in the place of what it showed."""
    now = helps()

    def block(match: re.Match[str]) -> str:
        words = f"snapseek {match[1]}".strip()
        return f"```text\n$ {words} --help\n{now[match[1]]}```"

    return BLOCK.sub(block, text)


if __name__ == "__main__":
    DOCUMENT.write_text(with_helps(DOCUMENT.read_text()))
