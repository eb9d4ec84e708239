"""A library, open: the object that everything on the left of it was made for."""

import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import InputError, ModelMismatchError, SnapseekError
from snapseek.library.catalogue import Catalogue
from snapseek.library.compact import Compaction, CompactReport, compact
from snapseek.library.export import export
from snapseek.library.hits import Hit, Hits
from snapseek.library.info import Failure, LibraryInfo
from snapseek.library.intake import take_in
from snapseek.library.remove import remove
from snapseek.library.shard import Advance, Queries
from snapseek.library.snapshot import Snapshot
from snapseek.library.sync import How, Progress, SyncReport, add_files, sync, total
from snapseek.library.terms import Query
from snapseek.models import Encoder
from snapseek.models.layout import STUDENT

FAST_MODEL = "student"  # the folder in a library where its student is looked for
TOWERS = ("full", "fast")
_MOST_VECTORS = 100_000
_LOOK_EVERY_S = 0.25


class Library:
    """Pictures that can be searched by words. Make one with `build`, come back to it with `open`.

    Safe to use from many threads. What others commit is seen within a fraction of a second: each query asks
    the newest `Snapshot`, and only that one.
    """

    def __init__(self, path: Path, encoder: Encoder | None = None) -> None:
        """Use `Library.open`."""
        self._path = path
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()
        self._catalogue = Catalogue.open(path)
        weakref.finalize(self, self._catalogue.close)
        self._changes = self._catalogue.changes()
        self._looked_s = time.monotonic()
        self._snapshot = Snapshot.read(path, self._catalogue)
        self.report: SyncReport | None = None
        """What `build` did, where it made this object."""
        self._encoder = encoder
        self._fast_encoder: Encoder | None = None
        if encoder is not None:
            self._check_model(encoder, self._snapshot)

    @classmethod
    def build(
        cls,
        folders: str | Path | Sequence[str | Path],
        path: str | Path,
        *,
        encoder: Encoder | None = None,
        threads: int | None = None,
        queries: Queries | None = None,
        memory: str | int | None = None,
        retry_failed: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Self:
        """Index a folder of pictures, or several, into the library at `path`, and open it.

        Only what is new or changed since is embedded, what is gone is removed; `report` tells how many. What
        was stopped goes on where it was. Other folders of the library stay as they are. Pictures of another
        model are embedded anew, if all are of these folders.

        `threads` defaults to the cores that this process may use. `queries`, (q, dim) float32 unit rows, are
        samples of what will be asked: from 50,000 pictures on the search is trained for them; `memory`, bytes
        or "800MB", bounds their file then. One broken picture stops nothing: see `failures`; with
        `retry_failed` those that failed before are tried again.

        Raises InputError for a folder that is missing or has no picture, StorageError when the disk refuses
        or has not room enough, LibraryBusyError while another process writes, ModelMismatchError when
        pictures of other folders, or imported ones, are of another model.
        """
        encoder = encoder or Encoder.load()
        how = How(
            encoder=lambda: encoder,
            threads=threads or available_cores(),
            queries=queries,
            memory=memory,
            progress=progress,
            retry_failed=retry_failed,
            may_replace=True,
        )
        report = sync(Path(path), _paths(folders), how)
        library = cls.open(path, encoder=encoder)
        library.report = report
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
        progress: Advance | None = None,
    ) -> Self:
        """Take the vectors in `folder` that `encoder` made elsewhere into the library at `path`, and open it.

        `folder` is laid out as clip-retrieval and LAION do it: see `snapseek.sources.find_embeddings`. What
        was imported from it before is replaced, all else in the library stays; if it has not changed, nothing
        is done. `queries` as for `build`; `memory`, bytes or "800MB", bounds the file of vectors;
        `progress` is called with a stage's name and the share of it that is done.

        Raises InputError for files that do not fit each other or the model, ModelMismatchError when the
        library is of another model, StorageError when the disk refuses or has not room enough,
        LibraryBusyError while another process writes.
        """
        take_in(
            Path(folder),
            Path(path),
            encoder,
            queries=queries,
            memory=memory,
            threads=threads or available_cores(),
            progress=progress,
        )
        return cls.open(path, encoder=encoder)

    @classmethod
    def open(cls, path: str | Path, *, encoder: Encoder | None = None) -> Self:
        """Open the library at `path`. Its model is loaded when the first words are asked.

        Raises LibraryNotFoundError, FormatError for a damaged one, ModelMismatchError when `encoder` is not
        the model that made it.
        """
        return cls(Path(path), encoder)

    def refresh(self) -> bool:
        """Take up what was committed since; whether there was anything.

        Queries do it by themselves, a few times a second at most. Queries under way end with the state that
        they began with. Raises FormatError when the new state is damaged; the old one is kept then.
        """
        with self._refreshing:
            return self._refresh()

    def _refresh(self) -> bool:
        self._looked_s = time.monotonic()
        changes = self._catalogue.changes()
        if changes == self._changes:
            return False
        snapshot = Snapshot.read(self._path, self._catalogue, self._snapshot)
        is_new = snapshot.version != self._snapshot.version
        self._snapshot, self._changes = snapshot, changes
        return is_new

    def _now(self) -> Snapshot:
        """The state for one query. While one thread takes up a new one, others go on with the old one."""
        is_due = time.monotonic() - self._looked_s >= _LOOK_EVERY_S
        if is_due and self._refreshing.acquire(blocking=False):
            try:
                with suppress(SnapseekError):  # a state that cannot be read is no reason to stop answering
                    self._refresh()
            finally:
                self._refreshing.release()
        return self._snapshot

    def snapshot(self) -> Snapshot:
        """The newest state, which stays as it is: for several questions that belong together."""
        return self._now()

    def sync(
        self,
        folders: str | Path | Sequence[str | Path] | None = None,
        *,
        threads: int | None = None,
        queries: Queries | None = None,
        memory: str | int | None = None,
        retry_failed: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> SyncReport:
        """Take up how these folders are now, or with None all that the library was made of.

        As `build`, for a library that is open. A folder of the library that is not there, or empty, is left
        as it was and told in the report; one that is named here raises InputError.
        """
        how = self._how(threads, queries, memory, progress, retry_failed=retry_failed)
        report = sync(self._path, None if folders is None else _paths(folders), how)
        self.refresh()
        return report

    def add(
        self,
        paths: str | Path | Sequence[str | Path],
        *,
        threads: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> SyncReport:
        """Take in more folders, or single files: also those that were removed or failed before.

        Raises InputError for what is not there, otherwise as `sync` does.
        """
        how = self._how(threads, None, None, progress)
        folders = [path for path in _paths(paths) if path.is_dir()]
        files = [path for path in _paths(paths) if path not in folders]
        reports = [sync(self._path, folders, how)] if folders else []
        reports += [add_files(self._path, files, how)] if files else []
        self.refresh()
        return total(reports)

    def _how(
        self,
        threads: int | None,
        queries: Queries | None,
        memory: str | int | None,
        progress: Callable[[Progress], None] | None,
        *,
        retry_failed: bool = False,
    ) -> How:
        return How(
            encoder=lambda: self.encoder,
            threads=threads or available_cores(),
            queries=queries,
            memory=memory,
            progress=progress,
            retry_failed=retry_failed,
        )

    def remove(self, what: int | str | Path | Sequence[int | str | Path]) -> int:
        """Take out pictures by id, by path, all below a folder, or all of a source; how many.

        Their files stay, and `sync` passes over them until they change; a folder of the library that is
        named as a whole is forgotten. All or nothing: raises ItemNotFoundError for an id of no picture,
        InputError for a path that the library does not know, LibraryBusyError while another process writes.
        """
        chosen = [what] if isinstance(what, int | str | Path) else list(what)
        removed = remove(self._path, chosen, Compaction(encoder=lambda: self.encoder))
        self.refresh()
        return removed

    def compact(
        self,
        *,
        queries: Queries | None = None,
        memory: str | int | None = None,
        threads: int | None = None,
        progress: Advance | None = None,
    ) -> CompactReport:
        """Merge all shards of a source into one and drop what was removed; needs no picture.

        From 50,000 pictures on the search is trained anew, for `queries` as `build` has it. Queries go on
        meanwhile. Raises StorageError when the disk refuses or has not room enough, LibraryBusyError while
        another process writes.
        """
        how = Compaction(lambda: self.encoder, queries, memory, threads or available_cores(), progress)
        with Catalogue.holding(self._path) as catalogue:
            report = compact(catalogue, self._path, how, everything=True)
        self.refresh()
        return report

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self._now())

    @property
    def version(self) -> str:
        """Changes with every commit that changes an answer."""
        return self._now().version

    @property
    def encoder(self) -> Encoder:
        """The model of this library. Raises ModelMismatchError when it is no longer what it was."""
        return self._encoder_for(self._now())

    def _encoder_for(self, snapshot: Snapshot) -> Encoder:
        with self._lock:
            if self._encoder is None or self._encoder.space != snapshot.settings["fingerprint"]:
                encoder = Encoder.load(snapshot.settings["model"])
                self._check_model(encoder, snapshot)
                self._encoder = encoder
            return self._encoder

    def use_fast_model(self, model: str | Path) -> None:
        """Take a student of this library's model for `tower="fast"`. Raises ModelMismatchError for others."""
        encoder = Encoder.load(model)
        self._check_model(encoder, self._now())
        self._fast_encoder = encoder

    @property
    def fast_encoder(self) -> Encoder | None:
        """The student that answers `tower="fast"`: the one that was named, or that in the library."""
        return self._fast_encoder_for(self._now())

    def _fast_encoder_for(self, snapshot: Snapshot) -> Encoder | None:
        with self._lock:
            beside = self._path / FAST_MODEL
            if self._fast_encoder is None and (beside / STUDENT).is_file():
                self._fast_encoder = Encoder.load(beside)
            if self._fast_encoder is not None:
                self._check_model(self._fast_encoder, snapshot)
            return self._fast_encoder

    def encoder_of(self, tower: str) -> Encoder:
        """The model that answers for a tower, `full` or `fast`. Raises InputError for another."""
        return self._encoder_of(tower, self._now())

    def _encoder_of(self, tower: str, snapshot: Snapshot) -> Encoder:
        if tower not in TOWERS:
            raise InputError(f"expected the tower full or fast, found {tower!r}")
        fast = self._fast_encoder_for(snapshot) if tower == "fast" else None
        return fast or self._encoder_for(snapshot)

    def vectors(self, most: int = _MOST_VECTORS, *, seed: int = 0) -> NDArray[np.float32]:
        """(n, dim) float32 stored vectors of `most` pictures drawn by `seed`, or of all; for training.

        Raises InputError where they lie in inverted lists, which give scores and no vectors.
        """
        return self._now().some_vectors(most, seed=seed)

    def vectors_of(self, items: Sequence[int]) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows of the pictures with these ids.

        Raises ItemNotFoundError, and InputError where they lie in inverted lists: those give scores only.
        """
        return self._now().vectors_of(items)

    def _check_model(self, encoder: Encoder, snapshot: Snapshot) -> None:
        needed = snapshot.settings["fingerprint"]
        if encoder.space != needed:
            raise ModelMismatchError(
                f"the library {self._path} was made by '{snapshot.settings['model']}' ({needed[:12]}); "
                f"asked with '{encoder.name}' ({encoder.space[:12]}): "
                "use that model, or index the folder anew"
            )

    def search(
        self, query: Query, k: int = 20, *, offset: int = 0, exact: bool = False, tower: str = "full"
    ) -> Hits:
        """The `k` pictures that fit the query best, after the first `offset`; ties by lower id.

        A text is read as the query language of `snapseek.library.terms`: `horse + stripes - 2:snow`. A
        query may also be a path or a PIL picture to find the like of, an id, a `Term`, or a list of such;
        there a text stands for its words as they are. Pictures that the query names by id are left out of
        the answer.

        `exact` scores every picture; without it a large library looks only where the best should be.
        `tower="fast"` lets a student answer, where the library has one: for every keystroke, while `full` is
        for the pause.

        Raises InputError for a query that is empty, malformed, or made of words that the model does not know,
        for a picture that cannot be read, for terms that cancel each other out, for an id in a library whose
        vectors lie in inverted lists, and for a `k` below 1 or an `offset` below 0; ItemNotFoundError for an
        id of no picture.
        """
        snapshot = self._now()
        return snapshot.search(
            query, k, encoder=lambda: self._encoder_of(tower, snapshot), offset=offset, exact=exact
        )

    def vector(self, item: int) -> NDArray[np.float32]:
        """(dim,) float32, unit length, of the picture with that id.

        Raises ItemNotFoundError, and InputError where it lies in inverted lists: those give scores only.
        """
        return self._now().vector(item)

    def browse(self, k: int = 20, *, offset: int = 0) -> Hits:
        """`k` pictures as they came, after the first `offset`. Raises InputError as `search` does."""
        return self._now().browse(k, offset=offset)

    def item(self, item: int) -> Hit:
        """The picture with that id, without a score. Raises ItemNotFoundError."""
        return self._now().item(item)

    def original(self, item: int) -> Path:
        """Where the original of that picture was when it was indexed.

        Raises ItemNotFoundError, also for a picture that was imported: its original is at its `uri`, if that
        was told, and whoever wrote that is not to choose files of this machine.
        """
        return self._now().original(item)

    def export(
        self, target: str | Path | BinaryIO, kind: str | None = None, *, keep_text: bool = False
    ) -> int:
        """Write all pictures as csv, json, jsonl or parquet, or their vectors as npy; how many there are.

        `target` is a file, whose name tells the `kind` if that is not given, or an open stream of bytes. See
        `snapseek.library.export` for the formats and for `keep_text`. Raises InputError for another format,
        StorageError when the disk refuses.
        """
        return export(self._now(), target, kind, keep_text=keep_text)

    def info(self) -> LibraryInfo:
        """What this library is."""
        return self._now().info(self._encoder.provider if self._encoder else "not loaded")

    def failures(self) -> list[Failure]:
        """Every file that was not taken in, or not in whole, with the reason, in order of path."""
        with Catalogue.open(self._path) as catalogue:
            found = [Failure(row.folder / row.within, row.reason) for row in catalogue.files() if row.reason]
            found += [
                Failure(row.source / row.within, row.reason) for row in catalogue.imports() if row.reason
            ]
            return found


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _paths(paths: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
