"""`snapseek sync`, `watch`, `add` and `remove`: a library that follows its pictures."""

import argparse
import re
from pathlib import Path

from snapseek.cli.command import Command
from snapseek.cli.notes import note, note_report, picture_bar
from snapseek.cli.options import add_fetching, add_library, add_memory, count, limits_of
from snapseek.errors import InputError
from snapseek.library import Library
from snapseek.library.places import find_library
from snapseek.library.watch import watch
from snapseek.sources.picture import displayed

_ID = re.compile(r"id:(\d+)")


def _sync_arguments(parser: argparse.ArgumentParser) -> None:
    _add_followed(parser)
    add_fetching(parser)


def _watch_arguments(parser: argparse.ArgumentParser) -> None:
    _add_followed(parser)


def _add_followed(parser: argparse.ArgumentParser) -> None:
    """What is followed, and by how much of the machine."""
    parser.add_argument(
        "folders",
        nargs="*",
        type=Path,
        metavar="FOLDER",
        help="without --library one that has its library inside, or a library: all its folders are meant; "
        "default: those of the library of this folder",
    )
    parser.add_argument(
        "--library", type=Path, metavar="L", help="the library, where several folders have one"
    )
    parser.add_argument("--threads", type=count, metavar="N", help="pictures at a time (default: all cores)")
    add_memory(parser)


def _followed(options: argparse.Namespace) -> tuple[Library, list[Path] | None]:
    """The library, and which of its folders are meant; None for all."""
    if options.library is not None:
        return Library.open(find_library(options.library)), options.folders or None
    if len(options.folders) > 1:
        raise InputError("expected --library L where several folders are named")
    return Library.open(find_library(options.folders[0] if options.folders else Path())), None


def _sync(options: argparse.Namespace) -> None:
    library, folders = _followed(options)
    with picture_bar() as progress:
        report = library.sync(
            folders,
            threads=options.threads,
            memory=options.memory,
            retry_failed=options.retry_failed,
            limits=limits_of(options),
            progress=progress,
        )
    note_report(report)


def _watch(options: argparse.Namespace) -> None:
    library, folders = _followed(options)
    try:
        watch(
            library,
            folders,
            threads=options.threads,
            memory=options.memory,
            on_start=lambda watched: note(f"watching {', '.join(map(_shown, watched))} (Ctrl-C stops)"),
            on_sync=note_report,
            on_problem=note,
        )
    except KeyboardInterrupt:
        note("stopped watching; what was taken in stays")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="pictures, folders of pictures, lists of urls, archives",
    )
    parser.add_argument("--threads", type=count, metavar="N", help="pictures at a time (default: all cores)")
    parser.add_argument(
        "--allow-private", action="store_true", help="fetch urls of this machine and its network, too"
    )
    add_library(parser)


def _add(options: argparse.Namespace) -> None:
    library = Library.open(find_library(options.library))
    with picture_bar() as progress:
        report = library.add(
            options.paths, threads=options.threads, limits=limits_of(options), progress=progress
        )
    note_report(report)


def _remove_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="+", metavar="PATH|id:N", help="pictures by path or id, or all below a folder"
    )
    add_library(parser)


def _remove(options: argparse.Namespace) -> None:
    library = Library.open(find_library(options.library))
    named = [int(found[1]) if (found := _ID.fullmatch(word)) else Path(word) for word in options.what]
    removed = library.remove(named)
    note(f"{removed} pictures removed from the library; their files stay")


def _shown(path: Path) -> str:
    return displayed(str(path))


SYNC = Command(
    "sync",
    "take up what was added, changed, moved or removed in the folders of a library",
    _sync_arguments,
    _sync,
    "Pictures that did not change are not embedded again; pictures that moved keep their ids.",
)
WATCH = Command(
    "watch",
    "follow the folders of a library, as what is in them changes",
    _watch_arguments,
    _watch,
    "Needs snapseek[watch]. A served library shows what was taken up within a second.",
)
ADD = Command("add", "put pictures or further folders into a library", _add_arguments, _add)
REMOVE = Command(
    "remove",
    "take pictures out of a library",
    _remove_arguments,
    _remove,
    "Their files stay, and sync passes over them until they change.",
)
