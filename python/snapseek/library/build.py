"""From folders to a library: decode, preview, embed, store."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snapseek.errors import InputError, PictureError
from snapseek.images import make_preview, open_picture
from snapseek.library.catalogue import Catalogue, FileRow
from snapseek.library.identity import check_sharing, identity, queries_of
from snapseek.library.records import Record
from snapseek.library.shard import Queries, ShardDraft, sweep
from snapseek.models import Encoder
from snapseek.sources import Picture, find_pictures

_LOOK_AHEAD = 4


@dataclass(frozen=True)
class Progress:
    """How far an index is: `done` of `total` files looked at, `failed` of them without success."""

    done: int
    total: int
    failed: int


@dataclass(frozen=True)
class _Outcome:
    """What became of a file: a vector (1, dim) with its record, or a reason."""

    picture: Picture
    vector: NDArray[np.float32] | None = None
    record: Record | None = None
    reason: str | None = None


def build(
    folders: Sequence[Path],
    directory: Path,
    encoder: Encoder,
    *,
    threads: int,
    queries: Queries | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Index the pictures of `folders` into the library `directory`, replacing the pictures that it held.

    Does nothing when the library holds just these files already, by that model. Until the end the library
    answers as before; when it is stopped on the way it still does. Files that stay keep their ids. `queries`,
    (q, dim) unit rows, are samples of what will be asked, for libraries that are large enough to be trained.
    """
    pictures = [picture for folder in folders for picture in find_pictures(folder)]
    if not pictures:
        names = ", ".join(str(folder) for folder in folders)
        raise InputError(f"expected pictures in {names}, found none (.jpg .png .webp .gif .tif .bmp .avif)")
    with Catalogue.writing(directory) as catalogue:
        if _is_current(catalogue, pictures, encoder):
            return
        check_sharing(catalogue, None, encoder)
        sweep(directory, [shard.stem for shard in catalogue.shards()])
        with ShardDraft(directory, encoder.dim) as draft:
            ids = _Ids(catalogue)
            catalogue.clear_files()
            report = _reporter(len(pictures), progress)
            for outcome in _embedded(pictures, encoder, threads):
                catalogue.add_file(_store(outcome, draft, ids))
                report(outcome)
            draft.finish(queries_of(encoder, draft.rows, queries), threads=threads)
        catalogue.replace_shards(None, [(draft.stem, draft.rows)])
        catalogue.set_settings(identity(directory, encoder, ids.next_id))
        stems = [shard.stem for shard in catalogue.shards()]
    sweep(directory, stems)


def _is_current(catalogue: Catalogue, pictures: list[Picture], encoder: Encoder) -> bool:
    """Whether the ledger holds just these files, as they are, by this model."""
    if catalogue.settings().get("fingerprint") != encoder.space:
        return False
    known = {(row.folder, row.within, row.size_bytes, row.modified_ns) for row in catalogue.files()}
    return known == {(p.folder, p.within, p.size_bytes, p.modified_ns) for p in pictures}


class _Ids:
    """Stable ids: a file that was there keeps its own, a new one gets one that was never given."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._known = {
            (row.folder, row.within): row.item for row in catalogue.files() if row.item is not None
        }
        self.next_id = int(catalogue.settings().get("next_id", "1"))

    def of(self, picture: Picture) -> int:
        known = self._known.get((picture.folder, picture.within))
        if known is not None:
            return known
        self.next_id += 1
        return self.next_id - 1


def _store(outcome: _Outcome, draft: ShardDraft, ids: _Ids) -> FileRow:
    picture, item = outcome.picture, None
    if outcome.vector is not None and outcome.record is not None:
        item = ids.of(picture)
        draft.append(outcome.vector, {"id": item} | outcome.record)
    return FileRow(
        picture.folder, picture.within, picture.size_bytes, picture.modified_ns, item, outcome.reason
    )


def _embedded(pictures: Iterable[Picture], encoder: Encoder, threads: int) -> Iterator[_Outcome]:
    """The outcome of each picture, in order. Each thread takes a picture all the way: no queue in between."""
    waiting: deque[Future[_Outcome]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="index") as pool:
        try:
            for picture in pictures:
                waiting.append(pool.submit(_embed, picture, encoder))
                if len(waiting) >= threads * _LOOK_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _embed(picture: Picture, encoder: Encoder) -> _Outcome:
    if picture.problem:
        return _Outcome(picture, reason=picture.problem)
    try:
        decoded = open_picture(picture.path, min_side=encoder.picture_side_px)
        preview = make_preview(decoded.image)
        vector = encoder.embed_images([decoded.image])
    except PictureError as error:
        return _Outcome(picture, reason=str(error))
    record = {
        "uri": picture.uri,
        "width": decoded.width,
        "height": decoded.height,
        "color": preview.color,
        "preview": preview.data,
        "caption": None,
        "name": picture.name,
        "folder": picture.parent,
        "size_bytes": picture.size_bytes,
        "modified": datetime.fromtimestamp(picture.modified_ns / 1e9, UTC),
    }
    return _Outcome(picture, vector, record)


def _reporter(total: int, progress: Callable[[Progress], None] | None) -> Callable[[_Outcome], None]:
    done = failed = 0

    def report(outcome: _Outcome) -> None:
        nonlocal done, failed
        done += 1
        failed += outcome.reason is not None
        if progress is not None:
            progress(Progress(done, total, failed))

    return report
