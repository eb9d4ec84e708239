"""`snapseek repair`: remove damaged parts and keep all else."""

import argparse

from snapseek.cli.console import locate_library, print_status, printable
from snapseek.cli.options import add_library_argument

add_arguments = add_library_argument


def run(options: argparse.Namespace) -> None:
    """Repair the library, then print what a sync or an import restores."""
    from snapseek.library import repair

    done = repair(locate_library(options.library))
    for problem in done.problems:
        print_status(printable(str(problem)))
    if not done.problems:
        print_status("no problems found")
    if done.shards_rewritten:
        print_status(f"{done.shards_rewritten} shards were rewritten without their invalid values")
    if done.to_embed:
        print_status(f"{done.to_embed} pictures are embedded again by: snapseek sync")
    for folder in done.to_import:
        print_status(f"import again: {printable(str(folder))}")
