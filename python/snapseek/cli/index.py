"""`snapseek index`: make a folder of pictures searchable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapseek.cli.console import (
    check_indexed,
    picture_bar,
    print_missing_folders,
    print_report,
    print_size,
    print_status,
    printable,
)
from snapseek.cli.options import add_building, add_folders, add_serving, fetch_limits
from snapseek.errors import MissingArgumentError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from snapseek.library import Library


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare FOLDER... and how the library is made."""
    add_folders(parser)
    add_building(parser)


def run(options: argparse.Namespace) -> None:
    """Index the folders."""
    build_library(options.folders, options.library, options)


def add_page_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `open` and `demo`, which index and then serve."""
    add_building(parser)
    add_serving(parser)
    parser.add_argument("--no-open", dest="open", action="store_false", help="do not open the browser")
    parser.add_argument("--no-serve", dest="serve", action="store_false", help="exit when the index is done")


def build_library(folders: list[Path], path: Path | None, options: argparse.Namespace) -> Library:
    """Index the folders into the library at `path`, by default the one inside the folder."""
    from snapseek.library import Library
    from snapseek.library.paths import library_of
    from snapseek.models import Encoder
    from snapseek.sources import open_source

    if path is None and len(folders) > 1:
        raise MissingArgumentError(
            expected="--library L if several folders are indexed into one library",
            got=f"{len(folders)} folders without it",
            hint="pass --library L, or index one folder at a time",
        )
    for folder in folders:
        open_source(folder)  # fails for a missing folder before a model is downloaded
    target = path or library_of(folders[0])
    encoder = Encoder.load(options.model, model_dir=options.model_dir)
    print_status(f"model {encoder.name} on {encoder.provider}, library {printable(str(target))}")
    with picture_bar() as report:
        library = Library.build(
            folders,
            target,
            encoder=encoder,
            threads=options.threads,
            memory=options.memory,
            retry_failed=options.retry_failed,
            limits=fetch_limits(options),
            progress=report,
        )
    if library.report:
        print_report(library.report)
    print_missing_folders(library)
    print_size(library)
    if library.report:
        check_indexed(library, library.report)
    return library
