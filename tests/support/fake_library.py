"""A library without a model or vectors, for the tests of the server: a small file of every kind it meets."""

import io
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from PIL import Image

from snapseek.errors import FormatError, InputError, ItemNotFoundError, ModelMismatchError
from snapseek.library import (
    Concept,
    DuplicateGroup,
    DuplicateReview,
    Failure,
    Hit,
    Hits,
    LibraryInfo,
    SkippedFile,
    Timings,
)
from snapseek.library.missing_previews import MissingPreviews
from snapseek.library.search.facets import Facet, FacetValue
from snapseek.library.search.request import ResolvedRequest
from snapseek.library.search.suggestions import ColumnSuggestion, RangeSuggestion, Suggestions
from snapseek.library.search.terms import Query, written
from snapseek.library.search.timeline import Month, Timeline
from snapseek.library.source_states import MissingFolder, Sources, SourceState
from snapseek.library.upgrade_cost import UpgradeCost
from snapseek.search_request import SearchRequest

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "3f9a0c12"
SIZE = (64, 48)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'

# Queries for which the library raises.
TROUBLE: dict[str, Exception] = {
    "unknown words": InputError("the model knows no word in 'unknown words'; try other words"),
    "other model": ModelMismatchError("the library was made by another model"),
    "damage": FormatError("shards/0.snap is damaged; index the folder again"),
    "defect": RuntimeError("secret detail"),
}


def picture_bytes(kind: str, **options: object) -> bytes:
    """A small picture of a kind that Pillow writes."""
    stream = io.BytesIO()
    Image.new("RGB", SIZE, (200, 60, 30)).save(stream, kind, **options)
    return stream.getvalue()


FILES = {
    "a.jpg": picture_bytes("JPEG"),
    "b.png": picture_bytes("PNG"),
    "c.webp": picture_bytes("WEBP"),
    "d.gif": picture_bytes("GIF"),
    "e.tiff": picture_bytes("TIFF"),
    "png named.jpg": picture_bytes("PNG"),
    "svg named.png": SVG,
    "html named.jpg": b"<!doctype html><script>alert(1)</script>",
    "cut.jpg": picture_bytes("JPEG")[:300],
    "empty.jpg": b"",
}


