"""`snapseek open`: index a folder, serve and open the page."""

import argparse

from snapseek.cli.index import add_page_arguments, build_library
from snapseek.cli.options import add_folders
from snapseek.cli.serve import check_serving, serve_library


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare FOLDER..., how the library is made and how it is served."""
    add_folders(parser)
    add_page_arguments(parser)


def run(options: argparse.Namespace) -> None:
    """Index the folders, then serve the page until it is stopped."""
    if options.serve:
        check_serving(options)
    library = build_library(options.folders, options.library, options)
    if options.serve:
        serve_library(library, options)
