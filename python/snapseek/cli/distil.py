"""`snapseek distil`: a small text tower that answers for a large one."""

import argparse

from snapseek.cli.command import Command
from snapseek.cli.notes import note, shown
from snapseek.cli.options import add_model_dir, count, named_path
from snapseek.cores import available_cores
from snapseek.errors import InputError
from snapseek.library import Library
from snapseek.library.places import find_library
from snapseek.library.towers import FAST_MODEL
from snapseek.models import Encoder


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="the teacher, as --model of index")
    parser.add_argument("--texts", type=named_path, metavar="FILE", help="your own texts, one a line")
    parser.add_argument(
        "--library", type=named_path, metavar="L", help="learn to rank the pictures of a library"
    )
    parser.add_argument(
        "--out", type=named_path, metavar="DIR", help="default: in the library, where it is found"
    )
    parser.add_argument(
        "--student",
        choices=("static", "transformer", "shortened", "int8"),
        default="static",
        help="default: static, the fastest; shortened comes near, int8 is the teacher itself in 8 bits",
    )
    parser.add_argument(
        "--layers",
        type=int,
        default=3,
        metavar="N",
        help="of a transformer or shortened one, 2 to 4; default: 3",
    )
    parser.add_argument("--epochs", type=count, default=6, metavar="N", help="default: 6")
    parser.add_argument(
        "--shipped", type=int, default=60_000, metavar="N", help="shipped texts to learn from"
    )
    parser.add_argument("--threads", type=count, metavar="N", help="default: all cores")
    add_model_dir(parser)


def _run(options: argparse.Namespace) -> None:
    from snapseek.distil import Plan, distil, read_texts  # what trains is optional, and slow to load

    if options.out is None and options.library is None:
        raise InputError("expected --out DIR, or --library L to put the student into")
    own = read_texts(options.texts) if options.texts else []
    encoder = Encoder.load(
        options.model, threads=options.threads or available_cores(), model_dir=options.model_dir
    )
    library = Library.open(find_library(options.library), encoder=encoder) if options.library else None
    out = options.out or find_library(options.library) / FAST_MODEL
    figures = distil(
        encoder,
        out,
        texts=own,
        vectors=library.vectors() if library else None,
        plan=Plan(options.student, options.layers, options.shipped, options.epochs),
        report=note,
    )
    print(f"student   {shown(str(out))}")
    print(f"texts     {figures.texts} learned from, {figures.held_out} held out")
    print(f"cosine    mean {figures.cosine_mean:.3f}, 5th percentile {figures.cosine_p5:.3f}, held-out texts")
    if figures.overlap is not None:
        print(f"overlap   {figures.overlap:.0%} of the teacher's ten best pictures, held-out texts")
    print(f"time      {figures.asking_s:.0f} s asking, {figures.training_s:.0f} s training")


DISTIL = Command("distil", "train a small text tower that answers for a large one", _arguments, _run)
