"""`snapseek import`: import existing vectors and make their pictures searchable."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from snapseek.cli.console import print_report, print_size, print_status, printable, stage_bar
from snapseek.cli.options import add_memory, add_model_dir, add_threads, nonempty_path
from snapseek.errors import InputError, MissingArgumentError

if TYPE_CHECKING:
    import argparse

    from snapseek.library import Library
    from snapseek.sources import Embeddings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare DIR, the model that made its vectors, and where the library is written."""
    parser.add_argument(
        "folder", type=nonempty_path, metavar="DIR", help="holds img_emb/*.npy and metadata/*.parquet"
    )
    parser.add_argument(
        "--model",
        metavar="M",
        help="the model that made the vectors; without it, the models that fit are listed",
    )
    parser.add_argument("--library", type=nonempty_path, metavar="L", help="where to write the library")
    add_memory(parser)
    add_threads(parser)
    add_model_dir(parser)


def run(options: argparse.Namespace) -> None:
    """Import, then print what was imported, how fast, and the size of the library."""
    from snapseek.library import Library
    from snapseek.library.paths import library_of
    from snapseek.models import Encoder
    from snapseek.sources import find_embeddings

    found = find_embeddings(options.folder)
    columns = found.columns  # fails for a wrong folder before a model is downloaded
    if options.model is None:
        raise MissingArgumentError(
            expected=f"--model with the model that made these vectors of {found.dim} dimensions",
            got="none",
            hint=_models_of_width(found.dim),
        )
    encoder = Encoder.load(options.model, model_dir=options.model_dir)
    if encoder.dim != found.dim:
        raise InputError(
            expected=f"vectors of dimension {encoder.dim}, as '{encoder.name}' makes them",
            got=f"dimension {found.dim} in {found.files[0].vectors}",
            hint=_models_of_width(found.dim),
        )
    path = options.library or library_of(options.folder)
    print_status(f"model {encoder.name}, library {printable(str(path))}")
    began_s = time.monotonic()
    with stage_bar(found.rows) as advance:
        library = Library.import_vectors(
            options.folder,
            path,
            encoder=encoder,
            memory=options.memory,
            threads=options.threads,
            progress=advance,
        )
    _print_done(library, found, time.monotonic() - began_s)
    if columns.missing_uri_note and len(library):
        print_status(printable(columns.missing_uri_note))
    print_size(library)


def _print_done(library: Library, found: Embeddings, seconds: float) -> None:
    if library.report:
        print_report(library.report)
        if library.report.has_changed:
            rate = found.rows / max(seconds, 1e-3)
            print_status(f"{found.rows} vectors in {seconds:.1f} s, {rate:.0f} a second")


def _models_of_width(dim: int) -> str:
    """Return which models make vectors of that many dimensions."""
    from snapseek.models import Encoder
    from snapseek.models.catalogue import names_of_width

    names = names_of_width(dim)
    names += ["starter"] if Encoder.load().dim == dim else []
    if not names:
        return (
            f"no model of `snapseek models` has {dim} dimensions: name a directory or owner/name on the hub"
        )
    return f"models of {dim} dimensions: {', '.join(names)}; or name a directory or owner/name on the hub"
