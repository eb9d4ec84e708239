"""Reading a library: search, browse, single pictures, export."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, Self, TypeVar, Unpack, cast

from snapseek.absolute_path import absolute_path
from snapseek.errors import ConstructorError, InputError, UnknownChoiceError, call_text
from snapseek.library import notebook
from snapseek.library.batch_search import embed_together, search_requests, warn_of_path
from snapseek.library.contents import LibraryContents
from snapseek.library.duplicates.review import DuplicateReview
from snapseek.library.encoders import EncoderPool
from snapseek.library.export import Exportable, check_target, export
from snapseek.library.info import Failure, LibraryInfo, SkippedFile
from snapseek.library.paths import existing_library, may_be_collection
from snapseek.library.results import Hits
from snapseek.library.search.request import Where
from snapseek.library.search.suggestions import Suggestions
from snapseek.library.search.terms import Query
from snapseek.library.snapshot import Snapshot
from snapseek.library.snapshot_cache import SnapshotCache
from snapseek.library.source_states import Sources, read_failures, read_skipped, read_sources
from snapseek.library.storage.confirmations import NOTHING, Confirmed
from snapseek.mapped_file import LoadMode
from snapseek.models import Encoder
from snapseek.search_request import PARAMETERS, SearchOptions, SearchRequest

_DEFAULT_LIMIT: int = PARAMETERS["limit"].default
_SHOWN_FOLDERS = 5
_MAX_SUFFIX_CHARACTERS = 6


class LibraryReader(LibraryContents):
    """The read interface of a library. `Library` adds what writes.

    Safe to use from many threads. A commit of another process is seen within a fraction of a second: each
    search uses the newest `Snapshot`, and only that one.
    """

    _path: Path
    _allowed: Confirmed
    encoders: EncoderPool
    """The models that embed queries."""

    is_collection = False
    """Whether it is several libraries, which are only read."""

    def __init__(self, *arguments: object, **named: object) -> None:
        """Use `open`."""
        raise ConstructorError.of(
            call_text(type(self).__name__, arguments, named),
            'Library.open("holiday.snapseek") for a library that exists',
            'Library.build("holiday/", "holiday.snapseek") to make one',
        )

    @classmethod
    def _opened(
        cls,
        path: Path,
        encoders: EncoderPool,
        allowed: Confirmed = NOTHING,
        load: LoadMode = "map",
    ) -> Self:
        """Return an open library at an absolute path."""
        library = cls.__new__(cls)
        library._path, library._allowed, library.encoders = path, allowed, encoders
        library._snapshots = library._new_snapshots(load)
        return library

    def _new_snapshots(self, load: LoadMode) -> SnapshotCache:
        return SnapshotCache(self._path, self._allowed, load, self.encoders.prepare)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the path and the models that were passed, so that worker processes open the same library."""
        return _unpickled, (type(self), self._path, self.encoders)

    def __repr__(self) -> str:
        snapshot = self.snapshot()
        return (
            f"<{type(self).__name__} {str(self._path)!r}: {len(snapshot)} pictures, "
            f"model {snapshot.settings['model']}>"
        )

    def _repr_html_(self) -> str:
        info = self.info()
        folders = ", ".join(map(str, info.folders[:_SHOWN_FOLDERS]))
        more = len(info.folders) - _SHOWN_FOLDERS
        facts = [
            ("pictures", f"{info.count:,}"),
            ("folders", folders + (f" and {more:,} more" if more > 0 else "")),
            ("model", f"{info.model}, {info.dim} dimensions"),
            ("path", str(info.path)),
        ]
        return notebook.facts(info.name, facts)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        encoder: Encoder | None = None,
        load: LoadMode = "map",
        allow_roots: Sequence[str | Path] = (),
        allow_urls: bool = False,
    ) -> Self:
        """Open the library at `path`. Its model is loaded when the first query needs it.

        As a context manager it is closed at the end: `with Library.open("holiday") as library:`.

        Parameters
        ----------
        path
            The directory of the library, or the folder of pictures that has its library inside; or the
            `collection.json` of several, or its directory: see `snapseek.collection`.
        encoder
            The model that made the library, if it is loaded already.
        load
            "map" maps the files of the shards; "ram" reads them into memory, so that a program that truncates
            one, or a disk that fails, cannot end this process. See `VectorIndex.open`.
        allow_roots
            Folders whose pictures the library may show and read again, and whose models it may load, besides
            those that you confirmed: a folder counts as confirmed once you have named it in `build`, `sync`
            or `add`. The folder that contains the library needs no confirmation.
        allow_urls
            Whether it may show and fetch pictures at urls although you have not named their list.

        Raises
        ------
        LibraryNotFoundError
            There is no library.
        FormatError
            It is damaged.
        ModelMismatchError
            `encoder` is not the model that made it.
        """
        if load not in ("map", "ram"):
            raise UnknownChoiceError(expected="load to be 'map' or 'ram'", got=repr(load))
        if may_be_collection(path):
            # Imported by name, because a collection is made of libraries.
            collections = import_module("snapseek.collection")
            if (manifest := collections.manifest_path(path)) is not None:
                arguments = {"load": load, "allow_roots": allow_roots, "allow_urls": allow_urls}
                return cast("Self", collections.Collection.open(manifest, encoder=encoder, **arguments))
        roots = tuple(absolute_path(root) for root in allow_roots)
        found = absolute_path(existing_library(path))
        library = cls._opened(found, EncoderPool(found, encoder), Confirmed(roots, allow_urls), load)
        if encoder is not None:
            library.encoders.check(encoder, library.snapshot())
        return library

    def snapshot(self) -> Snapshot:
        """Return the newest state, which never changes: for several reads that belong together.

        Raises LibraryError after `close`.
        """
        return self._snapshots.now()

    @property
    def version(self) -> str:
        """Changes with every commit that changes an answer."""
        return self.snapshot().version

    def refresh(self) -> bool:
        """Read what was committed since the last check, and return whether there was anything.

        Searches do so by themselves, a few times a second at most. Searches under way finish on the state
        that they began with. Raises FormatError when the new state is damaged; the old one is kept then.
        """
        return self._snapshots.refresh()

    def warm(self) -> None:
        """Read the library into memory, if it takes at most half of it, so that no search waits for the disk.

        Takes some tenths of a second a gigabyte that the system has cached. Searches go on meanwhile.
        """
        self.snapshot().warm()

    @property
    def encoder(self) -> Encoder:
        """The model of this library. Raises ModelMismatchError when it is not the one that made it."""
        return self.encoders.full(self.snapshot())

    @property
    def fast_encoder(self) -> Encoder | None:
        """The student that answers `model="fast"`: the one that was set, else that in the library."""
        return self.encoders.fast(self.snapshot())

    def set_fast_encoder(self, model: str | Path) -> None:
        """Use a student of this library's model for `model="fast"`.

        Raises ModelMismatchError for a student of another model.
        """
        self.encoders.set_fast(model, self.snapshot())

    def search(
        self,
        query: Query | SearchRequest | None = None,
        limit: int = _DEFAULT_LIMIT,
        **options: Unpack[SearchOptions],
    ) -> Hits:
        """Return the pictures that fit a query best.

        Parameters
        ----------
        query
            A text is parsed as the query language of docs/SEARCH.md: `horse + stripes - 2:snow`, with filters
            such as `red car after:2023 -tag:draft`. A path or a PIL picture finds similar pictures, an id
            pictures similar to that one. A `Term`, or a list of all these, is embedded as it is: a text in a
            list means its words. Pictures that are named by id are excluded. Without a query, or with filters
            alone, the matching pictures are listed. A `SearchRequest` holds all arguments.
        limit
            The maximum number of results.
        **options
            The other fields of `SearchRequest`:

            - `where`: a filter as text, or a mapping such as `{"year": {">=": 2020}, "folder": "holiday"}`.
            - `offset`: the number of results to skip.
            - `sort`: `relevance`, or the 1,000 best by `newest`, `oldest` or `size` (most pixels first);
              without a query, all that match.
            - `min_score`: omit results with a lower score.
            - `dedup`: group near-duplicates under the best of them, as its `similar`.
            - `mode`: `clip` ranks by the model, `words` by BM25 over captions, titles, file names and tags,
              `both` fuses the two, `auto` lets the library choose.
            - `exact`: score every picture; otherwise a large library scans only the most promising lists.
            - `model`: `full`, or `fast` for the distilled student, if there is one.
            - `terms`: further terms.
            - `include`: which of `preview`, `meta` and `caption` the results have.

        Returns
        -------
        Hits
            Best first, ties by lower id.

        Raises
        ------
        InputError
            The query or a filter is malformed, does not fit the library, or has no word that the model knows;
            a picture cannot be read; terms cancel each other out; or an argument is out of bounds.
        ItemNotFoundError
            The query names an id that no picture has.
        ModelMismatchError
            The model on the disk is not the one that made the library.
        """
        if not isinstance(query, SearchRequest):
            if isinstance(query, str) and "." in query[-_MAX_SUFFIX_CHARACTERS:]:
                warn_of_path(query)
            query = SearchRequest(query, limit=limit, **options)
        snapshot = self.snapshot()
        return snapshot.search(query, self.encoders.lazy(query.model, snapshot))

    def search_many(
        self,
        queries: Sequence[Query | SearchRequest],
        limit: int = _DEFAULT_LIMIT,
        **options: Unpack[SearchOptions],
    ) -> list[Hits]:
        """Search by each of several queries, and return their results in the same order.

        All texts are embedded in batches, which takes half of the time of one `search` each or less, and all
        answers are of one state of the library.

        Parameters
        ----------
        queries
            One query for each search, of any form that `search` takes. A list inside is one mixed query.
        limit, **options
            As for `search`; the same for all queries, except for those that are a `SearchRequest`.

        Raises
        ------
        InputError
            `queries` is a single text, or as `search` does; then nothing is searched.
        """
        if isinstance(queries, str | bytes) or not isinstance(queries, Iterable):
            raise InputError(
                expected="a list of queries",
                got=f"{queries!r:.60}",
                hint="put it in a list, or call search() for one query",
            )
        requests = [
            query if isinstance(query, SearchRequest) else SearchRequest(query, limit=limit, **options)
            for query in queries
        ]
        return search_requests(self.snapshot(), self.encoders, requests)

    def embed_ahead(self, requests: Sequence[SearchRequest]) -> None:
        """Embed the texts of several requests together, so that their searches find them embedded.

        Costs half of embedding them one by one, or less. A request that fails is skipped: its search raises
        the error.
        """
        embed_together(self.snapshot(), self.encoders, requests)

    def browse(
        self,
        limit: int = _DEFAULT_LIMIT,
        *,
        offset: int = 0,
        where: Where | None = None,
        sort: str | None = None,
        include: Sequence[str] = PARAMETERS["include"].default,
    ) -> Hits:
        """List pictures in stored order, or by `sort`; the arguments are those of `search`.

        Raises InputError as `search` does.
        """
        request = SearchRequest(
            limit=limit, offset=offset, where=where, sort=sort or "relevance", include=tuple(include)
        )
        snapshot = self.snapshot()
        return snapshot.browse(request, self.encoders.lazy("full", snapshot))

    def suggestions(self) -> Suggestions:
        """Return queries and filters worth offering for these pictures.

        Where pictures have neither captions nor tags, the example queries are those of the model.
        """
        found = self.snapshot().overview.suggestions
        return found if found.examples else replace(found, examples=list(self.encoder.examples))

    def duplicates(self, where: Where | None = None) -> DuplicateReview:
        """Return groups of near-duplicates: copies in other sizes and formats, crops, edited versions.

        Nothing is deleted. Compares each picture with all others, which takes seconds for some 10,000.

        Parameters
        ----------
        where
            A filter as for `search`: only pictures that match are compared.

        Raises
        ------
        InputError
            The filter is malformed, or more than 200,000 pictures match.
        """
        snapshot = self.snapshot()
        return snapshot.duplicates(where, self.encoders.lazy("full", snapshot))

    def export(
        self, target: str | Path | BinaryIO, kind: str | None = None, *, keep_text: bool = False
    ) -> int:
        """Write all pictures as csv, json, jsonl or parquet, or their vectors as npy; return their number.

        Parameters
        ----------
        target
            A file, whose name tells the format unless `kind` does, or an open stream of bytes.
        kind
            The format; see `snapseek.library.export`.
        keep_text
            Leave texts that a spreadsheet would read as formulas as they are.

        Raises
        ------
        InputError
            The format is not known.
        StorageError
            The disk refuses.
        """
        if isinstance(target, str | Path):
            self._check_target(Path(target))
        return export(self._exported(), target, kind, keep_text=keep_text)

    def _exported(self) -> Exportable:
        return self.snapshot()

    def _check_target(self, target: Path) -> None:
        """Raise unless a file may appear at `target`: it is none of the library."""
        check_target(target, self._path)

    def info(self) -> LibraryInfo:
        """Return facts about the library."""
        return self.snapshot().info(self.encoders.provider)

    def failures(self) -> list[Failure]:
        """Return every file that could not be indexed completely, with the reason, in order of path."""
        return read_failures(self._path)

    def sources(self) -> Sources:
        """Return where the pictures came from, and which folders wait for a confirmation."""
        return read_sources(self._path, self._allowed)

    def skipped(self) -> list[SkippedFile]:
        """Return the files and folders that were not read as pictures: the first ones of each kind."""
        return read_skipped(self._path)


_Reader = TypeVar("_Reader", bound=LibraryReader)


def _unpickled(kind: type[_Reader], path: Path, encoders: EncoderPool) -> _Reader:
    return kind._opened(path, encoders)
