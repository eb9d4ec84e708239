"""The results of a search: `Hits`, a list of `Hit`."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, SupportsIndex, overload

import pyarrow as pa

from snapseek.file_uri import local_path
from snapseek.library import notebook, result_table
from snapseek.library.columns.place_index import with_place
from snapseek.library.search.candidates import Entry
from snapseek.library.search.notices import Notice
from snapseek.library.search.unfinished import Unfinished
from snapseek.library.storage.relocation import Relocation
from snapseek.library.storage.shards import Shards
from snapseek.search_request import INCLUDED

_SHOWN_HITS = 20
"""How many results the text of `Hits` lists."""

_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, repr=False)
class Hit:
    """One picture of a result list.

    Attributes
    ----------
    id
        The id of the picture in its library.
    score
        The cosine of query and picture, higher is better; None without a query.
    uri
        Where the original is; may be empty for an imported picture.
    width, height
        The size of the upright original in pixels; 0 if unknown.
    color
        The mean color as `#rrggbb`.
    preview
        A WebP picture of at most 500 bytes; may be empty for an imported picture.
    caption
        The caption, if there is one.
    meta
        The columns that the source adds.
    similar
        The ids of near-duplicates grouped under this picture, best first.
    similar_scores
        Their scores.
    may_load
        Whether the original may be loaded from its `uri` on another machine: the user has confirmed that.
    why
        With mode `auto`, what has a word of the query: `folder name`, `file name`, `caption`, `title`, `tag`.
    is_imported
        Whether it was imported as a vector: then the author of a table wrote its `uri`.
    """

    id: int
    score: float | None
    uri: str
    width: int
    height: int
    color: str
    preview: bytes
    caption: str | None
    meta: dict[str, Any]
    similar: tuple[int, ...] = ()
    similar_scores: tuple[float | None, ...] = ()
    may_load: bool = True
    why: tuple[str, ...] = ()
    is_imported: bool = False

    @property
    def path(self) -> Path | None:
        """The file of the original; None if it is elsewhere: on the web, in an archive or in a table.

        Also None for an imported picture, whose author must not choose files of this machine. The file may
        be gone since it was indexed. For a library that you got from others, `Library.original_path` also
        checks that you have confirmed its folder.
        """
        is_file = self.uri.startswith("file://") and not self.is_imported
        return local_path(self.uri) if is_file else None

    @property
    def name(self) -> str:
        """The file name, or else the address."""
        return str(self.meta.get("name") or self.uri)

    def preview_url(self) -> str:
        """Return the preview as a `data:` URL that a page can show."""
        return "data:image/webp;base64," + base64.b64encode(self.preview).decode("ascii")

    def __repr__(self) -> str:
        score = "" if self.score is None else f" score={_score(self.score)}"
        caption = f" caption={_cut(self.caption)!r}" if self.caption else ""
        return f"<Hit {self.id}:{score} {_cut(self.name)!r} {self.width} x {self.height}{caption}>"

    def _repr_html_(self) -> str:
        title = self.caption or self.name
        return notebook.picture(self.preview_url(), title, self.color, self.width, self.height)


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
    is_moved = relocation.recorded is not None
    has_preview, has_caption, has_meta = (name in include for name in ("preview", "caption", "meta"))
    for (core, meta), entry in zip(shards.records([entry.row for entry in entries]), entries, strict=True):
        id_, uri, width, height, color, preview, caption = core
        is_imported = shards.is_imported(entry.row)
        if not has_meta:
            meta = {}
        elif meta.get("latitude") is not None:
            meta = with_place(meta)
        hits.append(
            Hit(
                id=id_,
                score=entry.score,
                uri=relocation.uri(uri) if is_moved and not is_imported else uri,
                width=width,
                height=height,
                color=color,
                preview=preview if has_preview else b"",
                caption=caption if has_caption else None,
                meta=meta,
                similar=tuple(map(shards.id_at, entry.similar)),
                similar_scores=entry.similar_scores,
                may_load=may_load,
                why=entry.why,
                is_imported=is_imported,
            )
        )
    return hits


@dataclass(frozen=True)
class Timings:
    """The time of a search in milliseconds: embedding, searching, fetching records, all together.

    `tokenize_ms` is the part of `embed_ms` in which words became tokens.
    """

    embed_ms: float = 0.0
    search_ms: float = 0.0
    fetch_ms: float = 0.0
    total_ms: float = 0.0
    tokenize_ms: float = 0.0


@dataclass(frozen=True)
class PartitionCounts:
    """How many partitions of a collection have answered, of how many, and a sentence about each other."""

    ok: int
    total: int
    missing: tuple[str, ...] = ()


class Hits(list[Hit]):
    """Search results, best first. In a notebook they render as a row of thumbnails.

    Parameters
    ----------
    hits
        The results of this page.
    total
        The number of pictures that can be paged to.
    took
        Where the time went.
    version, library_count, model, dim
        The version, the number of pictures and the model of the state that answered, and the number of
        dimensions of its vectors. The library may have changed since.
    filters
        The filters that were parsed out of the query.
    relevant_count
        The number of leading results, over all pages, that are relevant; None if no result so far is
        irrelevant.
    unfinished
        The end of the query that could not count yet, as the minus of `horse -`; None for a finished query.
    notices
        What a person should know about the answer, as that the model does not know the query's language.
    partitions
        The partitions of a collection that have answered; None for a single library.
    text_model
        What embedded the words of the query: `full`, the library's model, or `fast`, its student; None if
        no words were embedded.
    """

    def __init__(
        self,
        hits: Iterable[Hit] = (),
        *,
        total: int = 0,
        took: Timings | None = None,
        version: str = "",
        filters: Iterable[str] = (),
        relevant_count: int | None = None,
        library_count: int = 0,
        model: str = "",
        dim: int = 0,
        unfinished: Unfinished | None = None,
        notices: Iterable[Notice] = (),
        partitions: PartitionCounts | None = None,
        text_model: str | None = None,
    ) -> None:
        super().__init__(hits)
        self.total = total
        self.library_count = library_count
        self.model = model
        self.dim = dim
        self.version = version
        self.filters = tuple(filters)
        self.relevant_count = relevant_count
        self.unfinished = unfinished
        self.notices = tuple(notices)
        self.partitions = partitions
        self.text_model = text_model
        self.took = took or Timings()

    @overload
    def __getitem__(self, index: SupportsIndex) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Hit | Self:
        """Return one result, or for a slice `Hits` with the same facts about the search."""
        if not isinstance(index, slice):
            return super().__getitem__(index)
        facts = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return type(self)(super().__getitem__(index), **facts)

    def to_arrow(self, *, previews: bool = False) -> pa.Table:
        """Return the results as an Arrow table, a row a picture.

        Its columns are `id score uri path width height color caption similar why`, and the metadata under
        the names of `Hit.meta`. Where one of these has such a name, it gets a trailing underscore.

        Parameters
        ----------
        previews
            Whether to add the previews, as a column of bytes.
        """
        return result_table.to_arrow(self, previews=previews)

    def to_pandas(self, *, previews: bool = False) -> Any:
        """Return the results as a DataFrame with the columns of `to_arrow`.

        Raises InputError if pandas is not installed.
        """
        return result_table.to_pandas(self.to_arrow(previews=previews))

    def __repr__(self) -> str:
        lines = [f"<Hits: {self._summary()}>"]
        lines += [f"  {_line(hit)}" for hit in self[:_SHOWN_HITS]]
        if len(self) > _SHOWN_HITS:
            lines.append(f"  … {len(self) - _SHOWN_HITS:,} more")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return notebook.row(map(_figure, self), self._summary())

    def _summary(self) -> str:
        if not self:
            return "no pictures match"
        return f"{len(self):,} of {max(self.total, len(self)):,} pictures"


def _line(hit: Hit) -> str:
    score = "" if hit.score is None else f"{_score(hit.score)}  "
    return f"{score}id {hit.id}  {_cut(hit.name)}"


def _figure(hit: Hit) -> str:
    """Return a preview with its name, its score and its id, as HTML."""
    below = " · ".join([*([] if hit.score is None else [_score(hit.score)]), f"id {hit.id}"])
    link = str(hit.uri) if hit.may_load is True else ""
    width = notebook.row_width_px(hit.width, hit.height)
    return notebook.captioned(hit._repr_html_(), hit.name, below, link, width)


def _score(score: float) -> str:
    return f"{score:.3f}" if isinstance(score, int | float) else str(score)


def _cut(text: str | None) -> str:
    """Return a text on one line, cut to a bounded length."""
    shown = " ".join(str(text).split())
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}…"
