"""`snapseek watch`: sync a library whenever its folders change."""

import argparse

from snapseek.cli.console import locate_library, print_report, print_status, printable
from snapseek.cli.options import add_library_argument, add_picture_threads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare [LIBRARY] --threads."""
    add_library_argument(parser)
    add_picture_threads(parser)


def run(options: argparse.Namespace) -> None:
    """Sync on every change until Ctrl-C."""
    from snapseek.library import Library
    from snapseek.library.watch import watch

    library = Library.open(locate_library(options.library))
    try:
        watch(
            library,
            threads=options.threads,
            on_start=lambda watched: print_status(
                f"watching {', '.join(printable(str(folder)) for folder in watched)} (Ctrl-C stops)"
            ),
            on_sync=print_report,
            on_problem=lambda message: print_status(printable(message)),
        )
    except KeyboardInterrupt:
        print_status("stopped watching; what was indexed is kept")
