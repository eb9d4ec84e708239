"""Parse the arguments, run the command that they name, and turn errors into messages and exit codes."""

import argparse
import io
import os
import sys
import warnings
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

from snapseek import __version__
from snapseek.cli.commands import COMMAND_NAMES, COMMANDS
from snapseek.cli.console import print_error, print_status, printable
from snapseek.cli.interrupt import EXIT_INTERRUPTED, deferred_interrupt
from snapseek.cli.parser import check_options, subparser_of, words_last
from snapseek.errors import SnapseekError, near_name
from snapseek.startup import ExitOnInterrupt, hide_pandas, raise_on_interrupt, without_collection

_EXIT_FAILED = 1
_EXIT_BROKEN_PIPE = 141
_FIRST_STEPS = """\
Search your pictures by words. Three first steps:

  snapseek demo         try it with the pictures that come with snapseek
  snapseek ~/Pictures   index a folder of your own and open the page
  snapseek --help       list all commands
"""
_HELP = "help"
_PANDAS_COMMANDS = ("cluster",)
"""Ray uses pandas."""

_GLOBAL_OPTIONS = ("-h", "--help", "--version")
_FREQUENT_OPTIONS = ("--library", "--model", *_GLOBAL_OPTIONS)
_EPILOG = """\
`snapseek` alone opens the library that was used last.
`snapseek FOLDER` is `snapseek open FOLDER`: index it, serve the page, open the browser.
Exit codes: 0 done, 1 failed or nothing indexed or verify found damage, 2 wrong usage, 130 stopped by Ctrl-C.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (default: those of the process). Return the exit code."""
    warnings.filterwarnings("ignore", module="PIL")  # each unreadable picture gets a line of its own
    if isinstance(sys.stdout, io.TextIOWrapper):  # the encoding may lack letters of a name
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        raise_on_interrupt()
        command_line = with_command(list(sys.argv[1:] if arguments is None else arguments))
        if not command_line:
            sys.stdout.write(_FIRST_STEPS)
            return 0
        options = _parse(command_line)
        is_program = arguments is None
        if is_program and options.command not in _PANDAS_COMMANDS:
            hide_pandas()
        with deferred_interrupt(), without_collection() if is_program else nullcontext():
            import_module("snapseek.library")
        code: int = options.run(options) or 0
        sys.stdout.flush()
        return code
    except SnapseekError as error:
        print_error(error)
        return _EXIT_FAILED
    except KeyboardInterrupt:
        with ExitOnInterrupt():  # a second Ctrl-C must not interrupt the message
            print_status("snapseek: stopped; nothing half-written stays")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of the output, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _EXIT_BROKEN_PIPE
    except OSError as error:  # a path that the process may not access
        if not isinstance(error.filename, str):
            raise
        print_error(
            SnapseekError(
                f"cannot read {printable(error.filename)}: {error.strerror}",
                hint="use another path or change its permissions",
            )
        )
        return _EXIT_FAILED
    except Exception as error:
        if not _is_of_a_library(error):
            raise
        print_error(
            SnapseekError(
                f"{type(error).__name__}: {error}",
                hint="run snapseek verify; if it finds nothing, report this",
            )
        )
        return _EXIT_FAILED


def _is_of_a_library(error: Exception) -> bool:
    """Return whether an exception is one of the libraries that read files, which no user can interpret."""
    return type(error).__module__.partition(".")[0] in ("pyarrow", "sqlite3", "PIL")


def with_command(arguments: list[str]) -> list[str]:
    """Return the arguments, with `open` before them if they begin with a path.

    Without arguments, return those that serve the library that was used last; none if there is none.
    """
    if not arguments:
        from snapseek.library.recent import recent_libraries

        return next((["serve", "--open", str(path)] for path in recent_libraries()), [])
    if arguments[0] == _HELP and is_unknown_command(arguments):
        return [*(name for name in arguments[1:2] if name in COMMAND_NAMES), "--help"]
    if not _begin_with_path(arguments) or is_unknown_command(arguments):
        return arguments
    return ["open", *arguments]


def is_unknown_command(arguments: list[str]) -> bool:
    """Return whether the first argument is no command and no path: it has no separator and does not exist."""
    return (
        _begin_with_path(arguments)
        and Path(arguments[0]).name == arguments[0]
        and not os.access(arguments[0], os.F_OK)
    )


def make_parser(loaded: Collection[str] = COMMAND_NAMES) -> argparse.ArgumentParser:
    """Return the parser of all commands; only those `loaded` have arguments and a `run`."""
    parser = argparse.ArgumentParser(
        prog="snapseek",
        description="Search your pictures by words.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"snapseek {__version__}")
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = parsers.add_parser(command.name, help=command.summary, description=command.description)
        if command.name in loaded:
            module = command.load()
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser


def _parse(arguments: list[str]) -> argparse.Namespace:
    # The command is always the first argument: the options before it print something and exit.
    parser = make_parser(arguments[:1])
    if is_unknown_command(arguments):
        found = arguments[0]
        parser.error(
            f"expected a command or an existing folder, got {printable(found)!r}"
            f"{near_name(found, COMMAND_NAMES)}"
        )
    if arguments[0].startswith("-") and not any(known.startswith(arguments[0]) for known in _GLOBAL_OPTIONS):
        name = arguments[0].partition("=")[0]
        near = "" if name in _FREQUENT_OPTIONS else near_name(name, _FREQUENT_OPTIONS)
        parser.error(
            f"expected a command before {printable(name)}{near}; "
            "options follow the command, as in: snapseek search dog --library FOLDER"
        )
    return parser.parse_args(_prepared(parser, arguments))


def _prepared(parser: argparse.ArgumentParser, arguments: list[str]) -> list[str]:
    """Return the arguments as argparse takes them, or exit for an option that is misspelt."""
    if not arguments or arguments[0] not in COMMAND_NAMES:
        return arguments
    command = subparser_of(parser, arguments[0])
    check_options(command, arguments[1:])
    if arguments[0] != "search":
        return arguments
    return [arguments[0], *words_last(command, arguments[1:])]


def _begin_with_path(arguments: list[str]) -> bool:
    return bool(arguments) and not arguments[0].startswith("-") and arguments[0] not in COMMAND_NAMES
