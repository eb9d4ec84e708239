"""`snapseek serve`: the page of a library."""

import argparse
import os
import signal

from snapseek.cli.command import Command
from snapseek.cli.notes import note
from snapseek.cli.options import add_place, add_serving, named_path
from snapseek.library import Library
from snapseek.library.places import find_library
from snapseek.models import Encoder
from snapseek.server import serve

_STOPPED = 130


def serve_library(library: Library, options: argparse.Namespace) -> None:
    """Serve the page of an open library until it is stopped."""
    encoder = library.encoder
    if options.fast_model:
        library.use_fast_model(options.fast_model)
    if library.fast_encoder:
        note(f"fast model {library.fast_encoder.name}")
    note(f"model {encoder.name} on {encoder.provider}, {len(library)} pictures")
    serve(
        library,
        host=options.host,
        port=options.port,
        open_browser=options.open,
        on_ready=lambda url: note(f"serving {url} (Ctrl-C stops)"),
        token=options.token or os.environ.get("SNAPSEEK_TOKEN") or None,
        insecure=options.insecure,
        allowed_origins=options.allow_origin,
    )
    # The rest is waiting for threads; nothing is being written, so a further Ctrl-C may end that at once.
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(_STOPPED))


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_place(parser)
    add_serving(parser)
    parser.add_argument(
        "--model",
        type=named_path,
        metavar="DIR",
        help="a student that answers in place of the library's model, such as one of --student int8",
    )
    parser.add_argument("--open", action="store_true", help="open the browser")


def _run(options: argparse.Namespace) -> None:
    encoder = Encoder.load(options.model) if options.model else None
    serve_library(Library.open(find_library(options.place), encoder=encoder), options)


SERVE = Command("serve", "serve the page of a library", _arguments, _run)
