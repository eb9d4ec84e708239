"""The endpoints of pictures by id: entry, preview, original or a smaller JPEG of it, archive of several."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cachetools import LRUCache
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from snapseek.errors import ItemNotFoundError, MissingArgumentError
from snapseek.server.api.parameters import check_names, read_id, read_ids, read_width
from snapseek.server.api.responses import json_answer, result
from snapseek.server.headers import is_held
from snapseek.server.images.originals import OriginalFile, find_original, resized_jpeg
from snapseek.server.images.zip_archive import archive_chunks, archive_contents

if TYPE_CHECKING:
    from starlette.requests import Request

    from snapseek.server.images.originals import Original
    from snapseek.server.state import ServerState

MAX_RESIZED_BYTES = 64 * 2**20
"""Bounds the resized JPEGs in memory."""

_MAX_AGE_S = 86_400


class ImageEndpoints:
    """The endpoints of pictures, which a request names by their ids only."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._resized: LRUCache[str, bytes] = LRUCache(MAX_RESIZED_BYTES, getsizeof=len)  # by entity tag

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/items/{id}", self.item),
            Route("/api/preview/{id}", self.preview),
            Route("/api/image/{id}", self.image),
            Route("/api/zip", self.zip),
        ]

    async def item(self, request: Request) -> Response:
        """Return the entry of a picture."""
        check_names(request.query_params, ())
        item_id, library = read_id(request.path_params["id"]), self._state.library
        return await self._state.searchers.run(
            request, lambda: json_answer(result(library[item_id], library.version))
        )

    async def preview(self, request: Request) -> Response:
        """Return the preview of a picture as a file."""
        params = request.query_params
        check_names(params, ("v",))
        item_id = read_id(request.path_params["id"])
        return await self._state.searchers.run(request, partial(self._preview, item_id, params.get("v")))

    async def image(self, request: Request) -> Response:
        """Return the original of a picture, or a smaller JPEG of it."""
        params = request.query_params
        check_names(params, ("w", "v"))
        width, item_id = read_width(params), read_id(request.path_params["id"])
        find = partial(self._find, item_id, params.get("v"))
        original, caching = await self._state.searchers.run(request, find)
        headers = {"cache-control": caching, "etag": original.etag(width)}
        if is_held(request.headers, headers["etag"]):
            return Response(status_code=304, headers=headers)
        if original.is_sendable(width):
            if original.data is not None:
                return Response(original.data, headers=headers, media_type=original.media_type)
            return OriginalFile(original, headers)
        return await self._resize(request, original, width, headers)

    async def zip(self, request: Request) -> Response:
        """Return the originals of several pictures as one archive, written while it is sent."""
        params = request.query_params
        check_names(params, ("ids",))
        if "ids" not in params:
            raise MissingArgumentError(expected="ids of pictures, separated by commas", got="none")
        ids = read_ids(params["ids"])
        contents = await self._state.searchers.run(
            request, partial(archive_contents, self._state.library, ids)
        )
        headers = {
            "cache-control": "private, no-store",
            "content-disposition": 'attachment; filename="pictures.zip"',
        }
        chunks = iter(()) if request.method == "HEAD" else archive_chunks(self._state.library, contents)
        return StreamingResponse(chunks, headers=headers, media_type="application/zip")

    def _preview(self, item_id: int, version: str | None) -> Response:
        data = self._state.library[item_id].preview
        if not data:
            raise ItemNotFoundError(
                expected=f"a preview of picture {item_id}",
                got="none: the picture was imported as a vector",
                hint="create previews with: snapseek previews",
            )
        return Response(data, headers={"cache-control": self._caching(version)}, media_type="image/webp")

    def _find(self, item_id: int, version: str | None) -> tuple[Original, str]:
        return find_original(self._state.library, item_id), self._caching(version)

    def _caching(self, version: str | None) -> str:
        # Two libraries served at the same port have different pictures with the same id, so a browser may
        # skip revalidation only if the address names the version of the library.
        if version is not None and version == self._state.library.version:
            return f"private, max-age={_MAX_AGE_S}"
        return "private, no-cache"

    async def _resize(
        self, request: Request, original: Original, width: int | None, headers: dict[str, str]
    ) -> Response:
        data = self._resized.get(headers["etag"])
        if data is None:
            source = original.path if original.data is None else original.data
            data = await self._state.decoders.run(
                request, partial(resized_jpeg, source, width, original.name)
            )
            if len(data) <= MAX_RESIZED_BYTES:
                self._resized[headers["etag"]] = data
        return Response(data, headers=headers, media_type="image/jpeg")