class FakeLibrary:
    """Answers like `snapseek.library.Library`, always with the same pictures; ids begin at 1."""

    is_collection = False

    def __init__(self, folder: Path) -> None:
        self.paths = [folder / name for name in FILES]
        for path, data in zip(self.paths, FILES.values(), strict=True):
            path.write_bytes(data)
        self.encoder = SimpleNamespace(examples=("a dog", "two boats"))
        self.before_search: Callable[[], object] = lambda: None
        self.searches: list[tuple[str, int, int]] = []
        self.request = SearchRequest()
        self.embedded_ahead: list[list[SearchRequest]] = []
        self.fast_encoder: object = None
        self.is_warm = threading.Event()

    def failures(self) -> list[Failure]:
        """Two files that could not be read."""
        reason = "it is no picture that can be read"
        return [Failure(self.path_of(name), reason) for name in ("cut.jpg", "empty.jpg")]

    def concepts(self) -> list[Concept]:
        """One taught word."""
        return [Concept("rex", (1, 4), (2,))]

    def duplicates(self, where: object = None) -> DuplicateReview:
        """One group of two pictures."""
        return DuplicateReview((DuplicateGroup(2, (3,), 2048),), len(self.paths))

    def upgrade_cost(self, model: str, *, measures: bool) -> UpgradeCost:
        """The cost of an upgrade on a machine that embeds two pictures a second."""
        count = len(self.paths)
        sizes = (606_000_000, count / 2, 606_100_000, 10**12)
        return UpgradeCost(model, "starter", False, count, 0, 0, *sizes, missing=1)

    def sources(self) -> Sources:
        """One folder, and one of which the files are gone."""
        folder = self.paths[0].parent
        states = (
            SourceState(folder, "folder", "ready", len(self.paths)),
            SourceState(folder / "disk", "folder", "missing", 3),
        )
        return Sources(states, "2025-01-02T00:00:00+00:00", (MissingFolder(folder / "disk", 3),))

    def skipped(self) -> list[SkippedFile]:
        """One RAW file."""
        return [SkippedFile(self.paths[0].parent / "a.cr2", "raw")]

    def id_of(self, name: str) -> int:
        """The id of the file with that name."""
        return 1 + list(FILES).index(name)

    def path_of(self, name: str) -> Path:
        """Where the file with that name is."""
        return self.paths[list(FILES).index(name)]

    def warm(self) -> None:
        self.is_warm.set()

    def embed_ahead(self, requests: Sequence[SearchRequest]) -> None:
        self.embedded_ahead.append(list(requests))

    def search(self, query: Query | SearchRequest | None = None, limit: int = 20, **options: object) -> Hits:
        request = query if isinstance(query, SearchRequest) else SearchRequest(query, limit=limit, **options)
        self.request = request
        resolved = ResolvedRequest.of(request, {})
        if not resolved.terms:
            return self._page(request, Timings(0.0, 0.3, 0.2, 0.5), resolved.filters, scored=False)
        for term in resolved.terms:
            if isinstance(term.subject, int):
                _ = self[term.subject]
        text = written(resolved.terms)
        self.searches.append((text, request.limit, request.offset))
        self.before_search()
        if text in TROUBLE:
            raise TROUBLE[text].with_traceback(None)
        return self._page(request, Timings(1.2345, 0.3, 0.2, 1.9, 0.1234), resolved.filters, scored=True)

    def browse(self, limit: int = 20, *, sort: str | None = None, **options: object) -> Hits:
        self.request = SearchRequest(limit=limit, sort=sort or "relevance", **options)
        return self._page(self.request, Timings(0.0, 0.0, 0.2, 0.2), (), scored=False)

    def __getitem__(self, item: int) -> Hit:
        if not 1 <= item <= len(self.paths):
            raise ItemNotFoundError(expected="the id of a picture of this library", got=str(item))
        return self._hit(item, None)

    def get_many(self, items: Sequence[int]) -> Hits:
        hits = [self._hit(item, None) for item in items if 1 <= item <= len(self.paths)]
        return Hits(hits, total=len(hits))

    def partitions(self) -> tuple[()]:
        return ()

    def remote_original(self, item: int) -> None:
        _ = self[item]

    def archive_uri(self, item: int) -> str | None:
        _ = self[item]
        return None

    def original_path(self, item: int) -> Path:
        _ = self[item]
        return self.paths[item - 1]

    @property
    def version(self) -> str:
        return VERSION

    def suggestions(self) -> Suggestions:
        values = [("jpeg", 3), ("png", 2)]
        columns = [ColumnSuggestion("kind", "type", values, len(values))]
        return Suggestions(["a dog"], columns, [RangeSuggestion("size_bytes", "number", 12, 825)])

    def facet(self, column: str, **page: object) -> Facet:
        self.facet_page = page
        values = (FacetValue("2024", 6, 2), FacetValue("2025", 4, 0))
        return Facet(column, "in", "folder", len(values), values)

    def timeline(self, *, where: object = None, sort: str = "newest") -> Timeline:
        return Timeline((Month("2025-01", 10, 0),), 10, 0)

    def missing_previews(self) -> MissingPreviews:
        return MissingPreviews(7, 1)

    def info(self) -> LibraryInfo:
        return LibraryInfo(
            path=self.paths[0].parent,
            name="demo",
            count=len(self.paths),
            failed=2,
            skipped={"raw": 3, "hidden": 1},
            dim=396,
            model="starter",
            fingerprint="ab" * 32,
            provider="CPU",
            kernel="avx2",
            version=VERSION,
            created="2025-01-01T00:00:00+00:00",
            size_bytes=12345,
            folders=(self.paths[0].parent,),
        )

    def _page(self, request: SearchRequest, took: Timings, filters: Sequence[str], *, scored: bool) -> Hits:
        ids = range(1, len(self.paths) + 1)[request.offset : request.end]
        hits = [self._hit(item, 0.3123456789 / item if scored else None) for item in ids]
        return Hits(
            hits,
            total=len(self.paths),
            took=took,
            version=VERSION,
            filters=filters,
            library_count=len(self.paths),
            model="starter",
            dim=396,
            text_model="full" if scored else None,
        )

    def _hit(self, item: int, score: float | None) -> Hit:
        path = self.paths[item - 1]
        return Hit(
            id=item,
            score=score,
            uri=path.as_uri(),
            width=SIZE[0],
            height=SIZE[1],
            color="#c83c1e",
            preview=b"RIFF-preview",
            caption=None,
            meta={
                "name": path.name,
                "folder": "",
                "size_bytes": len(FILES[path.name]),
                "modified": "2025-01-01T00:00:00+00:00",
            },
        )
