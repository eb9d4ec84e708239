"""The `snapseek` command: parse, call, print; nothing else."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from snapseek import __version__
from snapseek.errors import InputError, ItemNotFoundError, SnapseekError
from snapseek.library import Hit, Hits, Library
from snapseek.library import Progress as IndexProgress
from snapseek.library.library import FAST_MODEL, available_cores
from snapseek.library.places import DEMO_PICTURES, demo_library, find_library, library_of
from snapseek.models import Encoder
from snapseek.models.catalogue import CATALOGUE, Entry
from snapseek.models.check import check_model
from snapseek.models.shelf import pull_model
from snapseek.server import serve
from snapseek.sources.picture import displayed

_STOPPED = 130
_SHOWN_EXAMPLES = 3
_NOTES = Console(stderr=True, highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (default: those of the process). Returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    if words and not words[0].startswith("-") and words[0] not in _COMMANDS:
        words.insert(0, "open")
    options = parser.parse_args(words)
    try:
        _COMMANDS[options.command](options)
    except SnapseekError as error:
        _NOTES.print(f"snapseek: {displayed(str(error))}", markup=False, style="red")
        return 1
    except KeyboardInterrupt:
        _NOTES.print("snapseek: stopped; nothing half-written stays")
        return _STOPPED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="snapseek",
        description="Search your pictures by words.",
        epilog="`snapseek FOLDER` is `snapseek open FOLDER`: index it, serve the page, open the browser.",
    )
    parser.add_argument("--version", action="version", version=f"snapseek {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo", help="index the pictures that come with snapseek, serve and open the page"
    )
    demo.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="further pictures to take in")
    opened = commands.add_parser("open", help="index a folder, serve and open the page")
    index = commands.add_parser("index", help="make a folder of pictures searchable")
    for command in (opened, index):
        command.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="pictures, at any depth")
    taken = commands.add_parser("import", help="make pictures searchable whose vectors are there already")
    taken.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="img_emb/*.npy and metadata/*.parquet are in it",
    )
    taken.add_argument("--model", required=True, metavar="M", help="the model that made the vectors")
    taken.add_argument("--library", type=Path, metavar="L", help="where the library goes")
    taken.add_argument("--memory", metavar="SIZE", help="most bytes for the vectors, such as 500MB")
    taken.add_argument("--threads", type=_count, metavar="N", help="default: all cores")
    served = commands.add_parser("serve", help="serve the page of a library")
    served.add_argument(
        "place", nargs="?", type=Path, default=Path(), metavar="LIBRARY", help="default: that of this folder"
    )
    search = commands.add_parser("search", help="print the pictures that fit the words best")
    search.add_argument(
        "query",
        nargs="+",
        metavar="WORDS",
        help="what to see: two dogs on a beach; horse + stripes - 2:snow; image:dog.jpg + night; id:17",
    )
    search.add_argument("-k", type=int, default=20, metavar="N", help="how many (default: 20)")
    shape = search.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--paths", action="store_true", help="print paths alone, one a line")
    search.add_argument(
        "--library", type=Path, default=Path(), metavar="L", help="default: that of this folder"
    )
    search.add_argument("--tower", choices=("full", "fast"), default="full", help="fast: its student answers")
    distilled = commands.add_parser("distil", help="train a small text tower that answers for a large one")
    distilled.add_argument("model", metavar="MODEL", help="the teacher, as --model of index")
    distilled.add_argument("--texts", type=Path, metavar="FILE", help="your own texts, one a line")
    distilled.add_argument(
        "--library", type=Path, metavar="L", help="learn to rank the pictures of a library"
    )
    distilled.add_argument(
        "--out", type=Path, metavar="DIR", help="default: in the library, where it is found"
    )
    distilled.add_argument("--student", choices=("static", "transformer"), default="static")
    distilled.add_argument("--layers", type=int, default=3, metavar="N", help="of a transformer, 2 to 4")
    distilled.add_argument("--epochs", type=_count, default=6, metavar="N", help="default: 6")
    distilled.add_argument(
        "--shipped", type=int, default=60_000, metavar="N", help="shipped texts to learn from"
    )
    distilled.add_argument("--threads", type=_count, metavar="N", help="default: all cores")
    info = commands.add_parser("info", help="say what a library holds")
    info.add_argument(
        "place", nargs="?", type=Path, default=Path(), metavar="LIBRARY", help="default: that of this folder"
    )
    info.add_argument(
        "--failed", action="store_true", help="list the files that could not be read, with the reason"
    )
    models = commands.add_parser("models", help="list the models that can be fetched; fetch or check one")
    actions = models.add_subparsers(dest="action", metavar="ACTION")
    pulled = actions.add_parser("pull", help="fetch a model into the folder of models")
    pulled.add_argument("model", metavar="NAME", help="a name of the list, or owner/name of the hub")
    pulled.add_argument("--text-only", action="store_true", help="leave the image tower until it is needed")
    checked = actions.add_parser("check", help="load a model that is here and say what it is")
    checked.add_argument("model", metavar="NAME|DIR", help="as for pull, 'starter', or a directory")
    for command in (pulled, checked, demo, opened, index, taken, distilled):
        command.add_argument(
            "--model-dir", type=Path, metavar="D", help="folder of models (default: in your cache)"
        )

    for command in (demo, opened, index):
        command.add_argument("--library", type=Path, metavar="L", help="where the library goes")
        command.add_argument(
            "--threads", type=_count, metavar="N", help="pictures at a time (default: all cores)"
        )
        command.add_argument(
            "--model",
            default="starter",
            metavar="M",
            help="'starter', a name of `snapseek models`, owner/name of the hub, or a directory",
        )
    for command in (demo, opened, served):
        command.add_argument(
            "--fast-model", type=Path, metavar="DIR", help="a student of the library's model, for ?tower=fast"
        )
        command.add_argument(
            "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
        )
        command.add_argument(
            "--port", type=int, default=8000, help="port to listen on (default: 8000; 0 = any)"
        )
    for command in (demo, opened):
        command.add_argument("--no-open", dest="open", action="store_false", help="do not open the browser")
        command.add_argument("--no-serve", dest="serve", action="store_false", help="stop after the index")
    served.add_argument("--open", action="store_true", help="open the browser")
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, found {value}")
    return value


def _demo(options: argparse.Namespace) -> None:
    library = _build([DEMO_PICTURES, *options.folders], options.library or demo_library(), options)
    for query in library.encoder.examples[:_SHOWN_EXAMPLES]:
        names = ", ".join(str(hit.meta["name"]) for hit in library.search(query, k=3))
        _NOTES.print(f"  {query} → {names}", markup=False)
    if options.serve:
        _serve(library, options)


def _open(options: argparse.Namespace) -> None:
    library = _build(options.folders, options.library, options)
    if options.serve:
        _serve(library, options)


def _index(options: argparse.Namespace) -> None:
    _build(options.folders, options.library, options)


def _build(folders: list[Path], place: Path | None, options: argparse.Namespace) -> Library:
    if place is None and len(folders) > 1:
        raise InputError("expected --library L where several folders go into one library")
    path = place or library_of(folders[0])
    encoder = Encoder.load(options.model, model_dir=options.model_dir)
    _NOTES.print(f"model {encoder.name} on {encoder.provider}, library {displayed(str(path))}", markup=False)
    library = _build_with_bar(folders, path, encoder, options.threads)
    info = library.info()
    broken = f", {info.failed} could not be read (snapseek info --failed)" if info.failed else ""
    _NOTES.print(f"{info.count} pictures, {info.size_bytes / 1e6:.1f} MB{broken}", markup=False)
    return library


def _build_with_bar(folders: list[Path], path: Path, encoder: Encoder, threads: int | None) -> Library:
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_NOTES, transient=True, disable=not _NOTES.is_terminal) as bar:
        task = bar.add_task("index", total=None, rate="")

        def report(progress: IndexProgress) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.0f} pictures/s" if speed else ""
            bar.update(task, completed=progress.done, total=progress.total, rate=rate)

        return Library.build(folders, path, encoder=encoder, threads=threads, progress=report)


def _import(options: argparse.Namespace) -> None:
    encoder = Encoder.load(options.model, model_dir=options.model_dir)
    path = options.library or library_of(options.folder)
    _NOTES.print(f"model {encoder.name}, library {displayed(str(path))}", markup=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_NOTES, transient=True, disable=not _NOTES.is_terminal) as bar:
        task = bar.add_task("read", total=1.0)
        library = Library.import_vectors(
            options.folder,
            path,
            encoder=encoder,
            memory=options.memory,
            threads=options.threads,
            progress=lambda stage, share: bar.update(task, description=stage, completed=share),
        )
    info = library.info()
    left_out = f", {info.failed} left out (snapseek info --failed)" if info.failed else ""
    _NOTES.print(f"{info.count} pictures, {info.size_bytes / 1e6:.1f} MB{left_out}", markup=False)


def _serve_place(options: argparse.Namespace) -> None:
    _serve(Library.open(find_library(options.place)), options)


def _serve(library: Library, options: argparse.Namespace) -> None:
    encoder = library.encoder
    if options.fast_model:
        library.use_fast_model(options.fast_model)
    if library.fast_encoder:
        _NOTES.print(f"fast model {library.fast_encoder.name}", markup=False)
    _NOTES.print(f"model {encoder.name} on {encoder.provider}, {len(library)} pictures", markup=False)
    serve(
        library,
        host=options.host,
        port=options.port,
        open_browser=options.open,
        on_ready=lambda url: _NOTES.print(f"serving {url} (Ctrl-C stops)", markup=False),
    )


def _search(options: argparse.Namespace) -> None:
    library = Library.open(find_library(options.library))
    hits = library.search(" ".join(options.query), k=options.k, tower=options.tower)
    if options.paths:
        for hit in hits:
            sys.stdout.buffer.write(os.fsencode(_place(library, hit)) + b"\n")
    elif options.json:
        print(json.dumps(_as_json(hits), ensure_ascii=False, indent=1))
    else:
        for hit in hits:
            print(f"{hit.score:.3f}  {displayed(_place(library, hit))}")


def _place(library: Library, hit: Hit) -> str:
    """The path of an original, or the address of one that was imported."""
    try:
        return str(library.original(hit.id))
    except ItemNotFoundError:
        return hit.uri


def _as_json(hits: Hits) -> list[dict[str, object]]:
    return [_fields(hit) for hit in hits]


def _fields(hit: Hit) -> dict[str, object]:
    fields = ("id", "score", "uri", "width", "height", "color", "caption", "meta")
    return {name: getattr(hit, name) for name in fields}


def _distil(options: argparse.Namespace) -> None:
    from snapseek.distil import Plan, distil, read_texts

    if options.out is None and options.library is None:
        raise InputError("expected --out DIR, or --library L to put the student into")
    own = read_texts(options.texts) if options.texts else []
    encoder = Encoder.load(
        options.model, threads=options.threads or available_cores(), model_dir=options.model_dir
    )
    library = Library.open(find_library(options.library), encoder=encoder) if options.library else None
    out = options.out or find_library(options.library) / FAST_MODEL
    plan = Plan(options.student, options.layers, options.shipped, options.epochs)
    figures = distil(
        encoder,
        out,
        texts=own,
        vectors=library.vectors() if library else None,
        plan=plan,
        report=lambda line: _NOTES.print(line, markup=False),
    )
    print(f"student   {displayed(str(out))}")
    print(f"texts     {figures.texts} learned from, {figures.held_out} held out")
    print(f"cosine    mean {figures.cosine_mean:.3f}, 5th percentile {figures.cosine_p5:.3f}, held-out texts")
    if figures.overlap is not None:
        print(f"overlap   {figures.overlap:.0%} of the teacher's ten best pictures, held-out texts")
    print(f"time      {figures.asking_s:.0f} s asking, {figures.training_s:.0f} s training")


def _info(options: argparse.Namespace) -> None:
    library = Library.open(find_library(options.place))
    if options.failed:
        for failure in library.failures():
            print(f"{displayed(str(failure.path))}: {failure.reason}")
        return
    info = library.info()
    rows = {
        "library": displayed(str(info.path)),
        "folders": ", ".join(displayed(str(folder)) for folder in info.folders),
        "pictures": f"{info.count} ({info.failed} could not be read)",
        "model": f"{info.model} {info.fingerprint[:12]}, {info.dim} numbers a picture",
        "kernel": info.kernel,
        "size": f"{info.size_bytes / 1e6:.1f} MB",
        "made": f"{info.created}, version {info.version}",
    }
    for name, value in rows.items():
        print(f"{name:9} {value}")


def _models(options: argparse.Namespace) -> None:
    if options.action == "pull":
        folder = pull_model(options.model, options.model_dir, text_only=options.text_only)
        _NOTES.print(f"{options.model} is in {displayed(str(folder))}", markup=False)
    elif options.action == "check":
        for name, value in check_model(options.model, options.model_dir).items():
            print(f"{name:11} {displayed(value)}")
    else:
        print(f"{'starter':24} {'19 MB':>7}  comes with snapseek: everyday nouns and colours; English")
        for entry in CATALOGUE:
            _print_entry(entry)
        _NOTES.print("fetch one with: snapseek models pull NAME", markup=False)


def _print_entry(entry: Entry) -> None:
    size = f"{entry.size_mb} MB" if entry.size_mb else "?"
    print(f"{entry.name:24} {size:>7}  {entry.good_for}")
    told = [f"ImageNet {entry.imagenet} %"] if entry.imagenet else []
    told += [f"COCO {entry.coco} %"] if entry.coco else []
    print(" " * 34 + "; ".join([entry.licence, f"languages: {entry.languages}", *told]))


_COMMANDS = {
    "demo": _demo,
    "open": _open,
    "index": _index,
    "import": _import,
    "serve": _serve_place,
    "search": _search,
    "info": _info,
    "models": _models,
    "distil": _distil,
}
