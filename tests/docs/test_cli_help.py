"""docs/CLI.md shows the help of every command."""

import argparse
import sys

import pytest

from snapseek.cli.commands import COMMANDS
from tests.support import cli_help

same_help = pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse names options in another way")


@pytest.fixture(scope="module", autouse=True)
def terminal():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "")
        patch.setenv("NO_COLOR", "")
        yield


@same_help
def test_the_document_shows_the_help_of_every_command():
    helps, shown = cli_help.helps(), cli_help.shown()
    assert list(shown) == list(helps)
    for words, text in helps.items():
        # Pythons differ in where they break lines.
        assert shown[words].split() == text.split(), f"run: make cli-help ({words})"


def test_every_argument_is_explained():
    assert all(command.summary for command in COMMANDS)
    for words, parser in cli_help.parsers():
        for action in parser._actions:
            is_documented = action.help or isinstance(action, argparse._SubParsersAction)
            assert is_documented, (words, action.option_strings or action.dest)


@same_help
def test_rewriting_the_document_changes_nothing():
    text = cli_help.DOCUMENT.read_text()
    assert cli_help.with_helps(text).split() == text.split()
