"""What a library answers."""

import base64
import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_ROW_HEIGHT_PX = 120
_MAX_ROW_WIDTH_PX = 1200
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_GREY = "#808080"


@dataclass(frozen=True)
class Hit:
    """One picture of an answer.

    `score` is the cosine of query and picture, higher is better; None where nothing was asked.
    `width` and `height` are those of the upright original in pixels, `color` its mean as `#rrggbb`,
    `preview` a WebP picture of at most 500 bytes, `meta` the columns that a source adds. For an imported
    picture `width` and `height` may be 0 and `preview` and `uri` empty.
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
    """Ids of nearly the same pictures that are folded under this one, best first."""

    def preview_url(self) -> str:
        """The preview as a `data:` address that a page can show."""
        return "data:image/webp;base64," + base64.b64encode(self.preview).decode("ascii")

    def _repr_html_(self) -> str:
        # Every field comes from files that others may have made, and a notebook runs what it is given.
        title = html.escape(f"{self.caption or self.meta.get('name') or self.uri}", quote=True)
        color = self.color if _COLOR.fullmatch(str(self.color)) else _GREY
        return (
            f'<img src="{self.preview_url()}" title="{title}" alt="{title}" width="{self._row_width_px()}" '
            f'height="{_ROW_HEIGHT_PX}" style="margin:2px;border-radius:4px;background:{color}">'
        )

    def _row_width_px(self) -> int:
        """The width at the height of a row; that of a square for sizes that no picture has."""
        is_known = isinstance(self.width, int) and isinstance(self.height, int)
        if not is_known or self.width <= 0 or self.height <= 0:
            return _ROW_HEIGHT_PX
        return min(_MAX_ROW_WIDTH_PX, max(1, round(_ROW_HEIGHT_PX * self.width / self.height)))


@dataclass(frozen=True)
class Timings:
    """Where the time of an answer went, in milliseconds."""

    embed_ms: float = 0.0
    search_ms: float = 0.0
    fetch_ms: float = 0.0
    total_ms: float = 0.0


class Hits(list[Hit]):
    """An answer, best first. In a notebook it shows itself as a row of pictures."""

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
    ) -> None:
        """`total` is how many pictures could be paged to.

        `version` and `library_count` are those of the library that answered, which may be another one by now.

        `filters` are the operators that were read out of the query. `weak_from` is the place in the whole
        ranking from which on pictures hardly fit the query, None where that is not among those looked at.
        """
        super().__init__(hits)
        self.total = total
        self.library_count = library_count
        self.version = version
        self.filters = tuple(filters)
        self.relevant_count = relevant_count
        self.took = took or Timings()

    def _repr_html_(self) -> str:
        pictures = "".join(hit._repr_html_() for hit in self)
        return f'<div style="display:flex;flex-wrap:wrap">{pictures}</div>'
