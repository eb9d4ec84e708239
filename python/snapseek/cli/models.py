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
    pull.add_argument(
        "model", metavar="NAME", help="small, recommended, best, a name of the list, or owner/name on the hub"
    )
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
    from snapseek.models.hub.resolve import STARTER

    print(f"{STARTER:28} {'19 MB':>12}  comes with snapseek: everyday nouns and colors")
    _print_facts("English, and words of five more languages", *_rate(STARTER))
    for entry in CATALOGUE:
        _print_entry(entry)
    print_status("download one with: snapseek models pull NAME; small, recommended and best are names, too")


def _print_entry(entry: Entry) -> None:
    from snapseek.models.catalogue import TIERS

    tiers = [tier for tier, name in TIERS.items() if name == entry.name]
    size = f"{'' if entry.is_size_exact else 'about '}{_mb(entry.size_bytes)}"
    print(f"{entry.name:28} {size:>12}  {''.join(f'{tier}: ' for tier in tiers)}{entry.purpose}")
    towers = f"text {_mb(entry.text_bytes)}, pictures {_mb(entry.image_bytes)}" if entry.image else ""
    languages = "many languages" if entry.languages is None else "English"
    accuracy = [f"ImageNet {entry.imagenet} %"] if entry.imagenet else []
    accuracy += [f"COCO {entry.coco} %"] if entry.coco else []
    _print_facts(languages, towers, *accuracy, *_rate(entry.name))
    _print_facts(entry.licence + (f". {entry.restrictions}" if entry.restrictions else ""))


def _print_facts(*facts: str) -> None:
    print(" " * 43 + "; ".join(fact for fact in facts if fact))


def _rate(model: str) -> list[str]:
    from snapseek.models.rates import measured_rate

    rate = measured_rate(model)
    return [f"{rate:.0f} pictures/s here"] if rate else []


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB"
