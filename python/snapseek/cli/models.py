"""`snapseek models`: list, download and check models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapseek.cli.console import print_status, printable
from snapseek.cli.options import add_model_dir

if TYPE_CHECKING:
    import argparse

    from snapseek.models.catalogue import Entry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare [pull | check] NAME."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    pull = actions.add_parser("pull", help="download a model into the folder of models")
    pull.add_argument("model", metavar="NAME", help="a name of the list, or owner/name on the hub")
    pull.add_argument("--text-only", action="store_true", help="download the image tower only when needed")
    check = actions.add_parser("check", help="load a downloaded model and print what it is")
    check.add_argument("model", metavar="NAME|DIR", help="as for pull, 'starter', or a directory")
    for action in (pull, check):
        add_model_dir(action)


def run(options: argparse.Namespace) -> None:
    """List the models, or download or check one."""
    if options.action == "pull":
        from snapseek.models.hub.resolve import pull_model

        folder = pull_model(options.model, options.model_dir, text_only=options.text_only)
        print_status(f"{options.model} is in {printable(str(folder))}")
    elif options.action == "check":
        from snapseek.models.hub.check import check_model

        for name, value in check_model(options.model, options.model_dir).items():
            print(f"{name:11} {printable(value)}")
    else:
        _print_catalogue()


def _print_catalogue() -> None:
    from snapseek.models.catalogue import CATALOGUE

    print(f"{'starter':24} {'19 MB':>7}  comes with snapseek: everyday nouns and colours; English")
    for entry in CATALOGUE:
        _print_entry(entry)
    print_status("download one with: snapseek models pull NAME")


def _print_entry(entry: Entry) -> None:
    size = f"{entry.size_mb} MB" if entry.size_mb else "?"
    print(f"{entry.name:24} {size:>7}  {entry.good_for}")
    scores = [f"ImageNet {entry.imagenet} %"] if entry.imagenet else []
    scores += [f"COCO {entry.coco} %"] if entry.coco else []
    print(" " * 34 + "; ".join([entry.licence, f"languages: {entry.languages}", *scores]))
