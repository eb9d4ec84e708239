"""`snapseek info`: what a library holds."""

import argparse

from snapseek.cli.command import Command
from snapseek.cli.notes import shown
from snapseek.cli.options import add_place
from snapseek.library import Library
from snapseek.library.places import find_library


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_place(parser)
    parser.add_argument(
        "--failed", action="store_true", help="list the files that could not be read, with the reason"
    )


def _run(options: argparse.Namespace) -> None:
    library = Library.open(find_library(options.place))
    if options.failed:
        _print_failures(library)
        return
    info = library.info()
    rows = {
        "library": shown(str(info.path)),
        "folders": ", ".join(shown(str(folder)) for folder in info.folders),
        "pictures": f"{info.count} ({info.failed} could not be read)",
        "model": f"{info.model} {info.fingerprint[:12]}, {info.dim} numbers a picture",
        "kernel": info.kernel,
        "size": f"{info.size_bytes / 1e6:.1f} MB",
        "made": f"{info.created}, version {info.version}",
    }
    for name, value in rows.items():
        print(f"{name:9} {value}")


def _print_failures(library: Library) -> None:
    for failure in library.failures():
        print(f"{shown(str(failure.path))}: {failure.reason}")


INFO = Command("info", "say what a library holds", _arguments, _run)
