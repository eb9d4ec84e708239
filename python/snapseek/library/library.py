"""The public `Library` class: a `MaintainedLibrary` that can also be built and synchronized."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from snapseek.errors import InputError, MissingArgumentError, StorageError
from snapseek.library.indexing.compact import CompactOptions
from snapseek.library.indexing.import_vectors import import_vectors
from snapseek.library.indexing.remove import remove
from snapseek.library.indexing.source_selection import check_has_pictures
from snapseek.library.indexing.sync import IndexOptions, add_files, sync
from snapseek.library.indexing.sync_report import Progress, SyncReport, total, with_upgrade
from snapseek.library.indexing.upgrade import (
    EMBED,
    UpgradeOptions,
    UpgradeReport,
    has_other_model,
    upgrade,
)
from snapseek.library.inputs import Buildable, Inputs
from snapseek.library.maintenance import MaintainedLibrary
from snapseek.library.model_choice import encoder_for
from snapseek.library.storage.shard_draft import ProgressCallback, Queries
from snapseek.models import Encoder
from snapseek.sources import FetchLimits
from snapseek.sources.exclusions import checked_patterns
from snapseek.threads import resolve_threads
from snapseek.vectors.arguments import memory_limit

Paths = str | Path | Sequence[str | Path]


class Library(MaintainedLibrary):
    """Pictures that can be searched by words. Create one with `build`, open one with `open`.

    Safe to use from many threads. Searches go on while a method writes; one process writes at a time.

    Attributes
    ----------
    report
        What `build` or `import_vectors` did, where it made this object.
    """

    report: SyncReport | None = None

    @classmethod
    def build(
        cls,
        folders: Buildable,
        path: str | Path | None = None,
        *,
        encoder: Encoder | None = None,
        threads: int | None = None,
        queries: Queries | None = None,
        memory: str | int | None = None,
        retry_failed: bool = False,
        exclude: Sequence[str] = (),
        limits: FetchLimits | None = None,
        progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Self:
        """Index pictures into the library at `path`, and open it.

        Only new and changed pictures are embedded, and missing ones are removed. An interrupted run continues
        where it stopped. Other folders of the library stay as they are. If the library has another model,
        all its pictures are embedded again first, as `upgrade` does.

        Parameters
        ----------
        folders
            One folder or several; also an archive (.tar), a table with pictures (.parquet) or a list of URLs
            (.txt .csv .tsv .jsonl .parquet), see `snapseek.sources.open_source`; files of pictures; PIL
            pictures, of which `hit.meta["position"]` is the place in the list; or a table (pandas, Arrow)
            with a column of paths, URLs, pictures or vectors. The library keeps pictures and tables from
            memory in its folder `tables`. Pass all of them again to change them: those that are missing
            then are removed. Vectors need `encoder`, and are imported as by `import_vectors`.
        path
            The directory of the library; by default `.snapseek` inside of a single folder.
        encoder
            The model; by default that of the library, or for a new library `default_model()`.
        threads
            Pictures read at the same time; all cores by default.
        queries
            (q, dim) float32 unit rows, samples of later queries. From 50,000 pictures on the index is trained
            for them.
        memory
            Bound of the vectors of a large library, as bytes or "800MB".
        retry_failed
            Retry pictures that failed before. A broken picture stops nothing: see `failures`.
        exclude
            Patterns of gitignore for what these folders exclude; remembered for later syncs. `!PATTERN`
            includes again, also what is excluded by default: see `snapseek.sources.exclusions`.
        limits
            How URLs are fetched.
        progress
            Called with the progress.
        stop
            Ends the indexing when it is set; what is embedded is committed.

        Raises
        ------
        InputError
            A folder is missing or has no picture.
        StorageError
            The disk refuses, or has too little space.
        LibraryBusyError
            Another process writes.
        ModelMismatchError
            The library has imported vectors of another model.
        """
        inputs = Inputs.of(folders)
        target = inputs.library(path)
        if inputs.has_vectors:
            return cls._build_vectors(inputs, target, encoder, queries, memory, threads)
        model = encoder or encoder_for(target)
        sources = inputs.sources(target)
        upgraded = UpgradeReport()
        if encoder is not None and has_other_model(target, encoder):
            for folder in sources:
                check_has_pictures(folder, limits, _patterns(exclude))
            upgraded = upgrade(
                target,
                encoder,
                UpgradeOptions(
                    threads=resolve_threads(threads),
                    queries=queries,
                    memory=memory_limit(memory),
                    limits=limits,
                    progress=_embedding_only(progress),
                    stop=stop,
                ),
            )
            if upgraded.is_stopped:
                library = cls.open(target)
                library.report = SyncReport(is_stopped=True)
                return library
        options = IndexOptions(
            encoder=lambda: model,
            threads=resolve_threads(threads),
            queries=queries,
            memory=memory_limit(memory),
            progress=progress,
            retry_failed=retry_failed,
            limits=limits,
            model_is_named=encoder is not None,
            stop=stop,
            exclude=_patterns(exclude),
        )
        report = _indexed(target, sources, inputs.files, options)
        library = cls._open_committed(target, model)
        library.report = with_upgrade(report, upgraded.embedded + upgraded.resumed)
        return library

    @classmethod
    def import_vectors(
        cls,
        folder: str | Path,
        path: str | Path,
        *,
        encoder: Encoder,
        queries: Queries | None = None,
        memory: str | int | None = None,
        threads: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> Self:
        """Import vectors that were embedded elsewhere into the library at `path`, and open it.

        An earlier import of the folder is replaced, everything else in the library stays. An unchanged folder
        is not imported again.

        Parameters
        ----------
        folder
            Files as clip-retrieval and LAION lay them out: see `snapseek.sources.find_embeddings`.
        path
            The directory of the library.
        encoder
            The model that made the vectors.
        queries, memory, threads
            As for `build`.
        progress
            Called with the name of a stage and the share of it that is done.

        Raises
        ------
        InputError
            Files do not fit each other or the model.
        ModelMismatchError
            The library is of another model.
        StorageError
            The disk refuses, or has too little space.
        LibraryBusyError
            Another process writes.
        """
        report = import_vectors(
            Path(folder),
            Path(path),
            encoder,
            queries=queries,
            memory=memory_limit(memory),
            threads=resolve_threads(threads),
            progress=progress,
        )
        library = cls._open_committed(path, encoder)
        library.report = report
        return library

    @classmethod
    def _build_vectors(
        cls,
        inputs: Inputs,
        path: Path,
        encoder: Encoder | None,
        queries: Queries | None,
        memory: str | int | None,
        threads: int | None,
    ) -> Self:
        """Import a table of vectors."""
        if encoder is None:
            raise MissingArgumentError(
                expected="the model that made the vectors of the table",
                got="none",
                hint='pass it, such as encoder=Encoder.load("small")',
            )
        (folder,) = inputs.sources(path)
        return cls.import_vectors(
            folder, path, encoder=encoder, queries=queries, memory=memory, threads=threads
        )

    @classmethod
    def _open_committed(cls, path: str | Path, encoder: Encoder) -> Self:
        """Open what was just committed, and say so if that fails."""
        try:
            return cls.open(path, encoder=encoder)
        except StorageError as error:
            raise StorageError(
                f"all pictures are in the library, but it cannot be opened: {error}",
                hint="free some disk space, then open it",
            ) from error

    def sync(
        self,
        folders: Paths | None = None,
        *,
        threads: int | None = None,
        queries: Queries | None = None,
        memory: str | int | None = None,
        retry_failed: bool = False,
        exclude: Sequence[str] = (),
        accept_missing: Paths = (),
        metadata: bool = False,
        limits: FetchLimits | None = None,
        progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
    ) -> SyncReport:
        """Index what has changed in these folders; by default in all folders of the library.

        The arguments are those of `build`; with `metadata` the metadata of all picture files is read again,
        for a library of an earlier version. A folder that is missing or empty, and a folder inside it that is
        empty now, keep their pictures, because a disk may not be mounted: the report names them. With
        `accept_missing` these pictures are removed. A folder that the library names, but you have not
        confirmed, is not read, and the report names it too: see `unconfirmed`. Raises InputError for an empty
        folder of `folders`, and if `exclude` is passed without folders.
        """
        if exclude and folders is None:
            raise MissingArgumentError(expected="the folder that excludes the patterns", got="none")
        options = replace(
            self._index_options(
                threads, queries, memory, progress, retry_failed=retry_failed, limits=limits, stop=stop
            ),
            exclude=_patterns(exclude),
            accept_missing=_paths(accept_missing) if accept_missing else (),
        )
        options = replace(options, metadata=metadata)
        report = sync(self._path, None if folders is None else _paths(folders), options)
        self._refresh_committed()
        return report

    def add(
        self,
        paths: Paths,
        *,
        threads: int | None = None,
        exclude: Sequence[str] = (),
        limits: FetchLimits | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> SyncReport:
        """Index further sources or single files, also those that were removed or failed before.

        Raises InputError for a missing path, otherwise as `sync` does.
        """
        options = replace(
            self._index_options(threads, None, None, progress, limits=limits), exclude=_patterns(exclude)
        )
        inputs = _only_paths(paths)
        report = _indexed(self._path, inputs.folders, inputs.files, options)
        self._refresh_committed()
        return report

    def remove(self, items: int | str | Path | Sequence[int | str | Path]) -> int:
        """Remove pictures by id, by path, all below a folder, or all of a source; return their number.

        Their files stay, and `sync` skips them until they change. A whole folder of the library is no longer
        synchronized.

        Raises
        ------
        ItemNotFoundError
            An id is unknown; nothing is removed then.
        InputError
            A path is not in the library; nothing is removed then.
        LibraryBusyError
            Another process writes.
        """
        listed = [items] if isinstance(items, int | str | Path) else list(items)
        removed = remove(self._path, listed, CompactOptions(encoder=self._load_encoder))
        self._refresh_committed()
        return removed

    def _index_options(
        self,
        threads: int | None,
        queries: Queries | None,
        memory: str | int | None,
        progress: Callable[[Progress], None] | None,
        *,
        retry_failed: bool = False,
        limits: FetchLimits | None = None,
        stop: threading.Event | None = None,
    ) -> IndexOptions:
        return IndexOptions(
            encoder=self._load_encoder,
            threads=resolve_threads(threads),
            queries=queries,
            memory=memory_limit(memory),
            progress=progress,
            retry_failed=retry_failed,
            limits=limits,
            stop=stop,
            allowed=self._allowed,
        )


def _embedding_only(
    progress: Callable[[Progress], None] | None,
) -> Callable[[str, Progress], object]:
    """Return a callback that passes the progress of embedding on."""
    return lambda stage, done: progress(done) if progress is not None and stage == EMBED else None


def _patterns(exclude: Sequence[str]) -> tuple[str, ...]:
    """Return the patterns. Raises InputError for an invalid one, before anything is read."""
    return checked_patterns([exclude] if isinstance(exclude, str) else exclude)


def _indexed(
    directory: Path, folders: Sequence[Path], files: Sequence[Path], options: IndexOptions
) -> SyncReport:
    """Index folders as a whole, and single files."""
    reports = [sync(directory, folders, options)] if folders else []
    reports += [add_files(directory, files, options)] if files else []
    return total(reports)


def _only_paths(paths: Paths) -> Inputs:
    """Return paths, sorted by what they are. Raises InputError for pictures and tables in memory."""
    inputs = Inputs.of(paths)
    if inputs.pictures is not None or inputs.table is not None:
        raise InputError(
            expected="paths",
            got="pictures or a table in memory",
            hint="pass all of them to Library.build, with the path of this library",
        )
    return inputs


def _paths(paths: Paths) -> list[Path]:
    inputs = _only_paths(paths)
    return [*inputs.folders, *inputs.files]
