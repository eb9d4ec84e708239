"""`snapseek serve`: serve the page of a library."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from snapseek.cli.console import locate_library, print_status
from snapseek.cli.interrupt import EXIT_INTERRUPTED
from snapseek.cli.options import add_library_argument, add_serving, nonempty_path

if TYPE_CHECKING:
    import argparse

    from snapseek.library import Library


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare [LIBRARY] and how it is served."""
    add_library_argument(parser)
    add_serving(parser)
    parser.add_argument(
        "--model",
        type=nonempty_path,
        metavar="DIR",
        help="a student that replaces the library's model, such as one of --student int8",
    )
    parser.add_argument("--open", action="store_true", help="open the browser")


def run(options: argparse.Namespace) -> None:
    """Serve the page until it is stopped."""
    from snapseek.library import Library
    from snapseek.models import Encoder

    encoder = Encoder.load(options.model) if options.model else None
    serve_library(Library.open(locate_library(options.library), encoder=encoder), options)


def serve_library(library: Library, options: argparse.Namespace) -> None:
    """Serve the page of an open library until it is stopped."""
    from snapseek.server import serve

    encoder = library.encoder
    if options.fast_model:
        library.set_fast_encoder(options.fast_model)
    if library.fast_encoder:
        print_status(f"fast model {library.fast_encoder.name}")
    print_status(f"model {encoder.name} on {encoder.provider}, {len(library)} pictures")
    serve(
        library,
        host=options.host,
        port=options.port,
        open_browser=options.open,
        on_ready=lambda url: print_status(f"serving {url} (Ctrl-C stops)"),
        token=options.token or os.environ.get("SNAPSEEK_TOKEN") or None,
        insecure=options.insecure,
        allowed_origins=options.allow_origin,
    )
    # Only threads are still running and nothing is being written, so another Ctrl-C may exit at once.
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(EXIT_INTERRUPTED))
