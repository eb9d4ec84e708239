"""`snapseek compact`: merge the shards of a library."""

import argparse

from snapseek.cli.console import locate_library, print_size, print_status, stage_bar
from snapseek.cli.options import add_library_argument, add_memory, add_threads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare [LIBRARY] --threads --memory."""
    add_library_argument(parser)
    add_threads(parser)
    add_memory(parser)


def run(options: argparse.Namespace) -> None:
    """Merge, then print how many shards are left."""
    from snapseek.library import Library

    library = Library.open(locate_library(options.library))
    with stage_bar() as report:
        done = library.compact(memory=options.memory, threads=options.threads, progress=report)
    if done.before == done.after and not done.dropped:
        print_status("nothing to compact")
    else:
        print_status(
            f"merged {done.before} shards into {done.after}; deleted {done.dropped} removed pictures"
        )
    print_size(library)
