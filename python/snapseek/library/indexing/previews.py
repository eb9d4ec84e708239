"""Previews for pictures that came as vectors: their originals fetched once, made small, and kept.

What was made is noted in a file of its own as it comes, and put into the shards now and then: a shard never
changes, so a new one with the same vectors takes its place in one commit. A stop at any moment costs the last
second of work.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pyarrow.compute

from snapseek.errors import InputError, PictureError
from snapseek.images import make_preview, open_image
from snapseek.library.indexing.bounded_map import bounded_map
from snapseek.library.indexing.rewrite_records import rewrite_records
from snapseek.library.indexing.sync import Progress
from snapseek.library.storage.database import Database, ShardRow
from snapseek.library.storage.exclusive_writer import exclusive_writer, remove_stray_files
from snapseek.library.storage.library_meta import fresh_version
from snapseek.library.storage.preview_queue import PendingPreview, PreviewQueue
from snapseek.library.storage.shard import Shard
from snapseek.library.storage.shard_files import ShardFiles
from snapseek.sources import FetchLimits, Picture
from snapseek.sources.http.url_policy import checked_url
from snapseek.sources.urls import default_fetch

_SIDE_PX = 128
"""A JPEG may be read at such a fraction that its sides stay twice as large: previews are made from 256 px."""

_compute: Any = pyarrow.compute  # whose stubs do not know arrays of any type
_LOOK_AHEAD = 4
_LEAST_ROWS = 4096
_MOST_REWRITES = 20


@dataclass(frozen=True)
class PreviewReport:
    """How many pictures got a preview, how many did not, and how many are left for later.

    `tried` failed before and were left alone; `not_allowed` have a file for an original, and no folder was
    named to look in.
    """

    made: int = 0
    failed: int = 0
    tried: int = 0
    not_allowed: int = 0


@dataclass(frozen=True)
class PreviewOptions:
    """How originals are found: `root` is the folder that local ones may lie in, None for none at all."""

    threads: int
    root: Path | None = None
    limits: FetchLimits | None = None
    retry_failed: bool = False
    progress: Callable[[Progress], None] | None = None


def make_previews(directory: Path, how: PreviewOptions) -> PreviewReport:
    """Give each picture of the library without a preview one, from the original at its `uri`.

    Goes on where it was stopped. Raises StorageError when the disk refuses, LibraryBusyError while another
    process writes, InputError when urls are to be fetched and nothing is installed that does it.
    """
    with exclusive_writer(directory) as catalogue, PreviewQueue(directory) as pending:
        if how.retry_failed:
            pending.forget_failures()
        work = _Work(catalogue, directory, how, pending)
        for row in catalogue.shards():
            work.fill(row)
    return work.report


def preview_failures(directory: Path) -> dict[int, str]:
    """The pictures that got no preview, by id, and why."""
    if not PreviewQueue.is_there(directory):
        return {}
    with PreviewQueue(directory, read_only=True) as pending:
        return pending.failures()


class _Work:
    def __init__(
        self, catalogue: Database, directory: Path, how: PreviewOptions, pending: PreviewQueue
    ) -> None:
        self.report = PreviewReport()
        self._catalogue = catalogue
        self._directory = directory
        self._how = how
        self._pending = pending
        self._total = 0

    def fill(self, row: ShardRow) -> None:
        """All that the shard lacks."""
        shard = Shard(self._directory, row.stem)
        dead = set(self._catalogue.tombstones().get(row.stem, _NONE).tolist())
        lacking = [item for item, _ in _lacking(shard) if item not in dead]
        if not lacking:
            return
        known = self._pending.state_of(lacking)
        self._count(tried=sum(not is_made for is_made in known.values()))
        wanted = set(lacking) - known.keys()
        self._total += len(wanted)
        enough = max(_LEAST_ROWS, len(shard) // _MOST_REWRITES)
        made = sum(known.values())
        for one in self._made(self._originals(shard, wanted)):
            self._pending.add(one)
            made += one.reason is None
            self._count(made=one.reason is None, failed=one.reason is not None)
            if made >= enough:
                row, made = self._apply(row), 0
        self._pending.commit()
        if made:
            self._apply(row)

    def _count(self, **more: int) -> None:
        sums = {name: getattr(self.report, name) + count for name, count in more.items()}
        self.report = replace(self.report, **sums)
        if self._how.progress is not None and "made" in more:
            done = self.report.made + self.report.failed
            skipped = self.report.tried + self.report.not_allowed
            self._how.progress(Progress(done, self._total, self.report.failed, skipped))

    def _originals(self, shard: Shard, wanted: set[int]) -> Iterator[Picture]:
        """Where the originals are; the label of each is its id."""
        for item, uri in _lacking(shard):
            if item not in wanted:
                continue
            picture = self._original(item, uri)
            if picture is None:
                self._total -= 1
                self._count(not_allowed=1)
            else:
                yield picture

    def _original(self, item: int, uri: str) -> Picture | None:
        """None for a file where no file may be read."""
        label = str(item)
        limits = self._how.limits or FetchLimits()
        if uri.lower().startswith(("http://", "https://")):
            try:
                address = checked_url(uri, allow_private=limits.allow_private)
            except InputError as error:
                return Picture(self._directory, label, problem=str(error), label=label)
            return Picture(self._directory, label, address=address, label=label)
        if not uri:
            return Picture(
                self._directory, label, problem="it is not known where its original is", label=label
            )
        if self._how.root is None:
            return None
        return _in_root(self._how.root, uri, label)

    def _made(self, originals: Iterable[Picture]) -> Iterator[PendingPreview]:
        """The preview of each, some threads at work."""
        pictures = _fetched(originals, self._how.limits or FetchLimits())
        with ThreadPoolExecutor(self._how.threads, thread_name_prefix="preview") as pool:
            yield from bounded_map(pool, _make, pictures, _LOOK_AHEAD * self._how.threads)

    def _apply(self, row: ShardRow) -> ShardRow:
        """What is noted, put into a shard of the same rows; one commit."""
        self._pending.commit()
        files = ShardFiles(self._catalogue, self._directory)
        with rewrite_records(files, row, self._pending.applied) as new, self._catalogue.transaction():
            dead = self._catalogue.tombstones().get(row.stem, _NONE)
            self._catalogue.drop_shards([row.stem])
            self._catalogue.add_shard(new)
            self._catalogue.add_tombstones(new.stem, dead.tolist())
            self._catalogue.set_settings(fresh_version())
        remove_stray_files(self._catalogue, self._directory)
        self._pending.forget_applied()
        return new


_NONE = np.zeros(0, np.int64)


def _lacking(shard: Shard) -> Iterator[tuple[int, str]]:
    """Id and address of each picture without a preview."""
    for batch in shard.records.batches:
        some = batch.filter(_compute.equal(_compute.binary_length(batch.column("preview")), 0))
        yield from zip(some.column("id").to_pylist(), some.column("uri").to_pylist(), strict=True)


def _in_root(root: Path, uri: str, label: str) -> Picture:
    """A file within the folder that was named, whatever the address says."""
    name = unquote(urlsplit(uri).path) if uri.startswith("file://") else uri
    try:
        path = (root / name).resolve()
        within = path.relative_to(root.resolve()).as_posix()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a link that leads back to itself
        return Picture(root, label, problem=f"its original is not in {root}", label=label)
    return Picture(root.resolve(), within, label=label)


def _fetched(originals: Iterable[Picture], limits: FetchLimits) -> Iterator[Picture]:
    """Files as they are, pictures of the web with their bytes; what fetches is loaded when it is needed."""
    left = iter(originals)
    for picture in left:
        if picture.address is not None:
            yield from default_fetch()(chain([picture], left), limits)
        else:
            yield picture


def _make(picture: Picture) -> PendingPreview:
    item = int(picture.label or 0)
    if picture.problem is not None:
        return PendingPreview(item, reason=picture.problem)
    try:
        decoded = open_image(picture.data or picture.path, min_side=_SIDE_PX)
    except PictureError as error:
        return PendingPreview(item, reason=str(error))
    preview = make_preview(decoded.image)
    return PendingPreview(item, preview.data, preview.color, decoded.width, decoded.height)
