"""`snapseek sync`, `add` and `remove`: a library that follows its folders."""

import argparse
from pathlib import Path

from snapseek.cli.command import Command
from snapseek.cli.notes import note, note_report, note_size, picture_bar
from snapseek.cli.options import add_fetching, add_library, add_memory, count, limits_of, named_path
from snapseek.library import Library
from snapseek.library.places import find_library


def _sync_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folders",
        nargs="*",
        type=named_path,
        metavar="FOLDER",
        help="default: all that the library was made of",
    )
    _add_changing(parser)
    add_memory(parser)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources",
        nargs="+",
        type=named_path,
        metavar="SOURCE",
        help="a folder, a picture, an archive, a list of urls",
    )
    _add_changing(parser)


def _remove_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "pictures",
        nargs="+",
        type=_wanted,
        metavar="WHAT",
        help="the id of a picture, the path of one, or a folder, for all below it",
    )
    add_library(parser)


def _add_changing(parser: argparse.ArgumentParser) -> None:
    add_library(parser)
    parser.add_argument("--threads", type=count, metavar="N", help="pictures at a time (default: all cores)")
    add_fetching(parser)


def _sync(options: argparse.Namespace) -> None:
    library = Library.open(find_library(options.library))
    with picture_bar() as report:
        done = library.sync(
            options.folders or None,
            threads=options.threads,
            memory=options.memory,
            retry_failed=options.retry_failed,
            limits=limits_of(options),
            progress=report,
        )
    note_report(done)
    note_size(library)


def _add(options: argparse.Namespace) -> None:
    library = Library.open(find_library(options.library))
    with picture_bar() as report:
        done = library.add(
            options.sources, threads=options.threads, limits=limits_of(options), progress=report
        )
    note_report(done)
    note_size(library)


def _remove(options: argparse.Namespace) -> None:
    library = Library.open(find_library(options.library))
    note(f"{library.remove(options.pictures)} pictures taken out; their files stay")
    note_size(library)


def _wanted(word: str) -> int | Path:
    """The id of a picture, or a path."""
    return int(word) if word.isdecimal() and word.isascii() else named_path(word)


SYNC = Command(
    "sync",
    "take up what was added, changed, moved and removed",
    _sync_arguments,
    _sync,
    "Only what is new or changed is embedded; a folder that is not there takes nothing away.",
)
ADD = Command("add", "take further folders or single pictures into a library", _add_arguments, _add)
REMOVE = Command(
    "remove",
    "take pictures out of a library",
    _remove_arguments,
    _remove,
    "Their files stay, and sync passes over them until they change.",
)
