"""`snapseek import`: import existing vectors and make their pictures searchable."""

import argparse

from snapseek.cli.console import print_size, print_status, printable, stage_bar
from snapseek.cli.options import add_memory, add_model_dir, add_threads, nonempty_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare DIR, the model that made its vectors, and where the library is written."""
    parser.add_argument(
        "folder", type=nonempty_path, metavar="DIR", help="holds img_emb/*.npy and metadata/*.parquet"
    )
    parser.add_argument("--model", required=True, metavar="M", help="the model that made the vectors")
    parser.add_argument("--library", type=nonempty_path, metavar="L", help="where to write the library")
    add_memory(parser)
    add_threads(parser)
    add_model_dir(parser)


def run(options: argparse.Namespace) -> None:
    """Import, then print the size of the library."""
    from snapseek.library import Library
    from snapseek.library.paths import library_of
    from snapseek.models import Encoder
    from snapseek.sources import find_embeddings

    columns = find_embeddings(options.folder).columns  # fails for a wrong folder before a model is downloaded
    encoder = Encoder.load(options.model, model_dir=options.model_dir)
    path = options.library or library_of(options.folder)
    print_status(f"model {encoder.name}, library {printable(str(path))}")
    with stage_bar() as advance:
        library = Library.import_vectors(
            options.folder,
            path,
            encoder=encoder,
            memory=options.memory,
            threads=options.threads,
            progress=advance,
        )
    if columns.missing_uri_note and len(library):
        print_status(printable(columns.missing_uri_note))
    print_size(library)
