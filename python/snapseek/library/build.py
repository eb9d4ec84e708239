"""From folders to a library: decode, preview, embed, store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from snapseek.errors import InputError
from snapseek.library.catalogue import Catalogue, FileRow
from snapseek.library.identity import check_sharing, identity, queries_of
from snapseek.library.pipeline import Outcome, embed_pictures
from snapseek.library.shard import Queries, ShardDraft, sweep
from snapseek.models import Encoder
from snapseek.sources import Picture, find_pictures


@dataclass(frozen=True)
class Progress:
    """How far an index is: `done` of `total` files looked at, `failed` of them without success."""

    done: int
    total: int
    failed: int


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
            for outcome in embed_pictures(pictures, encoder, threads):
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


def _store(outcome: Outcome, draft: ShardDraft, ids: _Ids) -> FileRow:
    picture, item = outcome.picture, None
    if outcome.vector is not None and outcome.record is not None:
        item = ids.of(picture)
        draft.append(outcome.vector, {"id": item} | outcome.record)
    return FileRow(
        picture.folder, picture.within, picture.size_bytes, picture.modified_ns, item, outcome.reason
    )


def _reporter(total: int, progress: Callable[[Progress], None] | None) -> Callable[[Outcome], None]:
    done = failed = 0

    def report(outcome: Outcome) -> None:
        nonlocal done, failed
        done += 1
        failed += outcome.reason is not None
        if progress is not None:
            progress(Progress(done, total, failed))

    return report
