"""`snapseek info`: print what a library holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from snapseek.cli.console import locate_readable, printable
from snapseek.cli.options import add_library_argument

if TYPE_CHECKING:
    import argparse

    from snapseek.library import Library


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare [LIBRARY] --failed --json."""
    add_library_argument(parser)
    parser.add_argument(
        "--failed", action="store_true", help="list the files that could not be read, with the reason"
    )
    parser.add_argument(
        "--skipped", action="store_true", help="list the files and folders that are not read as pictures"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Print a table of facts, the list of failures, or the list of skipped files."""
    from snapseek.library import Library
    from snapseek.library.indexing.skipped import describe_skipped
    from snapseek.sources.folder import SkippedKind

    library = Library.open(locate_readable(options.library))
    if options.failed:
        _print_failures(library, as_json=options.json)
        return
    if options.skipped:
        _print_skipped(library)
        return
    info = library.info()
    if options.json:
        print(json.dumps(asdict(info), default=printable_path, indent=1))
        return
    skipped = [SkippedKind(kind, count) for kind, count in info.skipped.items()]
    rows = {
        "library": printable(str(info.path)),
        "folders": ", ".join(printable(str(folder)) for folder in info.folders),
        "pictures": f"{info.count} ({info.failed} could not be read)",
        "skipped": ", ".join(describe_skipped(skipped)) or "none",
        "model": f"{info.model} {info.fingerprint[:12]}, {info.dim} dimensions",
        "kernel": info.kernel,
        "size": f"{info.size_bytes / 1e6:.1f} MB",
        "created": f"{info.created}, version {info.version}",
    }
    for partition in library.partitions():
        rows[partition.name] = partition.problem or f"{partition.count} pictures"
    for name, value in rows.items():
        print(f"{name:9} {value}")


def printable_path(path: object) -> str:
    """Return a path for JSON, which has no bytes that are not UTF-8."""
    return printable(str(path))


def _print_failures(library: Library, *, as_json: bool) -> None:
    if as_json:
        found = [{"path": printable_path(one.path), "reason": one.reason} for one in library.failures()]
        print(json.dumps(found, indent=1))
        return
    for failure in library.failures():
        print(f"{printable(str(failure.path))}: {failure.reason}")


def _print_skipped(library: Library) -> None:
    for file in library.skipped():
        print(f"{printable(str(file.path))}: {file.kind}")
