"""`snapseek import`: vectors that are there already."""

import argparse

from snapseek.cli.command import Command
from snapseek.cli.notes import note, note_size, shown, stage_bar
from snapseek.cli.options import add_memory, add_model_dir, count, named_path
from snapseek.library import Library
from snapseek.library.places import library_of
from snapseek.models import Encoder
from snapseek.sources import find_embeddings


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=named_path, metavar="DIR", help="img_emb/*.npy and metadata/*.parquet are in it"
    )
    parser.add_argument("--model", required=True, metavar="M", help="the model that made the vectors")
    parser.add_argument("--library", type=named_path, metavar="L", help="where the library goes")
    add_memory(parser)
    parser.add_argument("--threads", type=count, metavar="N", help="default: all cores")
    add_model_dir(parser)


def _run(options: argparse.Namespace) -> None:
    columns = find_embeddings(options.folder).columns  # what does not fit is said before a model is fetched
    encoder = Encoder.load(options.model, model_dir=options.model_dir)
    path = options.library or library_of(options.folder)
    note(f"model {encoder.name}, library {shown(str(path))}")
    with stage_bar() as advance:
        library = Library.import_vectors(
            options.folder,
            path,
            encoder=encoder,
            memory=options.memory,
            threads=options.threads,
            progress=advance,
        )
    if columns.absence and len(library):
        note(shown(columns.absence))
    note_size(library)


IMPORT = Command("import", "make pictures searchable whose vectors are there already", _arguments, _run)
