"""The words of a command line, led to the command that they name."""

import argparse
import io
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from snapseek import __version__
from snapseek.cli.care import COMPACT, REPAIR, VERIFY
from snapseek.cli.command import Command
from snapseek.cli.distil import DISTIL
from snapseek.cli.export import EXPORT
from snapseek.cli.imports import IMPORT
from snapseek.cli.index import DEMO, INDEX, OPEN
from snapseek.cli.info import INFO
from snapseek.cli.models import MODELS
from snapseek.cli.notes import note, shown
from snapseek.cli.previews import PREVIEWS
from snapseek.cli.search import SEARCH
from snapseek.cli.serve import SERVE
from snapseek.cli.sync import ADD, REMOVE, SYNC
from snapseek.cli.watch import WATCH
from snapseek.errors import SnapseekError, near_name

COMMANDS: tuple[Command, ...] = (
    DEMO,
    OPEN,
    INDEX,
    SYNC,
    ADD,
    REMOVE,
    IMPORT,
    PREVIEWS,
    SERVE,
    SEARCH,
    INFO,
    WATCH,
    EXPORT,
    VERIFY,
    REPAIR,
    COMPACT,
    MODELS,
    DISTIL,
)
"""Every command, in the order of the help."""

_NAMES = tuple(command.name for command in COMMANDS)
_REFUSED = 1
_STOPPED = 130
_UNREAD = 141
_EPILOG = """\
`snapseek FOLDER` is `snapseek open FOLDER`: index it, serve the page, open the browser.
Exit codes: 0 done, 1 not done or verify found damage, 2 misused, 130 stopped by Ctrl-C.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (default: those of the process). Returns the exit code."""
    warnings.filterwarnings("ignore", module="PIL")  # what is wrong with a picture is said in its own line
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name may have letters that a narrow encoding lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = make_parser()
    if is_stranger(words):
        parser.error(_about_stranger(words[0]))
    options = parser.parse_args(with_command(words))
    try:
        code: int = options.run(options) or 0
        sys.stdout.flush()
        return code
    except SnapseekError as error:
        note(f"snapseek: {shown(str(error))}", style="red")
        return _REFUSED
    except KeyboardInterrupt:
        note("snapseek: stopped; nothing half-written stays")
        return _STOPPED
    except BrokenPipeError:  # who read the output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _UNREAD
    except OSError as error:  # a path that cannot even be looked at
        if not isinstance(error.filename, str):
            raise
        place = shown(error.filename)
        note(
            f"snapseek: cannot look at {place}: {error.strerror}; name another place or let it be read",
            style="red",
        )
        return _REFUSED


def with_command(words: list[str]) -> list[str]:
    """The words, `open` before them where they begin with a folder."""
    return ["open", *words] if _begin_with_place(words) else words


def is_stranger(words: list[str]) -> bool:
    """Whether the first word is no command, and no folder either: not there, and not written as a path."""
    return _begin_with_place(words) and Path(words[0]).name == words[0] and not os.access(words[0], os.F_OK)


def _begin_with_place(words: list[str]) -> bool:
    return bool(words) and not words[0].startswith("-") and words[0] not in _NAMES


def _about_stranger(word: str) -> str:
    return f"expected a command or a folder that is there, found {shown(word)!r}{near_name(word, _NAMES)}"


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; what it returns has the command's `run`."""
    parser = argparse.ArgumentParser(
        prog="snapseek",
        description="Search your pictures by words.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"snapseek {__version__}")
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        told = f"{command.summary[0].upper()}{command.summary[1:]}. {command.details}".strip()
        of_command = parsers.add_parser(command.name, help=command.summary, description=told)
        command.arguments(of_command)
        of_command.set_defaults(run=command.run)
    return parser
