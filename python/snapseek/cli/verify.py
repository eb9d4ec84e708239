"""`snapseek verify`: read a whole library and list its damage."""

import argparse

from snapseek.cli.console import locate_library, print_status, printable
from snapseek.cli.options import add_library_argument

_DAMAGED = 1

add_arguments = add_library_argument


def run(options: argparse.Namespace) -> int:
    """Print one line a problem. Return 1 if there is any."""
    from snapseek.library import verify

    problems = verify(locate_library(options.library))
    for problem in problems:
        print(printable(str(problem)))
    hint = "fix them with: snapseek repair (foreign files stay: move them away yourself)"
    print_status(f"{len(problems)} problems; {hint}" if problems else "no problems found")
    return _DAMAGED if problems else 0
