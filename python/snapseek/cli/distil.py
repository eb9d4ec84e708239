"""`snapseek distil`: train a small text tower that replaces a large one."""

import argparse

from snapseek.cli.console import locate_library, print_status, printable
from snapseek.cli.options import add_model_dir, add_threads, count, nonempty_path
from snapseek.errors import MissingArgumentError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare MODEL and how its student is trained."""
    parser.add_argument("model", metavar="MODEL", help="the teacher, as --model of index")
    parser.add_argument("--texts", type=nonempty_path, metavar="FILE", help="your own texts, one per line")
    parser.add_argument(
        "--library", type=nonempty_path, metavar="L", help="learn to rank the pictures of a library"
    )
    parser.add_argument(
        "--out",
        type=nonempty_path,
        metavar="DIR",
        help="default: inside the library, where `serve` finds it",
    )
    parser.add_argument(
        "--student",
        choices=("static", "bag", "transformer", "shortened", "int8"),
        default="static",
        help="default: static, the fastest; bag needs no PyTorch and answers known words only; shortened is "
        "more exact; int8 is the teacher in 8 bits",
    )
    parser.add_argument(
        "--layers",
        type=int,
        default=3,
        metavar="N",
        help="layers of a transformer or shortened student, 2 to 4 (default: 3)",
    )
    parser.add_argument("--epochs", type=count, default=6, metavar="N", help="default: 6")
    parser.add_argument(
        "--shipped",
        type=int,
        default=60_000,
        metavar="N",
        help="number of shipped texts to train on (default: 60000)",
    )
    add_threads(parser)
    add_model_dir(parser)


def run(options: argparse.Namespace) -> None:
    """Train, then print how close the student is to its teacher."""
    if options.out is None and options.library is None:
        raise MissingArgumentError(
            expected="--out DIR or --library L", got="neither", hint="pass the folder to write the student to"
        )
    from snapseek.distil import Plan, distil, read_texts  # training is optional, and slow to load
    from snapseek.library import Library
    from snapseek.library.encoders import FAST_MODEL
    from snapseek.models import Encoder
    from snapseek.threads import available_cores

    own = read_texts(options.texts) if options.texts else []
    encoder = Encoder.load(
        options.model, threads=options.threads or available_cores(), model_dir=options.model_dir
    )
    library = Library.open(locate_library(options.library), encoder=encoder) if options.library else None
    out = options.out or locate_library(options.library) / FAST_MODEL
    figures = distil(
        encoder,
        out,
        texts=own,
        vectors=library.snapshot().sample_vectors() if library else None,
        plan=Plan(options.student, options.layers, options.shipped, options.epochs),
        report=print_status,
    )
    print(f"student   {printable(str(out))}")
    print(f"texts     {figures.texts} for training, {figures.held_out} held out")
    if figures.answered < 1:
        print(f"answered  {figures.answered:.0%} of the held-out texts, which the next figures are about")
    print(f"cosine    mean {figures.cosine_mean:.3f}, 5th percentile {figures.cosine_p5:.3f}, held-out texts")
    if figures.overlap is not None:
        print(f"overlap   {figures.overlap:.0%} of the teacher's ten best pictures, held-out texts")
    print(f"time      {figures.asking_s:.0f} s embedding, {figures.training_s:.0f} s training")
