"""From the hub into a model's folder: only what is needed, checked before it gets its name."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from snapseek.atomic_file import is_plain_file, publish_new
from snapseek.errors import ModelError, SnapseekError, StorageError
from snapseek.models.hub.layout import Layout, choose_layout
from snapseek.models.hub.manifest import Manifest, Source, is_inside
from snapseek.models.hub.probe_cache import sha256_of
from snapseek.models.hub.ref import ModelRef

_PARTS = ".snapseek-parts"  # unfinished files: hidden, so that nobody takes them for the model's
_MARK = "made-by-snapseek"
_HUB_FILES = {".gitignore", "CACHEDIR.TAG"}
_HUB_SUFFIXES = {".metadata", ".lock", ".incomplete"}
"""What the hub's client keeps below `.cache` next to the files that it fetches."""
_PUBLIC_HUB = "https://huggingface.co"
_YES = {"1", "on", "yes", "true"}
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
_REFUSED = {
    401: "it does not exist, or needs permission: set HF_TOKEN, or log in with `hf auth login`",
    403: "it needs permission: ask for it on the repository's page and set HF_TOKEN",
    404: "the hub has no such repository, revision or file",
    429: "the hub asks to wait (429); try again in some minutes",
}
_Listing = dict[str, tuple[int | None, str | None]]


def pull(wanted: ModelRef, folder: Path, *, towers: tuple[str, ...] = ("text", "image")) -> None:
    """Fetch the files of some towers into `folder`, and write its manifest.

    What is there already is kept. Raises ModelError when the hub cannot be reached, does not have it, or
    sends something else than was pinned; StorageError when the disk is full or refuses.
    """
    manifest = Manifest.read(folder)
    if not manifest.sources:
        with _told(f"the model {wanted.name}", by_hand(wanted, folder)):
            manifest = _plan(wanted)
        _make(folder)
        manifest.write(folder)
    for tower in towers:
        fetch(folder, manifest, tower)


def fetch(folder: Path, manifest: Manifest, tower: str) -> None:
    """Fetch what is missing of the files of one tower, `text` or `image`. Raises as `pull`."""
    missing = [source for source in manifest.sources_for(tower) if not (folder / source.place).is_file()]
    _check_space(folder, missing)
    for source in missing:
        by_hand = f"to bring it by hand, put {source.url(_endpoint())} at {folder / source.place}"
        with _told(source.path, by_hand):
            _fetch_file(folder, source)
    if missing:
        _tidy(folder / _PARTS)


def verify(folder: Path, manifest: Manifest) -> int:
    """Compare the files of a folder with what the manifest pins; the number compared. Raises ModelError."""
    here = [source for source in manifest.sources if (folder / source.place).is_file()]
    for source in here:
        _check_content(folder / source.place, source)
    return len(here)


def by_hand(wanted: ModelRef, folder: Path) -> str:
    """Return how to do without the network: which files go where."""
    files = ", ".join(wanted.paths())
    what = files or "its ONNX graphs, tokenizer.json, config.json and preprocessor_config.json"
    more = (
        f" (those of {', '.join(item.repo for item in wanted.companions)} too)" if wanted.companions else ""
    )
    where = f"{_endpoint()}/{wanted.repo}/tree/{wanted.revision}"
    return f"to bring it by hand, put {what} with its configuration from {where}{more} into {folder}"


def _plan(wanted: ModelRef) -> Manifest:
    """Ask the repository what it has, and choose what the model needs."""
    revision, listing = _listing(wanted.repo, wanted.revision)
    pins = {pin.path: pin for pin in wanted.pins}
    places: dict[str, Source] = {}
    for path, (size_bytes, sha256) in listing.items():
        pin = pins.get(path)
        pinned = pin.sha256 if pin and pin.sha256 else sha256
        places[path] = Source(path, wanted.repo, revision, path, "text", size_bytes, pinned)
    for companion in wanted.companions:
        revision, listing = _listing(companion.repo, companion.revision)
        for place, pin in companion.files:
            size_bytes, sha256 = listing.get(pin.path, (None, None))
            source = Source(
                place, companion.repo, revision, pin.path, "text", size_bytes, pin.sha256 or sha256
            )
            places.setdefault(place, source)
    layout = choose_layout(places.keys(), size=wanted.size, named=wanted.files)
    return Manifest(wanted.files, tuple(_sources(places, layout)))


def _sources(places: dict[str, Source], layout: Layout) -> Iterator[Source]:
    text = _with_weights(places, layout.text_graph) | layout.text_files()
    image = _with_weights(places, layout.image_graph) - text
    for tower, chosen in (("text", text), ("image", image)):
        for place in sorted(chosen):
            if place not in places:
                raise ModelError(f"the repository has no file {place}")
            source = places[place]
            yield Source(
                place, source.repo, source.revision, source.path, tower, source.size_bytes, source.sha256
            )


