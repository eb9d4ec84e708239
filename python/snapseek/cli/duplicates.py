"""`snapseek duplicates`: list pictures that a library has more than once."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any

from snapseek.cli.console import locate_readable, print_status, printable
from snapseek.cli.options import add_library_argument

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from snapseek.library import DuplicateReview, Hit, Library

_COLUMNS = ("group", "role", "id", "path", "width", "height", "size_bytes")
_PAGE = 256
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare LIBRARY, which pictures are compared, and how the groups are printed."""
    add_library_argument(parser)
    parser.add_argument("--where", metavar="FILTER", help="compare only these, such as year:2024 in:holiday")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--csv", action="store_true", help="print a table: one row for each picture")
    shape.add_argument(
        "--paths", action="store_true", help="print the paths of all but the best, one per line"
    )


def run(options: argparse.Namespace) -> None:
    """Compare the pictures, then print the groups, those that free most first."""
    from snapseek.library import Library

    library = Library.open(locate_readable(options.library))
    found = library.duplicates(options.where)
    if options.json:
        groups = [
            {"free_bytes": free, "best": facts[0], "others": facts[1:]}
            for free, facts in _sets(library, found)
        ]
        summary = {"compared": found.compared, "others": found.others, "free_bytes": found.free_bytes}
        print(json.dumps(summary | {"groups": groups}, ensure_ascii=False))
        return
    if options.csv:
        _print_csv(library, found)
        return
    if options.paths:
        for _, facts in _sets(library, found):
            for entry in facts[1:]:
                print(printable(entry["path"]))
        return
    for _, facts in _sets(library, found):
        print(_line(facts[0]))
        for entry in facts[1:]:
            print("    " + _line(entry))
    print_status(
        f"{len(found.groups)} groups of {found.compared} pictures; the {found.others} that are not the best "
        f"of a group take {_size(found.free_bytes)}. Nothing was deleted"
    )


def _sets(library: Library, found: DuplicateReview) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield what each group frees and the facts of its pictures, the best first."""
    for group in found.groups:
        hits = library.get_many([group.best, *group.others])
        yield group.free_bytes, [_facts(hit) for hit in hits]


def _facts(hit: Hit) -> dict[str, Any]:
    from snapseek.file_uri import local_path

    path = local_path(hit.uri)
    return {
        "id": hit.id,
        "path": str(path) if path is not None else hit.uri,
        "width": hit.width,
        "height": hit.height,
        "size_bytes": hit.meta.get("size_bytes"),
    }


def _print_csv(library: Library, found: DuplicateReview) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(_COLUMNS)
    for number, (_, facts) in enumerate(_sets(library, found), 1):
        for position, entry in enumerate(facts):
            values = [_plain(value) for value in entry.values()]
            writer.writerow([number, "other" if position else "best", *values])


def _plain(value: object) -> object:
    """Return a value that a spreadsheet does not read as a formula."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(entry: dict[str, Any]) -> str:
    size = f"  {_size(entry['size_bytes'])}" if entry["size_bytes"] else ""
    return f"{printable(entry['path'])}  {entry['width']}x{entry['height']}{size}  id {entry['id']}"


def _size(count: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
