"""`snapseek demo`, `open` and `index`: folders of pictures made searchable."""

import argparse
from pathlib import Path

from snapseek.cli.command import Command
from snapseek.cli.notes import note, note_gone, note_report, note_size, picture_bar, shown
from snapseek.cli.options import add_building, add_folders, add_serving, limits_of, named_path
from snapseek.cli.serve import serve_library
from snapseek.errors import InputError
from snapseek.library import Library
from snapseek.library.places import DEMO_PICTURES, demo_library, library_of
from snapseek.models import Encoder
from snapseek.sources import open_source

_SHOWN_EXAMPLES = 3


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folders", nargs="*", type=named_path, metavar="FOLDER", help="further pictures to take in"
    )
    _add_page(parser)


def _open_arguments(parser: argparse.ArgumentParser) -> None:
    add_folders(parser)
    _add_page(parser)


def _index_arguments(parser: argparse.ArgumentParser) -> None:
    add_folders(parser)
    add_building(parser)


def _add_page(parser: argparse.ArgumentParser) -> None:
    add_building(parser)
    add_serving(parser)
    parser.add_argument("--no-open", dest="open", action="store_false", help="do not open the browser")
    parser.add_argument("--no-serve", dest="serve", action="store_false", help="stop after the index")


def _demo(options: argparse.Namespace) -> None:
    library = _build([DEMO_PICTURES, *options.folders], options.library or demo_library(), options)
    for query in library.encoder.examples[:_SHOWN_EXAMPLES]:
        names = ", ".join(str(hit.meta["name"]) for hit in library.search(query, k=3))
        note(f"  {query} → {names}")
    if options.serve:
        serve_library(library, options)


def _open(options: argparse.Namespace) -> None:
    library = _build(options.folders, options.library, options)
    if options.serve:
        serve_library(library, options)


def _index(options: argparse.Namespace) -> None:
    _build(options.folders, options.library, options)


def _build(folders: list[Path], place: Path | None, options: argparse.Namespace) -> Library:
    if place is None and len(folders) > 1:
        raise InputError("expected --library L where several folders go into one library")
    for folder in folders:
        open_source(folder)  # what is not there is said before a model is fetched
    path = place or library_of(folders[0])
    encoder = Encoder.load(options.model, model_dir=options.model_dir)
    note(f"model {encoder.name} on {encoder.provider}, library {shown(str(path))}")
    with picture_bar() as report:
        library = Library.build(
            folders,
            path,
            encoder=encoder,
            threads=options.threads,
            memory=options.memory,
            retry_failed=options.retry_failed,
            limits=limits_of(options),
            progress=report,
        )
    if library.report:
        note_report(library.report)
    note_gone(library)
    note_size(library)
    return library


DEMO = Command(
    "demo", "index the pictures that come with snapseek, serve and open the page", _demo_arguments, _demo
)
OPEN = Command("open", "index a folder, serve and open the page", _open_arguments, _open)
INDEX = Command("index", "make a folder of pictures searchable", _index_arguments, _index)
