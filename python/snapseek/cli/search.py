"""`snapseek search`: print the pictures that match a query best."""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from snapseek.cli.console import print_status, printable
from snapseek.cli.options import add_library, add_trust, open_readable
from snapseek.errors import ItemNotFoundError, StorageError
from snapseek.search_request import PARAMETERS, Parameter, SearchRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from snapseek.library import Hit, Hits, Library

_LIBRARY_HELP = "default: that of the current directory or of the next one above, else the one opened last"
_FIELDS = ("id", "score", "uri", "width", "height", "color", "caption", "meta", "similar", "why")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """QUERY, how its pictures are selected and ordered, and how they are printed."""
    parser.add_argument(
        "query",
        nargs="+",
        metavar="QUERY",
        help="two dogs on a beach; horse + stripes - 2:snow; image:dog.jpg + night; id:17; "
        "red car after:2023 -tag:draft; put what is a word and looks like an option after --",
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--paths", action="store_true", help="print only paths, one per line")
    parser.add_argument(
        "-0",
        "--null",
        action="store_true",
        help="print only paths, each with a null character behind, for xargs -0",
    )
    parser.add_argument("--open", action="store_true", help="open the best match in its default program")
    parser.add_argument(
        "--previews",
        action=argparse.BooleanOptionalAction,
        help="show previews above the lines (default: in terminals that can, such as Kitty and iTerm2)",
    )
    add_library(parser, None, _LIBRARY_HELP)
    add_trust(parser)
    for parameter in PARAMETERS.values():
        if parameter.flags:
            _add_flags(parser, parameter)


def _add_flags(parser: argparse.ArgumentParser, parameter: Parameter) -> None:
    """Add the flags of a parameter of the search request."""
    help_text = parameter.help[0].lower() + parameter.help[1:].rstrip(".")
    if parameter.kind == "flag":
        parser.add_argument(*parameter.flags, dest=parameter.name, action="store_true", help=help_text)
        return
    default = parameter.default if parameter.cli_default is None else parameter.cli_default
    if default is not None:
        help_text += f" (default: {default})"
    parser.add_argument(
        *parameter.flags,
        dest=parameter.name,
        type=_converter(parameter),
        choices=parameter.choices or None,
        default=default,
        metavar=parameter.metavar,
        help=help_text,
    )


def _converter(parameter: Parameter) -> Callable[[str], object]:
    """Return what converts the text of a flag to the type of its field."""
    if parameter.kind == "integer":
        return partial(_bounded_integer, parameter.minimum)
    return float if parameter.kind == "number" else str


def _bounded_integer(minimum: int, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = minimum - 1
    if value < minimum:
        raise argparse.ArgumentTypeError(f"expected a whole number of {minimum} or more, got {text!r}")
    return value


def _request(options: argparse.Namespace) -> SearchRequest:
    named = {name: getattr(options, name) for name, parameter in PARAMETERS.items() if parameter.flags}
    return SearchRequest(" ".join(options.query), **named)


def run(options: argparse.Namespace) -> None:
    """Search, then print one line per result."""
    library = open_readable(options)
    hits = library.search(_request(options))
    if hits.unfinished:
        print_status(
            f"the end of the query, {printable(hits.unfinished.text)}, is unfinished: {hits.unfinished.hint}"
        )
    for notice in hits.notices:
        how = f" To get it, run: snapseek upgrade {notice.model}" if notice.model else ""
        print_status(printable(notice.text + how))
    for sentence in hits.partitions.missing if hits.partitions else ():
        print_status(f"this partition is missing: {printable(sentence)}")
    if not hits:
        print_status("no picture matches this query")
    if options.paths or options.null:
        end = b"\0" if options.null else b"\n"
        for hit in hits:
            sys.stdout.buffer.write(os.fsencode(_location(library, hit)) + end)
    elif options.json:
        found = [{name: getattr(hit, name) for name in _FIELDS} for hit in hits]
        narrow = not (sys.stdout.encoding or "").lower().startswith("utf")
        print(json.dumps(found, ensure_ascii=narrow, indent=1))
    else:
        _print_lines(library, hits, _preview_protocol(options))
    if options.open and hits:
        _open(library, hits[0])


def _print_lines(library: Library, hits: Hits, protocol: str | None) -> None:
    """Print a line per result, below its preview if the terminal shows pictures."""
    for hit in hits:
        if protocol is not None:
            from snapseek.cli.terminal_pictures import picture_text

            sys.stdout.write(picture_text(hit.preview, protocol))
        score = "     " if hit.score is None else f"{hit.score:.3f}"
        similar = f"  +{len(hit.similar)} similar" if hit.similar else ""
        why = f"  ({', '.join(hit.why)})" if hit.why else ""
        print(f"{score}  {printable(_location(library, hit))}{similar}{why}")


def _preview_protocol(options: argparse.Namespace) -> str | None:
    """Return how the terminal shows previews; None if it cannot, or if the user wants none."""
    if options.previews is False or not sys.stdout.isatty():
        return None
    from snapseek.cli.terminal_pictures import protocol_of

    found = protocol_of(sys.stdout, os.environ)
    if found is None and options.previews:
        print_status("no previews: this terminal does not say that it can show pictures")
    return found


def _open(library: Library, hit: Hit) -> None:
    """Open the original of a result. Raises SnapseekError if it is no file that this machine can open."""
    from snapseek.server.reveal import can_reveal, view

    path = library.original_path(hit.id)
    if not path.is_file():
        raise ItemNotFoundError(
            expected="the original of the best match", got=f"no file {path}", hint="run: snapseek sync"
        )
    if not can_reveal():
        raise StorageError(
            expected="a desktop that opens pictures", got="none", hint="use --paths with a viewer of your own"
        )
    view(path)


def _location(library: Library, hit: Hit) -> str:
    """Return the path of an original, or the url of an imported one."""
    try:
        return str(library.snapshot().recorded_path(hit.id))
    except ItemNotFoundError:
        return hit.uri
