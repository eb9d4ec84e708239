"""`snapseek sync`: update a library from its folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from snapseek.cli.console import check_indexed, picture_progress, print_report, print_size
from snapseek.cli.interrupt import EXIT_INTERRUPTED, run_as_job, stop_on_interrupt
from snapseek.cli.options import (
    add_exclude,
    add_fetching,
    add_library,
    add_memory,
    add_picture_threads,
    add_progress,
    add_trust,
    fetch_limits,
    nonempty_path,
    open_library,
)
from snapseek.threads import lower_priority

if TYPE_CHECKING:
    import argparse

    from snapseek.library import Library


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare [FOLDER...] and how pictures are read."""
    parser.add_argument(
        "folders", nargs="*", type=nonempty_path, metavar="FOLDER", help="default: all folders of the library"
    )
    parser.add_argument(
        "--metadata",
        action="store_true",
        help="read the metadata of all pictures again, without embedding them",
    )
    add_library(parser)
    add_trust(parser)
    add_picture_threads(parser)
    add_exclude(parser)
    parser.add_argument(
        "--accept-missing",
        action="append",
        default=[],
        type=nonempty_path,
        metavar="PATH",
        help="remove the pictures of a folder that is missing or empty, which are kept otherwise",
    )
    add_fetching(parser)
    add_memory(parser)
    add_progress(parser)


def run(options: argparse.Namespace) -> int:
    """Sync, then print what changed."""
    options.library = _library_of(options)
    library = open_library(options)
    return run_as_job(options.progress, lambda: _sync(library, options))


def _sync(library: Library, options: argparse.Namespace) -> int:
    if options.progress == "json":  # a job of a server, which answers searches meanwhile
        lower_priority()
    with picture_progress(options.progress) as report, stop_on_interrupt() as stop:
        done = library.sync(
            options.folders or None,
            threads=options.threads,
            memory=options.memory,
            retry_failed=options.retry_failed,
            exclude=options.exclude,
            accept_missing=options.accept_missing,
            metadata=options.metadata,
            limits=fetch_limits(options),
            progress=report,
            stop=stop,
        )
    print_report(done, library.info().path)
    print_size(library)
    if not done.is_stopped:
        check_indexed(library, done)
    return EXIT_INTERRUPTED if done.is_stopped else 0


def _library_of(options: argparse.Namespace) -> Path:
    """Return --library, or else the library of the current directory or of the first FOLDER."""
    from snapseek.library.paths import find_library_above, library_at

    here: Path = options.library
    if not options.folders or here != Path() or library_at(here) or find_library_above(here):
        return here
    return library_at(options.folders[0]) or find_library_above(options.folders[0]) or here
