"""`snapseek upgrade`: embed all pictures of a library with another model, while the present one answers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from snapseek.cancellation import OperationCancelledError, cancelled_when
from snapseek.cli.console import print_status, printable, upgrade_progress
from snapseek.cli.interrupt import EXIT_INTERRUPTED, stop_on_interrupt
from snapseek.cli.options import (
    add_library,
    add_memory,
    add_model_dir,
    add_picture_threads,
    add_progress,
    add_trust,
    open_library,
)
from snapseek.errors import InputError, ModelMismatchError, StorageError
from snapseek.threads import lower_priority

if TYPE_CHECKING:
    import argparse
    import threading

    from snapseek.cli.console import StageReport
    from snapseek.library import Library
    from snapseek.library.indexing.upgrade import UpgradeReport
    from snapseek.library.upgrade_cost import UpgradeCost
    from snapseek.models import Encoder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare [MODEL] and how pictures are embedded."""
    parser.add_argument(
        "model",
        nargs="?",
        metavar="MODEL",
        help="small, recommended, best, a name of `snapseek models`, owner/name on the hub, or a directory "
        "(default: SNAPSEEK_MODEL, or the recommended one)",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask, download and embed at once")
    parser.add_argument(
        "--drop-imports",
        action="store_true",
        help="remove imported vectors, which another model cannot replace",
    )
    add_library(parser)
    add_model_dir(parser)
    add_trust(parser)
    add_picture_threads(parser)
    add_memory(parser)
    add_progress(parser)


def run(options: argparse.Namespace) -> int:
    """Print what the upgrade costs, ask, then download and embed."""
    from snapseek.models import Encoder
    from snapseek.models.catalogue import entry_name
    from snapseek.models.hub.resolve import upgrade_model

    library = open_library(options)
    options.model = entry_name(options.model) if options.model else upgrade_model()
    cost = library.upgrade_cost(options.model, options.model_dir)
    if not cost.is_current:
        _print_cost(cost)
        _check(cost, drop_imports=options.drop_imports)
        if not (options.yes or _confirms()):
            print_status("nothing was changed")
            return 0
    with upgrade_progress(options.progress) as progress:
        if cost.download_bytes != 0:
            _download(options, progress)
        encoder = Encoder.load(options.model, model_dir=options.model_dir)
        lower_priority()
        with stop_on_interrupt() as stop:
            report = library.upgrade(
                encoder,
                memory=options.memory,
                threads=options.threads,
                drop_imports=options.drop_imports,
                progress=lambda stage, done: progress(stage, done.done, done.total, done.failed),
                stop=stop,
            )
            agreement = None if report.is_stopped else _make_student(library, encoder, progress, stop)
    _print_report(report, encoder.name)
    if agreement is not None:
        print_status(f"made a fast student for keystrokes: it finds {agreement:.0%} of the model's ten best")
    return EXIT_INTERRUPTED if report.is_stopped else 0


def _make_student(
    library: Library, encoder: Encoder, progress: StageReport, stop: threading.Event
) -> float | None:
    """Make a student where the model is too slow for keystrokes. Return its share of the ten best, or None.

    The library has its new model already: what goes wrong here, or is stopped, takes nothing away.
    """
    from snapseek.distil.fast_student import make_fast_student
    from snapseek.library.encoders import FAST_MODEL

    out, vectors = library.info().path / FAST_MODEL, library.snapshot().sample_vectors()
    try:
        with cancelled_when(stop.is_set):
            figures = make_fast_student(
                encoder, out, vectors, count=lambda done, total: progress("student", done, total, 0)
            )
    except (StorageError, OperationCancelledError):
        return None
    return figures.overlap if figures else None


def _download(options: argparse.Namespace, progress: StageReport) -> None:
    from snapseek.models.hub.resolve import pull_model

    pull_model(
        options.model,
        options.model_dir,
        progress=lambda received, total: progress("download", received, total, 0),
    )


def _print_cost(cost: UpgradeCost) -> None:
    print_status(
        f"from {printable(cost.current)} to {printable(cost.model)}, for {cost.pictures:,} pictures:"
    )
    if cost.download_bytes is None:
        print_status("  download: of a size that is not known before")
    elif cost.download_bytes:
        print_status(f"  download: {_size(cost.download_bytes)}")
    done = f"; {cost.embedded:,} are embedded already" if cost.embedded else ""
    print_status(f"  time: about {max(1, round(cost.seconds / 60)):,} min at low priority{done}")
    print_status(f"  disk: {_size(cost.disk_bytes)} meanwhile, {_size(cost.free_bytes)} are free")
    print_status("  searches use the present model until then; Ctrl-C stops, the same command goes on")
    if cost.missing:
        print_status(
            f"  {cost.missing:,} pictures have no original now: they are embedded from their previews, which "
            "is less accurate, and again when a sync finds the originals"
        )
    if cost.imported:
        print_status(f"  {cost.imported:,} imported vectors cannot be embedded again")


def _check(cost: UpgradeCost, *, drop_imports: bool) -> None:
    """Raise before anything is downloaded if the upgrade cannot succeed."""
    if cost.imported and not drop_imports:
        raise ModelMismatchError(
            f"this library holds {cost.imported:,} imported vectors of '{cost.current}', which "
            f"'{cost.model}' cannot replace",
            hint="keep the model, or remove them with: snapseek upgrade --drop-imports",
        )
    if cost.free_bytes < cost.disk_bytes:
        raise StorageError(
            expected=f"{_size(cost.disk_bytes)} of free disk space",
            got=_size(cost.free_bytes),
            hint="free some space",
        )


def _confirms() -> bool:
    """Ask on a terminal. Raises InputError if there is nobody to ask."""
    if not sys.stdin.isatty():
        raise InputError(
            expected="a yes to the download and the work",
            got="no terminal to ask on",
            hint="pass --yes",
        )
    sys.stderr.write("Go on? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _print_report(report: UpgradeReport, model: str) -> None:
    if report.was_current:
        print_status(f"the library has the model {printable(model)} already")
        return
    if report.is_stopped:
        done = report.embedded + report.resumed
        print_status(f"stopped; {done:,} pictures are embedded. Run the command again to go on")
        return
    print_status(f"the library has the model {printable(model)} now")
    if report.from_previews:
        print_status(f"embedded from their previews until a sync finds them: {report.from_previews:,}")
    if report.lost:
        print_status(f"could not be embedded: {report.lost:,} (snapseek info --failed)")
    if report.dropped:
        print_status(f"imported vectors removed: {report.dropped:,}")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6)):,} MB"
