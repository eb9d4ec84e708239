"""The results of a search: `Hits`, a list of `Hit`."""

import base64
import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from snapseek.library.search.unfinished import Unfinished

_ROW_HEIGHT_PX = 120
_MAX_ROW_WIDTH_PX = 1200
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_GREY = "#808080"


@dataclass(frozen=True)
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
    may_load
        Whether the original may be loaded from its `uri` on another machine: the user has confirmed that.
    why
        With mode `auto`, what has a word of the query: `folder name`, `file name`, `caption`, `title`, `tag`.
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
    may_load: bool = True
    why: tuple[str, ...] = ()

    def preview_url(self) -> str:
        """Return the preview as a `data:` URL that a page can show."""
        return "data:image/webp;base64," + base64.b64encode(self.preview).decode("ascii")

    def _repr_html_(self) -> str:
        # Every field comes from untrusted files, and a notebook runs the HTML that it gets.
        title = html.escape(f"{self.caption or self.meta.get('name') or self.uri}", quote=True)
        color = self.color if _COLOR.fullmatch(str(self.color)) else _GREY
        return (
            f'<img src="{self.preview_url()}" title="{title}" alt="{title}" width="{self._row_width_px()}" '
            f'height="{_ROW_HEIGHT_PX}" style="margin:2px;border-radius:4px;background:{color}">'
        )

    def _row_width_px(self) -> int:
        """Return the width at the height of a row; that of a square for impossible sizes."""
        is_known = isinstance(self.width, int) and isinstance(self.height, int)
        if not is_known or self.width <= 0 or self.height <= 0:
            return _ROW_HEIGHT_PX
        return min(_MAX_ROW_WIDTH_PX, max(1, round(_ROW_HEIGHT_PX * self.width / self.height)))


@dataclass(frozen=True)
class Timings:
    """The time of a search in milliseconds: embedding, searching, fetching records, all together."""

    embed_ms: float = 0.0
    search_ms: float = 0.0
    fetch_ms: float = 0.0
    total_ms: float = 0.0


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
        self.took = took or Timings()

    def _repr_html_(self) -> str:
        pictures = "".join(hit._repr_html_() for hit in self)
        return f'<div style="display:flex;flex-wrap:wrap">{pictures}</div>'
