"""`snapseek index`: make a folder of pictures searchable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapseek.cli.console import (
    check_indexed,
    picture_progress,
    print_missing_folders,
    print_offer,
    print_report,
    print_size,
    print_stage,
    print_status,
    printable,
    upgrade_progress,
)
from snapseek.cli.interrupt import EXIT_INTERRUPTED, stop_on_interrupt
from snapseek.cli.options import add_building, add_folders, add_serving, fetch_limits
from snapseek.errors import MissingArgumentError
from snapseek.threads import lower_priority

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from snapseek.library import Library
    from snapseek.library.indexing.sync_report import Progress
    from snapseek.models import Encoder


_FIRST_PAGE = 60
"""Pictures that a page shows first."""

INDEX_OPTIONS = ("model", "model_dir", "threads", "memory", "retry_failed", "allow_private", "exclude")
"""The options of `index` that a command passes on when it indexes in a job."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare FOLDER... and how the library is made."""
    add_folders(parser)
    add_building(parser)


def run(options: argparse.Namespace) -> int:
    """Index the folders."""
    library = build_library(options.folders, options.library, options)
    return EXIT_INTERRUPTED if library.report and library.report.is_stopped else 0


def add_page_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `open` and `demo`, which index and then serve."""
    add_building(parser)
    add_serving(parser)
    parser.add_argument("--no-open", dest="open", action="store_false", help="do not open the browser")
    parser.add_argument("--no-serve", dest="serve", action="store_false", help="exit when the index is done")
    parser.add_argument(
        "--no-watch", dest="watch", action="store_false", help="do not index what changes in the folders"
    )


def library_path(folders: list[Path], path: Path | None) -> Path:
    """Return where folders are indexed: `path`, by default the library inside the folder.

    Raises InputError if a folder is missing, or if there are several and no path.
    """
    from snapseek.library.paths import library_of
    from snapseek.sources import open_source

    if path is None and len(folders) > 1:
        raise MissingArgumentError(
            expected="--library L if several folders are indexed into one library",
            got=f"{len(folders)} folders without it",
            hint="pass --library L, or index one folder at a time",
        )
    for folder in folders:
        open_source(folder)  # fails for a missing folder before a model is downloaded
    return path or library_of(folders[0])


def index_arguments(folders: list[Path], path: Path, options: argparse.Namespace) -> list[str]:
    """Return the arguments of `snapseek` that index folders as these options say, with JSON progress."""
    arguments = ["index", "--progress", "json", f"--library={path}"]
    for name in INDEX_OPTIONS:
        value = getattr(options, name)
        if value is True:
            arguments.append(_flag(name))
        elif value is not None and value is not False:
            entries = value if isinstance(value, list) else [value]
            arguments += [f"{_flag(name)}={entry}" for entry in entries]  # a value may begin with a dash
    return [*arguments, "--", *map(str, folders)]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _choose_model(path: Path, options: argparse.Namespace) -> Encoder:
    """Return the model that the user names, else that of the library; say what a change of model costs."""
    from snapseek.library.model_choice import RecordedModel, embedding_rate, encoder_for
    from snapseek.models import Encoder

    if options.model is None:
        return encoder_for(path, options.model_dir)
    _download(options)
    encoder = Encoder.load(options.model, model_dir=options.model_dir)
    recorded = RecordedModel.read(path)
    if recorded is not None and recorded.fingerprint != encoder.space:
        minutes = max(1, round(recorded.count / embedding_rate(encoder) / 60))
        print_status(
            f"the library has the model {recorded.name}. All {recorded.count:,} pictures are embedded again "
            f"with {encoder.name}: about {minutes:,} minutes. Searches use the old vectors until then"
        )
    return encoder


def _in_background(report: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """Lower the priority of a job as soon as a page of pictures is there: then searches go first."""
    is_low = False

    def note(progress: Progress) -> None:
        nonlocal is_low
        if not is_low and progress.done + progress.skipped >= _FIRST_PAGE:
            is_low = True
            lower_priority()
        report(progress)

    return note


def _download(options: argparse.Namespace) -> None:
    """Download the model that the user names, with its progress, if a file of it is missing."""
    from snapseek.models.hub.resolve import download_bytes, pull_model

    if download_bytes(options.model, options.model_dir) != 0:
        with upgrade_progress(options.progress) as progress:
            pull_model(
                options.model,
                options.model_dir,
                progress=lambda received, total: progress("download", received, total, 0),
            )


def build_library(folders: list[Path], path: Path | None, options: argparse.Namespace) -> Library:
    """Index the folders into the library at `path`, by default the one inside the folder."""
    from snapseek.library import Library
    from snapseek.library.recent import remember_library

    target = library_path(folders, path)
    print_stage(options.progress, "load")
    encoder = _choose_model(target, options)
    print_status(f"model {encoder.name} on {encoder.provider}, library {printable(str(target))}")
    print_stage(options.progress, "scan")
    with picture_progress(options.progress) as report, stop_on_interrupt() as stop:
        library = Library.build(
            folders,
            target,
            encoder=encoder,
            threads=options.threads,
            memory=options.memory,
            retry_failed=options.retry_failed,
            exclude=options.exclude,
            limits=fetch_limits(options),
            progress=_in_background(report) if options.progress == "json" else report,
            stop=stop,
        )
    remember_library(target)
    if library.report:
        print_report(library.report)
    print_missing_folders(library)
    print_size(library)
    if library.report:
        check_indexed(library, library.report)
    is_stopped = library.report is not None and library.report.is_stopped
    if options.progress != "json" and not is_stopped:  # the process that started a job says it
        print_offer(encoder.name)
    return library