def _with_weights(places: dict[str, Source], graph: str | None) -> set[str]:
    """Return the graph, and the files beside it that hold its weights."""
    if graph is None:
        return set()
    return {graph} | {place for place in places if place.startswith((f"{graph}_data", f"{graph}.data"))}


def _listing(repo: str, revision: str) -> tuple[str, _Listing]:
    """Return the commit that a revision is, and the size and sha256 of its files where the hub tells them."""
    info = _hub().HfApi(endpoint=_endpoint()).model_info(repo, revision=revision, files_metadata=True)
    files: _Listing = {}
    for sibling in info.siblings or ():
        if is_inside(sibling.rfilename):
            files[sibling.rfilename] = (sibling.size, sibling.lfs.sha256 if sibling.lfs else None)
    return str(info.sha or revision), files


def _parts(folder: Path) -> Path:
    """Return the folder of unfinished files, marked as ours. Raises StorageError where another has its name."""
    parts = folder / _PARTS
    parts.mkdir(exist_ok=True)
    mark = parts / _MARK
    if not parts.is_symlink() and not any(parts.iterdir()):
        with mark.open("x"):
            pass
    if parts.is_symlink() or not is_plain_file(mark):
        raise StorageError(
            expected=f"unfinished downloads in {parts}",
            got="something else",
            hint="move it away, or name another folder with --model-dir",
        )
    return parts


def _tidy(parts: Path) -> None:
    """Remove what the hub's client left in our folder of unfinished files, and the folder when empty."""
    with suppress(OSError):
        for place, _, names in os.walk(parts, topdown=False):
            here = Path(place)
            for name in names if ".cache" in here.relative_to(parts).parts else ():
                if (name in _HUB_FILES or Path(name).suffix in _HUB_SUFFIXES) and is_plain_file(here / name):
                    (here / name).unlink()
            if here != parts and not any(here.iterdir()):
                here.rmdir()
        if [path.name for path in parts.iterdir()] == [_MARK]:
            (parts / _MARK).unlink()
            parts.rmdir()


def _fetch_file(folder: Path, source: Source) -> None:
    parts = _parts(folder) / source.repo.replace("/", "--")
    fetched = _hub().hf_hub_download(
        source.repo, source.path, revision=source.revision, local_dir=parts, endpoint=_endpoint()
    )
    path = Path(fetched)
    try:
        _check_content(path, source)
    except ModelError:
        path.unlink(missing_ok=True)
        raise
    target = folder / source.place
    target.parent.mkdir(parents=True, exist_ok=True)
    publish_new(path, target)


def _check_content(path: Path, source: Source) -> None:
    size_bytes = path.stat().st_size
    if source.size_bytes is not None and size_bytes != source.size_bytes:
        raise ModelError(
            expected=f"{source.size_bytes} bytes in {source.path}", got=str(size_bytes), hint="fetch it again"
        )
    if source.sha256 and (found := sha256_of(path)) != source.sha256:
        raise ModelError(
            expected=f"the sha256 {source.sha256[:12]}… of {source.path}",
            got=f"{found[:12]}…: the file is damaged or was exchanged",
            hint="delete it and fetch it again",
        )


def _check_space(folder: Path, missing: list[Source]) -> None:
    needed = sum(source.size_bytes or 0 for source in missing)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"the model needs {needed / 1e6:.0f} MB in {folder}, {free / 1e6:.0f} MB are free; "
            "make room, or name another folder with --model-dir"
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"the folder {folder} cannot be made: {error.strerror}") from error


def _endpoint() -> str:
    # Read at each call: the hub's client reads it once, at its import.
    return (os.environ.get("HF_ENDPOINT") or _PUBLIC_HUB).rstrip("/")


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise ModelError(
            "huggingface_hub is not installed; install it with: pip install 'snapseek[hub]'"
        ) from error
    return huggingface_hub


@contextmanager
def _told(what: str, by_hand: str) -> Iterator[None]:
    """Turn what the hub's client raises into one sentence with a way out."""
    if any(os.environ.get(name, "").lower() in _YES for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")):
        raise ModelError(f"{what} is not on this machine, and HF_HUB_OFFLINE is set; {by_hand}")
    try:
        yield
    except SnapseekError:
        raise
    except Exception as error:  # the client raises its own, those of its transport, and plain OSError
        if isinstance(error, OSError) and error.errno in _DISK:
            raise StorageError(
                f"{what} cannot be kept: {error.strerror}; files that are complete stay for the next try"
            ) from error
        raise ModelError(f"{what} cannot be fetched: {_reason(error)}; {by_hand}") from error


def _reason(error: BaseException) -> str:
    while error.__cause__ is not None:  # the client wraps what it met
        error = error.__cause__
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in _REFUSED:
        return _REFUSED[status]
    if status is not None:
        return f"the hub answers with the error {status}"
    text = str(error).partition("\n")[0] or type(error).__name__
    return f"the hub cannot be reached or broke off ({text})"
