"""`snapseek compact`: merge the shards of a library."""

import argparse

from snapseek.cli.console import print_size, print_status, stage_bar
from snapseek.cli.options import add_memory, add_place, add_threads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[LIBRARY] --threads --memory."""
    add_place(parser)
    add_threads(parser)
    add_memory(parser)


def run(options: argparse.Namespace) -> None:
    """Merge, then print how many shards are left."""
    from snapseek.library import Library
    from snapseek.library.paths import find_library

    library = Library.open(find_library(options.place))
    with stage_bar() as report:
        done = library.compact(memory=options.memory, threads=options.threads, progress=report)
    print_status(f"shards: {done.before} before, {done.after} now; removed pictures deleted: {done.dropped}")
    print_size(library)
