"""Download the files of a model from the hub, verify their checksums, then publish them."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from snapseek.atomic_file import is_plain_file, publish_new
from snapseek.errors import ModelError, SnapseekError, StorageError
from snapseek.models.catalogue import Pin
from snapseek.models.hub.layout import Layout, choose_layout
from snapseek.models.hub.manifest import Manifest, Source, endpoint, is_inside
from snapseek.models.hub.probe_cache import sha256_of
from snapseek.models.hub.ref import ModelRef

if TYPE_CHECKING:
    from snapseek.models.hub.client import Listing

_PARTS = ".snapseek-parts"  # incomplete downloads, hidden from the search for model files
_MARK = "made-by-snapseek"
_INCOMPLETE = ".incomplete"
_YES = {"1", "on", "yes", "true"}


DownloadProgress = Callable[[int, int], object]
"""Called with the number of bytes that were received, and that of all."""


def pull(
    ref: ModelRef,
    folder: Path,
    *,
    towers: tuple[str, ...] = ("text", "image"),
    progress: DownloadProgress | None = None,
) -> None:
    """Download the missing files of a model into `folder`, and write its manifest.

    Parameters
    ----------
    ref
        The model.
    folder
        The folder of the model. Existing files are kept.
    towers
        Towers to download: `text`, `image` or both.
    progress
        Called with the progress of each tower.

    Raises
    ------
    ModelError
        If the hub cannot be reached, has no such file, or sends a file with another checksum.
    StorageError
        If the disk is full or cannot be written.
    """
    manifest = Manifest.read(folder)
    if not manifest.sources:
        with _translated_errors(f"the model {ref.name}", by_hand(ref, folder)):
            manifest = _plan(ref)
        _make_folder(folder)
        manifest.write(folder)
    for tower in towers:
        fetch(folder, manifest, tower, progress)


def fetch(folder: Path, manifest: Manifest, tower: str, progress: DownloadProgress | None = None) -> None:
    """Download the missing files of one tower, `text` or `image`. Raises as `pull`."""
    missing = [source for source in manifest.sources_for(tower) if not (folder / source.place).is_file()]
    _check_space(folder, missing)
    total = sum(source.size_bytes or 0 for source in missing)
    before = 0
    for source in missing:
        report = partial(_report, progress, before, total)
        before += source.size_bytes or 0
        size = _size(source.size_bytes)
        by_hand = f"to download it by hand, save {source.url(endpoint())}{size} as {folder / source.place}"
        with _translated_errors(source.path, by_hand):
            _fetch_file(folder, source, report)
    if missing:
        _remove_leftovers(folder / _PARTS)


def missing_bytes(ref: ModelRef, folder: Path) -> int | None:
    """Return how many bytes of a model are still to be downloaded; None if that is not known.

    Sends no request.
    """
    with suppress(ModelError):
        if sources := Manifest.read(folder).sources:
            return sum(map(partial(_missing_of, folder), sources))
    return sum(pin.known_bytes for pin in ref.pins) if ref.pins else None


def _missing_of(folder: Path, source: Source) -> int:
    if (folder / source.place).is_file():
        return 0
    part = folder / _PARTS / f"{source.place}{_INCOMPLETE}"
    return max(0, (source.size_bytes or 0) - (part.stat().st_size if part.is_file() else 0))


def verify(folder: Path, manifest: Manifest) -> int:
    """Compare the files of a folder with the pinned checksums; return how many were compared.

    Raises ModelError for a file that differs.
    """
    present = [source for source in manifest.sources if (folder / source.place).is_file()]
    for source in present:
        _check_content(folder / source.place, source)
    return len(present)


def by_hand(ref: ModelRef, folder: Path) -> str:
    """Return the hint how to download a model without snapseek: which files go where."""
    files = ", ".join(
        pin.path + _size(pin.known_bytes if pin.known_bytes >= 1e6 else None) for pin in ref.pins
    )
    what = files or "its ONNX graphs, tokenizer.json, config.json and preprocessor_config.json"
    others = ", ".join(repo for repo, _ in ref.companions())
    more = f" (those of {others} too)" if others else ""
    where = f"{endpoint()}/{ref.repo}/tree/{ref.revision}"
    return f"to download it by hand, put {what} with its configuration from {where}{more} into {folder}"


def _size(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f" ({size_bytes / 1e6:.0f} MB)"


def _plan(ref: ModelRef) -> Manifest:
    """List the files of the repository, and choose those that the model needs."""
    revision, listing = _listing(ref.repo, ref.revision)
    pins = {pin.path: pin for pin in ref.pins if pin.repo is None}
    sources: dict[str, Source] = {}
    for path in listing:
        sources[path] = _source(pins.get(path) or Pin(path), ref.repo, revision, listing)
    for (repo, wanted), files in ref.companions().items():
        revision, listing = _listing(repo, wanted)
        for pin in files:
            sources[pin.path] = _source(pin, repo, revision, listing)
    layout = choose_layout(sources.keys(), size=ref.size, named=ref.files)
    return Manifest(dict(ref.files), tuple(_sources(sources, layout)))


def _source(pin: Pin, repo: str, revision: str, listing: "Listing") -> Source:
    """Return the source of a file. What is pinned goes before what the hub says."""
    path = pin.source or pin.path
    size_bytes, sha256 = listing.get(path, (None, None))
    size_bytes = pin.size_bytes if pin.size_bytes is not None else size_bytes
    return Source(pin.path, repo, revision, path, "text", size_bytes, pin.sha256 or sha256)


def _sources(sources: dict[str, Source], layout: Layout) -> Iterator[Source]:
    text = _with_weights(sources, layout.text_graph) | layout.text_files()
    image = _with_weights(sources, layout.image_graph) - text
    for tower, paths in (("text", text), ("image", image)):
        for path in sorted(paths):
            if path not in sources:
                raise ModelError(f"the repository has no file {path}")
            source = sources[path]
            yield Source(
                path, source.repo, source.revision, source.path, tower, source.size_bytes, source.sha256
            )


def _with_weights(sources: dict[str, Source], graph: str | None) -> set[str]:
    """Return the graph and the files with its external weights."""
    if graph is None:
        return set()
    return {graph} | {path for path in sources if path.startswith((f"{graph}_data", f"{graph}.data"))}


def _listing(repo: str, revision: str) -> "tuple[str, Listing]":
    """Return the commit of a revision, and size and SHA-256 of its files as far as the hub knows them."""
    from snapseek.models.hub.client import HubClient  # HTTP and TLS are imported for a download only

    commit, files = HubClient().listing(repo, revision)
    return commit, {path: known for path, known in files.items() if is_inside(path)}


def _parts(folder: Path) -> Path:
    """Create the marked folder of incomplete downloads. Raises StorageError if the name is taken."""
    parts = folder / _PARTS
    parts.mkdir(exist_ok=True)
    mark = parts / _MARK
    if not parts.is_symlink() and not any(parts.iterdir()):
        with mark.open("x"):
            pass
    if parts.is_symlink() or not is_plain_file(mark):
        raise StorageError(
            expected=f"incomplete downloads in {parts}",
            got="something else",
            hint="move it away, or name another folder with --model-dir",
        )
    return parts


def _remove_leftovers(parts: Path) -> None:
    """Remove the folder of incomplete downloads if none is left in it."""
    with suppress(OSError):
        for folder, _, _ in os.walk(parts, topdown=False):
            here = Path(folder)
            if here != parts and not any(here.iterdir()):
                here.rmdir()
        if [path.name for path in parts.iterdir()] == [_MARK]:
            (parts / _MARK).unlink()
            parts.rmdir()


def _report(progress: DownloadProgress | None, before: int, total: int, received: int) -> None:
    if progress is not None:
        progress(before + received, max(total, before + received))


def _fetch_file(folder: Path, source: Source, progress: Callable[[int], object]) -> None:
    from snapseek.models.hub.client import HubClient

    part = _parts(folder) / f"{source.place}{_INCOMPLETE}"
    part.parent.mkdir(parents=True, exist_ok=True)
    if part.exists() and not is_plain_file(part):
        raise StorageError(expected=f"an incomplete download at {part}", got="something else")
    HubClient().download(source.repo, source.revision, source.path, part, source.size_bytes, progress)
    try:
        _check_content(part, source)
    except ModelError:
        part.unlink(missing_ok=True)
        raise
    target = folder / source.place
    target.parent.mkdir(parents=True, exist_ok=True)
    publish_new(part, target)


def _check_content(path: Path, source: Source) -> None:
    size_bytes = path.stat().st_size
    if source.size_bytes is not None and size_bytes != source.size_bytes:
        raise ModelError(
            expected=f"{source.size_bytes} bytes in {source.path}", got=str(size_bytes), hint="fetch it again"
        )
    if source.sha256 and (found := sha256_of(path)) != source.sha256:
        raise ModelError(
            expected=f"the sha256 {source.sha256[:12]}… of {source.path}",
            got=f"{found[:12]}…: the file is damaged or was replaced",
            hint="delete it and fetch it again",
        )


def _check_space(folder: Path, missing: list[Source]) -> None:
    needed = sum(source.size_bytes or 0 for source in missing)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            expected=f"{needed / 1e6:.0f} MB of free disk space for the model in {folder}",
            got=f"{free / 1e6:.0f} MB",
            hint="delete files, or name another folder with --model-dir",
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"the folder {folder} cannot be created: {error.strerror}") from error


@contextmanager
def _translated_errors(what: str, by_hand: str) -> Iterator[None]:
    """Convert errors of the client and of the disk to ModelError or StorageError, with a hint."""
    if any(os.environ.get(name, "").lower() in _YES for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")):
        raise ModelError(f"{what} is not on this machine, and HF_HUB_OFFLINE is set", hint=by_hand)
    from snapseek.models.hub.client import HubError

    try:
        yield
    except SnapseekError:
        raise
    except HubError as error:
        raise ModelError(f"{what} cannot be downloaded: {error}", hint=by_hand) from error
    except OSError as error:
        raise StorageError(
            f"{what} cannot be saved: {error.strerror}", hint="try again; complete files are kept"
        ) from error
