"""`snapseek models`: list, fetch and check models."""

import argparse

from snapseek.cli.command import Command
from snapseek.cli.notes import note, shown
from snapseek.cli.options import add_model_dir
from snapseek.models.catalogue import CATALOGUE, Entry
from snapseek.models.check import check_model
from snapseek.models.shelf import pull_model


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    pulled = actions.add_parser("pull", help="fetch a model into the folder of models")
    pulled.add_argument("model", metavar="NAME", help="a name of the list, or owner/name of the hub")
    pulled.add_argument("--text-only", action="store_true", help="leave the image tower until it is needed")
    checked = actions.add_parser("check", help="load a model that is here and say what it is")
    checked.add_argument("model", metavar="NAME|DIR", help="as for pull, 'starter', or a directory")
    for action in (pulled, checked):
        add_model_dir(action)


def _run(options: argparse.Namespace) -> None:
    if options.action == "pull":
        folder = pull_model(options.model, options.model_dir, text_only=options.text_only)
        note(f"{options.model} is in {shown(str(folder))}")
    elif options.action == "check":
        for name, value in check_model(options.model, options.model_dir).items():
            print(f"{name:11} {shown(value)}")
    else:
        print(f"{'starter':24} {'19 MB':>7}  comes with snapseek: everyday nouns and colours; English")
        for entry in CATALOGUE:
            _print_entry(entry)
        note("fetch one with: snapseek models pull NAME")


def _print_entry(entry: Entry) -> None:
    size = f"{entry.size_mb} MB" if entry.size_mb else "?"
    print(f"{entry.name:24} {size:>7}  {entry.good_for}")
    told = [f"ImageNet {entry.imagenet} %"] if entry.imagenet else []
    told += [f"COCO {entry.coco} %"] if entry.coco else []
    print(" " * 34 + "; ".join([entry.licence, f"languages: {entry.languages}", *told]))


MODELS = Command("models", "list the models that can be fetched; fetch or check one", _arguments, _run)
