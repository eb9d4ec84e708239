"""`snapseek libraries`: list the libraries that were opened here."""

import argparse
import sys

from snapseek.cli.console import print_status, printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no arguments."""


def run(options: argparse.Namespace) -> None:
    """Print the paths, most recent first, with the number of pictures and the model of each."""
    from snapseek.errors import SnapseekError
    from snapseek.library import Library
    from snapseek.library.recent import recent_libraries

    paths = recent_libraries()
    if not paths:
        print_status("no library has been opened here yet; make one with: snapseek ~/Pictures")
    for path in paths:
        try:
            info = Library.open(path).info()
            facts = f"{info.count:,} pictures, {info.model}"
        except SnapseekError as error:
            facts = f"cannot be opened: {error.summary}"
        sys.stdout.write(f"{printable(str(path))}  {printable(facts)}\n")
