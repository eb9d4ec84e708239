"""Turn the entries of a ranking into results, with the records of their pictures."""

from collections.abc import Sequence

from snapseek.library.columns.place_index import with_place
from snapseek.library.results import Hit
from snapseek.library.search.rank import Entry
from snapseek.library.storage.relocation import Relocation
from snapseek.library.storage.shards import Shards
from snapseek.search_request import INCLUDED


def read_hits(
    shards: Shards,
    entries: Sequence[Entry],
    relocation: Relocation,
    *,
    may_load: bool,
    include: Sequence[str] = INCLUDED,
) -> list[Hit]:
    """Return entries with their records.

    Parameters
    ----------
    shards
        The shards that the entries point to.
    entries
        What was ranked or listed.
    relocation
        Where the folder of the library is now.
    may_load
        Whether originals may be loaded from their addresses on other machines.
    include
        Which of the optional fields are read; others are empty.
    """
    hits = []
    for (core, meta), entry in zip(shards.records([entry.row for entry in entries]), entries, strict=True):
        id_, uri, width, height, color, preview, caption = core
        is_imported = shards.is_imported(entry.row)
        hits.append(
            Hit(
                id=id_,
                score=entry.score,
                uri=uri if is_imported else relocation.uri(uri),
                width=width,
                height=height,
                color=color,
                preview=preview if "preview" in include else b"",
                caption=caption if "caption" in include else None,
                meta=with_place(meta) if "meta" in include else {},
                similar=tuple(map(shards.id_at, entry.similar)),
                similar_scores=entry.similar_scores,
                may_load=may_load,
                why=entry.why,
                is_imported=is_imported,
            )
        )
    return hits
