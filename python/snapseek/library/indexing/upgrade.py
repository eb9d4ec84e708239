"""Embed all pictures of a library with another model, while the present vectors answer searches.

The vectors of the new model are a second generation: flat shards without records, in tables of their own.
They are committed a batch at a time, so an interrupted upgrade goes on where it stopped. A picture that a
sync changed meanwhile is embedded again. At the end the records of the present generation and the new vectors
become a new shard, and one commit switches: ids, records, previews and files stay.

A picture whose original cannot be read is embedded from its preview, and again by the first sync that finds
the original.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from snapseek.errors import InputError, LibraryNotFoundError, ModelMismatchError
from snapseek.library.indexing import upgrade_generation as generation
from snapseek.library.indexing.embed import Outcome, embed_pictures
from snapseek.library.indexing.file_tracker import FileTracker
from snapseek.library.indexing.shard_rows import schema_of, with_schema
from snapseek.library.indexing.source_selection import SourceSelection
from snapseek.library.indexing.sync_report import Progress
from snapseek.library.indexing.waiting_images import WaitingImages
from snapseek.library.storage.confirmations import ID_SETTING, NOTHING, Confirmed, confirm
from snapseek.library.storage.database import Database
from snapseek.library.storage.disk_space import check_disk_space
from snapseek.library.storage.library_directory import check_writable
from snapseek.library.storage.library_meta import library_meta, queries_of
from snapseek.library.storage.schema import IMPORT
from snapseek.library.storage.shard_draft import Queries, ShardDraft
from snapseek.library.storage.shard_files import ShardFiles, exclusive_writer, remove_stray_files
from snapseek.library.storage.shards import Shards
from snapseek.library.storage.trust import Trust
from snapseek.models import Encoder
from snapseek.sources import FetchLimits, Picture, PictureSource

EMBED, SWITCH = "embed", "switch"
"""The stages of an upgrade after the download."""

_RECORD_BYTES = 1000
_LOST = "neither its original nor its preview could be embedded when the model was changed"
_LIVING = """
DROP TABLE IF EXISTS temp.living;
CREATE TEMP TABLE living (item INTEGER PRIMARY KEY);
"""
_REMAINING = f"""
SELECT l.item FROM temp.living AS l LEFT JOIN main.files AS f ON f.item = l.item
LEFT JOIN main.upgrade_items AS u ON u.item = l.item AND u.version = {generation.VERSION}
WHERE u.item IS NULL ORDER BY l.item
"""  # noqa: S608
_FORGET_CHANGED = f"""
DELETE FROM main.upgrade_items AS u WHERE item NOT IN (SELECT item FROM temp.living)
OR version <> coalesce((SELECT {generation.VERSION} FROM main.files AS f WHERE f.item = u.item), X'')
"""  # noqa: S608
_FORGET_PREVIEWS = "DELETE FROM main.upgrade_items WHERE item IN (SELECT item FROM temp.pending)"


@dataclass(frozen=True)
class UpgradeReport:
    """What an upgrade did.

    `embedded` pictures were embedded in this run, `resumed` in earlier ones. `from_previews` of all have a
    vector of their preview until a sync finds their original. `lost` could not be embedded and are listed as
    failures. `dropped` were imported vectors.
    """

    embedded: int = 0
    resumed: int = 0
    from_previews: int = 0
    lost: int = 0
    dropped: int = 0
    is_stopped: bool = False
    """Whether it was stopped before the switch; the same call goes on."""
    was_current: bool = False
    """Whether the library had the model already."""


@dataclass(frozen=True)
class UpgradeOptions:
    """How a library is upgraded. `queries`, `memory` and `threads` as in `VectorIndex.build`.

    `progress` is called with the stage, and how far it is.
    """

    threads: int
    queries: Queries | None = None
    memory: str | int | None = None
    drop_imports: bool = False
    """Whether imported vectors are removed; otherwise a library with some is refused."""
    limits: FetchLimits | None = None
    progress: Callable[[str, Progress], object] = lambda stage, progress: None
    stop: threading.Event | None = None
    """Ends the upgrade when it is set; what is embedded is kept for the next run."""
    allowed: Confirmed = NOTHING
    """What the library may read besides what the user has confirmed."""


def has_other_model(directory: Path, encoder: Encoder) -> bool:
    """Return whether there is a library at `directory` whose vectors are not those of `encoder`.

    Raises as a writer does if foreign files are there: opening a database may change what lies next to it.
    """
    check_writable(directory)
    try:
        with Database.open(directory) as database, database.reading():
            return database.settings.all().get("fingerprint", encoder.space) != encoder.space
    except LibraryNotFoundError:
        return False


def upgrade(directory: Path, encoder: Encoder, options: UpgradeOptions) -> UpgradeReport:
    """Make all vectors of the library at `directory` those of `encoder`; see `Library.upgrade`.

    Raises
    ------
    ModelMismatchError
        If it has imported vectors, unless they are to be dropped.
    StorageError
        If the disk refuses or is too full.
    LibraryBusyError
        If another process is writing.
    """
    with exclusive_writer(directory) as database:
        settings = database.settings.all()
        if settings.get("fingerprint", encoder.space) == encoder.space:
            with database.transaction():
                database.upgrade.clear()
            remove_stray_files(database, directory)
            return UpgradeReport(was_current=True)
        confirm(database, directory, Confirmed(models=(encoder.name,)))
        return _Upgrade(database, directory, encoder, options).run()


class _Upgrade:
    """One run of an upgrade of a library that is open for writing."""

    def __init__(self, database: Database, directory: Path, encoder: Encoder, options: UpgradeOptions):
        self._database = database
        self._directory = directory
        self._encoder = encoder
        self._options = options
        self._files = ShardFiles(database, directory)
        shards = Shards(directory, database.shards.all(), database.shards.tombstones())
        self._parts = [part for part in shards.parts if not part.is_imported]
        self._imported = sum(len(part) for part in shards.parts if part.is_imported)
        self._readers: dict[int, PictureSource] = {}
        self._done = 0
        self._total = 0

    def run(self) -> UpgradeReport:
        self._check_imports()
        self._total = sum(map(len, self._parts))
        generation.begin(self._database, self._directory, self._encoder)
        self._record_living()
        tracker = self._scanned()
        remaining = len(self._remaining())
        self._check_space(remaining)
        self._done = resumed = self._total - remaining
        report = UpgradeReport(resumed=resumed)
        is_complete = self._embed_originals(tracker) and self._embed_previews()
        report = replace(report, embedded=self._done - resumed)
        if not is_complete:
            return replace(report, is_stopped=True)
        return self._switch(report)

    def _check_imports(self) -> None:
        if self._imported and not self._options.drop_imports:
            model = self._database.settings.all()["model"]
            raise ModelMismatchError(
                f"this library holds {self._imported} imported vectors of '{model}' from another source, "
                f"which '{self._encoder.name}' cannot replace",
                hint="keep the model, import them into another library, or remove them with: "
                "snapseek upgrade --drop-imports",
            )

    def _check_space(self, remaining: int) -> None:
        """Raise StorageError unless the new vectors and the new shard fit on the disk."""
        rows = sum(len(part.shard) for part in self._parts)
        record_bytes = sum(part.shard.records.size_bytes for part in self._parts) // max(1, rows)
        if self._total:
            dim = self._encoder.dim
            check_disk_space(
                self._directory, self._total + remaining // 2, dim, record_bytes or _RECORD_BYTES
            )

    def _record_living(self) -> None:
        """Record which pictures the library has now, and forget vectors of those that changed."""
        connection = self._database.connection
        connection.executescript(_LIVING)
        with self._database.transaction():
            for part in self._parts:
                ids = part.shard.ids_of(part.by_id).tolist()
                connection.executemany(
                    "INSERT OR IGNORE INTO temp.living VALUES (?)", ((item,) for item in ids)
                )
            connection.execute(_FORGET_CHANGED)

    def _remaining(self) -> NDArray[np.int64]:
        """Return the ids of the pictures that have no vector of the new model, ascending."""
        rows = self._database.connection.execute(_REMAINING).fetchall()
        return np.array(rows, np.int64).reshape(-1)

    def _scanned(self) -> FileTracker:
        """Return a plan of the pictures whose originals are there. Earlier vectors of their previews go."""
        tracker = FileTracker(self._database)
        settings = self._database.settings.all()
        trust = Trust(self._directory, settings.get(ID_SETTING), self._options.allowed)
        selection = SourceSelection(self._database, self._options.limits, trust=trust)
        for source in self._database.sources.all():
            if source.kind == IMPORT or not trust.permits_source(source):
                continue
            reader = selection.reader_of(source)
            if reader is None:
                continue
            self._readers[source.number] = reader
            try:
                tracker.scan(source, reader.find(), is_whole=False)
            except InputError:  # it is gone
                continue
        tracker.plan_upgrade()
        with self._database.transaction():
            self._database.connection.execute(_FORGET_PREVIEWS)
        return tracker

    def _embed_originals(self, tracker: FileTracker) -> bool:
        """Embed the pictures whose originals can be read. Return whether it was not stopped."""
        waiting = WaitingImages()
        outcomes = self._outcomes(self._read(tracker, waiting))
        pairs = ((waiting.pop(outcome.picture).item, outcome) for outcome in outcomes)
        with generation.BatchOfVectors(self._database, self._files, from_previews=False) as batch:
            for item, outcome in pairs:
                assert item is not None
                if outcome.vector is not None:
                    batch.add(item, outcome.vector)
                    self._advance()
                if self._is_stopped():
                    batch.commit()
                    return False
            batch.commit()
        return True

    def _read(self, tracker: FileTracker, waiting: WaitingImages) -> Iterator[Picture]:
        for number, group in groupby(tracker.pending(), key=lambda image: image.source):
            yield from self._readers[number].read(waiting.added(group))

    def _embed_previews(self) -> bool:
        """Embed the remaining pictures from their previews. Return whether it was not stopped."""
        remaining = self._remaining()
        with generation.BatchOfVectors(self._database, self._files, from_previews=True) as batch:
            for outcome in self._outcomes(self._previews(remaining)):
                batch.add(int(outcome.picture.within), outcome.vector)
                self._advance()
                if self._is_stopped():
                    batch.commit()
                    return False
            batch.commit()
        return True

    def _previews(self, items: NDArray[np.int64]) -> Iterator[Picture]:
        for part in self._parts:
            rows = np.sort(part.shard.rows_of(part.living_ids(items)))
            for batch in part.shard.records.in_order(rows):
                previews = batch.column("preview").to_pylist()
                for item, preview in zip(batch.column("id").to_pylist(), previews, strict=True):
                    problem = None if preview else "it has no preview"
                    yield Picture(self._directory, str(item), data=preview or None, problem=problem)

    def _outcomes(self, pictures: Iterable[Picture]) -> Iterator[Outcome]:
        return embed_pictures(pictures, self._encoder, self._options.threads, describe=False)

    def _advance(self) -> None:
        self._done += 1
        self._options.progress(EMBED, Progress(self._done, self._total, 0))

    def _is_stopped(self) -> bool:
        return self._options.stop is not None and self._options.stop.is_set()

    def _switch(self, report: UpgradeReport) -> UpgradeReport:
        """Replace the present generation by the second one in one commit."""
        database, options = self._database, self._options
        options.progress(SWITCH, _share(0.0))
        vectors = generation.NewVectors(database, self._directory, self._encoder.dim)
        schema = schema_of(self._parts)
        with ShardDraft(self._files, self._encoder.dim, schema or _NO_ROWS) as draft:
            for records in self._records(schema):
                rows, found = vectors.get(records.column("id").to_numpy())
                draft.extend(rows, records.filter(pa.array(found)))
            if draft.rows:
                draft.finish(
                    queries_of(self._encoder, draft.rows, options.queries),
                    memory=options.memory,
                    threads=options.threads,
                    progress=lambda stage, share: options.progress(SWITCH, _share(share)),
                )
            previews, lost = database.upgrade.items_from_previews(), database.upgrade.lost_items()
            with database.transaction():
                database.shards.replace(None, [draft.row()] if draft.rows else [])
                self._drop_imports()
                database.files.mark_failed(lost, _LOST)
                database.files.mark_pending(previews)
                database.upgrade.clear()
                self._set_model()
        remove_stray_files(database, self._directory)
        dropped = self._imported
        return replace(report, from_previews=len(previews), lost=len(lost), dropped=dropped)

    def _records(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the records of all living rows in scan order."""
        for part in self._parts:
            for batch in part.shard.records.in_order(part.rows(np.arange(len(part)))):
                yield with_schema(batch, schema)

    def _drop_imports(self) -> None:
        for source in self._database.sources.all():
            if source.kind == IMPORT:
                self._database.shards.replace(source.path, [])
                self._database.sources.remove(source)

    def _set_model(self) -> None:
        before = self._database.settings.all()
        after = library_meta(self._directory, self._encoder, int(before["next_id"]))
        self._database.settings.update(after | {"created": before["created"]})


_NO_ROWS = pa.schema([("id", pa.int64())])


def _share(share: float) -> Progress:
    return Progress(round(1000 * share), 1000, 0)
