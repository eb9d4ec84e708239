"""`snapseek collection`: search several libraries as one."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from snapseek.cli.console import print_status, printable, stage_bar
from snapseek.cli.options import add_threads, nonempty_path

if TYPE_CHECKING:
    import argparse

    from snapseek.collection import PartitionEntry

_LIBRARY_HELP = (
    "a library, s3://… or another URI of an object store, or the address of `snapseek serve`; addresses of "
    "replicas are joined by commas"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare create | add | remove | train | verify | info."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="write the manifest of a new collection")
    add = actions.add_parser("add", help="add a partition, or renew the entry of one that is there")
    remove = actions.add_parser("remove", help="remove a partition; its library stays")
    train = actions.add_parser(
        "train", help="encode the partitions of this machine with one training, as one index would have"
    )
    verify = actions.add_parser("verify", help="ask every partition and every replica, and list the problems")
    info = actions.add_parser("info", help="print the partitions")
    for action in (create, add, remove, train, verify, info):
        action.add_argument(
            "manifest", type=nonempty_path, metavar="MANIFEST", help="the path of collection.json"
        )
    create.add_argument("libraries", nargs="+", metavar="LIBRARY", help=_LIBRARY_HELP)
    create.add_argument("--name", default="", metavar="N", help="default: the name of its folder")
    create.add_argument(
        "--deadline",
        type=float,
        default=5.0,
        metavar="S",
        help="seconds that a partition has for an answer (default: 5)",
    )
    add.add_argument("library", metavar="LIBRARY", help=_LIBRARY_HELP)
    add.add_argument("--name", default="", metavar="N", help="of the partition; default: that of the library")
    remove.add_argument("name", metavar="NAME", help="the name of a partition")
    add_threads(train)
    info.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int | None:
    """Run the action."""
    return _ACTIONS[options.action](options)


def _create(options: argparse.Namespace) -> None:
    from snapseek.collection import create_collection

    manifest = create_collection(
        options.manifest,
        [_replicas(library) for library in options.libraries],
        name=options.name,
        token=_token(),
        deadline_s=options.deadline,
    )
    for entry in manifest.partitions:
        _print_entry(entry)
    path = printable(str(options.manifest))
    print_status(
        f"{sum(entry.count for entry in manifest.partitions)} pictures; serve: snapseek serve {path}"
    )


def _add(options: argparse.Namespace) -> None:
    from snapseek.collection import add_partition

    _print_entry(
        add_partition(options.manifest, _replicas(options.library), name=options.name, token=_token())
    )


def _remove(options: argparse.Namespace) -> None:
    from snapseek.collection import remove_partition

    remove_partition(options.manifest, options.name)
    print_status(f"{printable(options.name)} is removed from the collection; its library stays")


def _train(options: argparse.Namespace) -> None:
    from snapseek.collection.training import train_collection

    with stage_bar() as report:
        done = train_collection(options.manifest, threads=options.threads, progress=report)
    for name in done.trained:
        print(f"{name}: training {done.checksum}")
    for name, reason in done.left:
        print(f"{name}: left as it is: {reason}")


def _verify(options: argparse.Namespace) -> int:
    from snapseek.collection.membership import verify_partitions

    failed = 0
    for entry, problem in verify_partitions(options.manifest, _token()):
        print(f"{entry.name}: {printable(problem) if problem else 'ok'}")
        failed += problem is not None
    return int(failed > 0)


def _info(options: argparse.Namespace) -> None:
    from snapseek.collection.manifest import read_manifest

    manifest = read_manifest(options.manifest)
    if options.json:
        print(json.dumps(asdict(manifest), indent=1))
        return
    count = sum(entry.count for entry in manifest.partitions)
    print(f"{printable(manifest.name)}: {count} pictures, model {printable(manifest.model)}")
    for entry in manifest.partitions:
        _print_entry(entry)


_ACTIONS = {
    "create": _create,
    "add": _add,
    "remove": _remove,
    "train": _train,
    "verify": _verify,
    "info": _info,
}


def _print_entry(entry: PartitionEntry) -> None:
    print(f"{entry.number:5} {entry.name}  {entry.count} pictures  {printable(', '.join(entry.locations))}")


def _replicas(library: str) -> list[str]:
    """Return the addresses of replicas, or the one location."""
    from snapseek.collection.manifest import is_address

    return library.split(",") if is_address(library) else [library]


def _token() -> str | None:
    from snapseek.collection.collection import TOKEN_VARIABLE

    return os.environ.get(TOKEN_VARIABLE) or None
