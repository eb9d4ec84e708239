"""Maintenance of a library: previews, upgrades to another model, compaction, verification and repair."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from snapseek.errors import StorageError
from snapseek.library.concepts.teaching import TeachableLibrary
from snapseek.library.indexing.compact import CompactOptions, CompactReport, compact, compact_all
from snapseek.library.indexing.previews import PreviewOptions, PreviewReport, make_previews
from snapseek.library.indexing.repair import RepairReport, repair
from snapseek.library.indexing.sync_report import Progress
from snapseek.library.indexing.upgrade import UpgradeOptions, UpgradeReport, upgrade
from snapseek.library.indexing.verify import Problem, verify
from snapseek.library.missing_previews import MissingPreviews, missing_previews
from snapseek.library.storage.shard_draft import ProgressCallback, Queries
from snapseek.library.storage.shard_files import exclusive_writer
from snapseek.library.upgrade_cost import UpgradeCost, upgrade_cost
from snapseek.models import Encoder
from snapseek.sources import FetchLimits
from snapseek.threads import resolve_threads
from snapseek.vectors.arguments import memory_limit


class MaintainedLibrary(TeachableLibrary):
    """A library to read, to teach words and to maintain. `Library` adds indexing."""

    def previews(
        self,
        *,
        root: str | Path | None = None,
        limits: FetchLimits | None = None,
        threads: int | None = None,
        retry_failed: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> PreviewReport:
        """Make missing previews, such as those of imported vectors, from the originals at their `uri`.

        An interrupted run continues where it stopped.

        Parameters
        ----------
        root
            The folder that files may be read from; without it only URLs are fetched.
        limits
            How URLs are fetched.
        threads, retry_failed, progress
            As for `build`.

        Raises
        ------
        StorageError
            The disk refuses.
        LibraryBusyError
            Another process writes.
        """
        folder = None if root is None else Path(root)
        options = PreviewOptions(
            resolve_threads(threads),
            folder,
            limits,
            retry_failed,
            progress,
            fetches=self.snapshot().trust.permits_urls,
        )
        report = make_previews(self._path, options)
        self._refresh_committed()
        return report

    def missing_previews(self) -> MissingPreviews:
        """Return how many pictures have no preview."""
        snapshot = self.snapshot()
        return missing_previews(snapshot.path, snapshot.ids_without_preview)

    def compact(
        self,
        *,
        queries: Queries | None = None,
        memory: str | int | None = None,
        threads: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> CompactReport:
        """Merge all shards of a source into one, without removed pictures; reads no original.

        From 50,000 pictures on the index is trained again. The arguments are those of `import_vectors`.

        Raises
        ------
        StorageError
            The disk refuses, or has too little space.
        LibraryBusyError
            Another process writes.
        """
        limit = memory_limit(memory)
        options = CompactOptions(self._load_encoder, queries, limit, resolve_threads(threads), progress)
        with exclusive_writer(self._path) as database:
            report = compact(database, self._path, options, compact_all)
        self._refresh_committed()
        return report

    def upgrade_cost(
        self, model: str, model_dir: Path | None = None, *, measures: bool = True
    ) -> UpgradeCost:
        """Return what an upgrade to a model costs; see `snapseek.library.upgrade_cost`."""
        return upgrade_cost(self._path, model, model_dir, measures=measures)

    def upgrade(
        self,
        encoder: Encoder,
        *,
        queries: Queries | None = None,
        memory: str | int | None = None,
        threads: int | None = None,
        drop_imports: bool = False,
        limits: FetchLimits | None = None,
        progress: Callable[[str, Progress], object] | None = None,
        stop: threading.Event | None = None,
    ) -> UpgradeReport:
        """Embed all pictures with another model, while searches use the present vectors until one commit.

        Ids, records and previews stay. An interrupted run goes on where it stopped; what a sync changed
        meanwhile is embedded again. A picture whose original cannot be read is embedded from its preview, and
        again by the first sync that finds the original.

        Parameters
        ----------
        encoder
            The new model. With the present one an unfinished upgrade is discarded.
        queries, memory, threads, limits, stop
            As for `build`.
        drop_imports
            Remove imported vectors, which the new model cannot replace.
        progress
            Called with the stage (`embed`, `switch`) and its progress.

        Raises
        ------
        ModelMismatchError
            The library has imported vectors.
        StorageError
            The disk refuses, or has too little space.
        LibraryBusyError
            Another process writes.
        """
        options = UpgradeOptions(
            threads=resolve_threads(threads),
            queries=queries,
            memory=memory_limit(memory),
            drop_imports=drop_imports,
            limits=limits,
            progress=progress or (lambda stage, progress: None),
            stop=stop,
            allowed=self._allowed,
        )
        report = upgrade(self._path, encoder, options)
        self._refresh_committed()
        return report

    def verify(self) -> list[Problem]:
        """Read all files of the library, and return what is damaged."""
        return verify(self._path)

    def repair(self) -> RepairReport:
        """Remove what is damaged and keep everything else; `sync` indexes the removed pictures again."""
        report = repair(self._path)
        self._refresh_committed()
        return report

    def _load_encoder(self) -> Encoder:
        return self.encoder

    def _refresh_committed(self) -> None:
        """Read what this object has committed. If the disk refuses, searches try again later."""
        with suppress(StorageError):
            self.refresh()
