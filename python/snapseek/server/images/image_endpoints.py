"""The endpoints for one picture: its entry, its preview, its original."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from snapseek.errors import ItemNotFoundError
from snapseek.server.api.parameters import check_names, read_id, read_width
from snapseek.server.api.responses import json_answer, result
from snapseek.server.etags import is_held
from snapseek.server.images.originals import OriginalFile, find_original, redraw

if TYPE_CHECKING:
    from starlette.requests import Request

    from snapseek.server.images.originals import Original
    from snapseek.server.state import ServerState


from collections import OrderedDict

MAX_BYTES = 64 * 2**20


class ResizedCache:
    """The JPEGs last asked for, by their entity tags. For the event loop's thread alone."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """At most `max_bytes` of them are kept."""
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self.size_bytes = 0

    def get(self, etag: str) -> bytes | None:
        """The JPEG of that tag, if it is still kept."""
        data = self._kept.get(etag)
        if data is not None:
            self._kept.move_to_end(etag)
        return data

    def put(self, etag: str, data: bytes) -> None:
        """Keep a JPEG, and let go of those that were not asked for the longest."""
        self.size_bytes += len(data) - len(self._kept.pop(etag, b""))
        self._kept[etag] = data
        while self.size_bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.size_bytes -= len(oldest)


_KEEP_S = 86_400


class ImageEndpoints:
    """One picture by its id: nothing else names a file."""

    def __init__(self, service: ServerState) -> None:
        self._service = service
        self._redrawn = ResizedCache()

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/api/items/{id}", self.item),
            Route("/api/preview/{id}", self.preview),
            Route("/api/image/{id}", self.image),
        ]

    async def item(self, request: Request) -> Response:
        """One picture's entry."""
        check_names(request.query_params, ())
        item_id, library = read_id(request.path_params["id"]), self._service.library
        return await self._service.searchers.run(
            request, lambda: json_answer(result(library[item_id], library.version))
        )

    async def preview(self, request: Request) -> Response:
        """One picture's preview as a file."""
        params = request.query_params
        check_names(params, ("v",))
        item_id = read_id(request.path_params["id"])
        return await self._service.searchers.run(request, partial(self._preview, item_id, params.get("v")))

    async def image(self, request: Request) -> Response:
        """One picture's original, or a smaller JPEG of it."""
        params = request.query_params
        check_names(params, ("w", "v"))
        width, item_id = read_width(params), read_id(request.path_params["id"])
        look = partial(self._look, item_id, params.get("v"))
        original, caching = await self._service.searchers.run(request, look)
        headers = {"cache-control": caching, "etag": original.etag(width)}
        if is_held(request.headers, headers["etag"]):
            return Response(status_code=304, headers=headers)
        if original.is_sendable(width):
            if original.data is not None:
                return Response(original.data, headers=headers, media_type=original.media_type)
            return OriginalFile(original, headers)
        return await self._smaller(request, original, width, headers)

    def _preview(self, item_id: int, version: str | None) -> Response:
        data = self._service.library[item_id].preview
        if not data:
            raise ItemNotFoundError(f"picture {item_id} was imported without a preview")
        return Response(data, headers={"cache-control": self._caching(version)}, media_type="image/webp")

    def _look(self, item_id: int, version: str | None) -> tuple[Original, str]:
        return find_original(self._service.library, item_id), self._caching(version)

    def _caching(self, version: str | None) -> str:
        # Ids of two libraries served at the same port mean different pictures, so a browser may keep one
        # without asking only under an address that names the library's version.
        if version is not None and version == self._service.library.version:
            return f"private, max-age={_KEEP_S}"
        return "private, no-cache"

    async def _smaller(
        self, request: Request, original: Original, width: int | None, headers: dict[str, str]
    ) -> Response:
        data = self._redrawn.get(headers["etag"])
        if data is None:
            data = await self._service.decoders.run(
                request, partial(redraw, original.data or original.path, width)
            )
            self._redrawn.put(headers["etag"], data)
        return Response(data, headers=headers, media_type="image/jpeg")
