"""Make previews for imported pictures: fetch each original once and keep a small copy.

Finished previews are queued in a file of their own and applied to the shards in groups. A shard never
changes, so a new one with the same vectors replaces it in one commit. An
interruption loses the last second of work.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute

from snapseek.errors import InputError, PictureError
from snapseek.file_uri import path_of_uri
from snapseek.images import make_preview, open_image
from snapseek.library.indexing.bounded_map import bounded_map
from snapseek.library.indexing.memory_budget import MemoryBudget
from snapseek.library.indexing.rewrite_records import rewrite_records
from snapseek.library.indexing.sync_report import Progress
from snapseek.library.storage.database import Database
from snapseek.library.storage.library_meta import fresh_version
from snapseek.library.storage.preview_queue import PendingPreview, PreviewQueue
from snapseek.library.storage.shard_files import ShardFiles, exclusive_writer, remove_stray_files
from snapseek.library.storage.shard_table import ShardRow
from snapseek.library.storage.shards import Shard
from snapseek.sources import FetchLimits, Picture
from snapseek.sources.http.url_policy import checked_url
from snapseek.sources.urls import default_fetch

_SIDE_PX = 128
"""A JPEG may be decoded at a reduced scale with sides of at least twice this."""

_compute: Any = pyarrow.compute  # whose stubs do not know arrays of any type
_PICTURES_AHEAD = 4
"""Pictures submitted per thread."""

_MIN_APPLIED = 4096
_MAX_REWRITES = 20
"""Bounds how often a shard is rewritten while its previews are made."""


@dataclass(frozen=True)
class PreviewReport:
    """The numbers of pictures that got a preview, and that did not.

    `tried` failed before and were not tried again; `not_allowed` have a local file as original, and no folder
    was named in which files may be read; `unconfirmed` are at urls that the user has not confirmed.
    """

    made: int = 0
    failed: int = 0
    tried: int = 0
    not_allowed: int = 0
    unconfirmed: int = 0


@dataclass(frozen=True)
class PreviewOptions:
    """How originals are found. Local ones are only read below `root`; with None, not at all."""

    threads: int
    root: Path | None = None
    limits: FetchLimits | None = None
    retry_failed: bool = False
    progress: Callable[[Progress], None] | None = None
    fetches: bool = True
    """Whether originals at urls are fetched."""


def make_previews(directory: Path, options: PreviewOptions) -> PreviewReport:
    """Make the missing previews of a library from the originals at the `uri` of each picture.

    Resumes where an earlier run was interrupted.

    Raises
    ------
    StorageError
        If the disk refuses.
    LibraryBusyError
        If another process is writing.
    InputError
        If URLs have to be fetched and the packages for it are not installed.
    """
    with exclusive_writer(directory) as database, PreviewQueue(directory) as queue:
        if options.retry_failed:
            queue.remove_failures()
        run = _PreviewRun(database, directory, options, queue)
        for row in database.shards.all():
            run.fill(row)
    return run.report


def preview_failures(directory: Path) -> dict[int, str]:
    """Return why pictures got no preview, by id."""
    if not PreviewQueue.exists(directory):
        return {}
    with PreviewQueue(directory, read_only=True) as queue:
        return queue.failures()


class _PreviewRun:
    """Makes the missing previews of a library, shard by shard."""

    def __init__(
        self, database: Database, directory: Path, options: PreviewOptions, queue: PreviewQueue
    ) -> None:
        self.report = PreviewReport()
        self._database = database
        self._directory = directory
        self._options = options
        self._queue = queue
        self._total = 0

    def fill(self, row: ShardRow) -> None:
        """Make the previews that a shard lacks."""
        shard = Shard(self._directory, row.stem)
        deleted = set(self._database.shards.tombstones().get(row.stem, _NO_IDS).tolist())
        missing = [item for item, _ in _without_preview(shard) if item not in deleted]
        if not missing:
            return
        known = self._queue.state_of(missing)
        self._count(tried=sum(not is_made for is_made in known.values()))
        wanted = set(missing) - known.keys()
        self._total += len(wanted)
        apply_at = max(_MIN_APPLIED, len(shard) // _MAX_REWRITES)
        made = sum(known.values())
        for preview in self._previews(self._originals(shard, wanted)):
            self._queue.add(preview)
            made += preview.reason is None
            self._count(made=preview.reason is None, failed=preview.reason is not None)
            if made >= apply_at:
                row, made = self._apply(row), 0
        self._queue.commit()
        if made:
            self._apply(row)

    def _count(self, **more: int) -> None:
        sums = {name: getattr(self.report, name) + count for name, count in more.items()}
        self.report = replace(self.report, **sums)
        if self._options.progress is not None and "made" in more:
            done = self.report.made + self.report.failed
            skipped = self.report.tried + self.report.not_allowed + self.report.unconfirmed
            self._options.progress(Progress(done, self._total, self.report.failed, skipped))

    def _originals(self, shard: Shard, wanted: set[int]) -> Iterator[Picture]:
        """Yield the originals to read. The label of each is its id."""
        for item, uri in _without_preview(shard):
            if item not in wanted:
                continue
            picture = self._original(item, uri)
            if picture is None:
                self._total -= 1
                self._count(**{"unconfirmed" if _is_url(uri) else "not_allowed": 1})
            else:
                yield picture

    def _original(self, item: int, uri: str) -> Picture | None:
        """Return the original of a picture; None for a file that may not be read."""
        label = str(item)
        limits = self._options.limits or FetchLimits()
        if _is_url(uri):
            if not self._options.fetches:
                return None
            try:
                address = checked_url(uri, allow_private=limits.allow_private)
            except InputError as error:
                return Picture(self._directory, label, problem=str(error), label=label)
            return Picture(self._directory, label, address=address, label=label)
        if not uri:
            return Picture(
                self._directory, label, problem="its record has no address of an original", label=label
            )
        if self._options.root is None:
            return None
        return _in_root(self._options.root, uri, label)

    def _previews(self, originals: Iterable[Picture]) -> Iterator[PendingPreview]:
        """Yield the preview of each original, in order."""
        pictures = _fetched(originals, self._options.limits or FetchLimits())
        with ThreadPoolExecutor(self._options.threads, thread_name_prefix="preview") as pool:
            make = partial(_make, budget=MemoryBudget.for_threads(self._options.threads))
            ahead = _PICTURES_AHEAD * self._options.threads
            yield from bounded_map(pool, make, pictures, ahead, lambda picture: picture.held_bytes)

    def _apply(self, row: ShardRow) -> ShardRow:
        """Apply the queue to a shard, in one commit. Return the new shard."""
        self._queue.commit()
        files = ShardFiles(self._database, self._directory)
        with rewrite_records(files, row, self._queue.applied) as new, self._database.transaction():
            self._database.shards.supersede(row.stem, new)
            self._database.settings.update(fresh_version())
        remove_stray_files(self._database, self._directory)
        self._queue.remove_applied()
        return new


_NO_IDS = np.zeros(0, np.int64)


def _without_preview(shard: Shard) -> Iterator[tuple[int, str]]:
    """Yield id and address of each picture without a preview."""
    for batch in shard.records.batches:
        rows = batch.filter(_compute.equal(_compute.binary_length(batch.column("preview")), 0))
        yield from zip(rows.column("id").to_pylist(), rows.column("uri").to_pylist(), strict=True)


def _is_url(uri: str) -> bool:
    return uri.lower().startswith(("http://", "https://"))


def _in_root(root: Path, uri: str, label: str) -> Picture:
    """Return the file at `uri`, if it lies below `root`."""
    name = path_of_uri(uri) if uri.startswith("file://") else uri
    try:
        path = (root / name).resolve()
        within = path.relative_to(root.resolve()).as_posix()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a loop of links
        return Picture(root, label, problem=f"its original is not in {root}", label=label)
    return Picture(root.resolve(), within, label=label)


def _fetched(originals: Iterable[Picture], limits: FetchLimits) -> Iterator[Picture]:
    """Yield local files as they are, and pictures of the web with their bytes."""
    remaining = iter(originals)
    for picture in remaining:
        if picture.address is not None:  # the packages that fetch are loaded only if needed
            yield from default_fetch()(chain([picture], remaining), limits)
        else:
            yield picture


def _make(picture: Picture, budget: MemoryBudget) -> PendingPreview:
    item = int(picture.label or 0)
    if picture.problem is not None:
        return PendingPreview(item, reason=picture.problem)
    with budget.reservation() as reservation:
        try:
            decoded = open_image(picture.content, min_side=_SIDE_PX, reserve=reservation.take)
        except PictureError as error:
            return PendingPreview(item, reason=str(error))
        preview = make_preview(decoded.image)
        found = PendingPreview(item, preview.data, preview.color, decoded.width, decoded.height)
        del decoded  # before the reservation ends
    return found
