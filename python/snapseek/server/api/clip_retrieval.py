"""The addresses of clip-retrieval's backend, so that its ClipClient and its page can ask this server.

What it asks and answers is that of clip-back, as its source at github.com/rom1504/clip-retrieval has it:
`POST /knn-service` a list of objects with `id`, `similarity` and, for the first `num_images`, the columns of
the picture; `POST /metadata` a list of `{id, metadata}`; `GET /indices-list` a list of names. There are no
models for safety, violence or beauty here: what asks for them is answered without.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from snapseek.errors import InputError
from snapseek.library import Term
from snapseek.server.api.parameters import MAX_DEPTH, MAX_ID, MIN_ID, check_names, checked_query
from snapseek.server.api.request_body import read_object
from snapseek.server.api.responses import json_answer, remote_address
from snapseek.server.api.search_request import PictureTerm, picture_bytes, vector_of
from snapseek.server.api.uploads import read_pictures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from snapseek.library import Hit
    from snapseek.server.state import ServerState


@dataclass(frozen=True)
class _Neighbours:
    """A request to `/knn-service`: `count` neighbours, the first `shown` of them with their columns."""

    term: Term | PictureTerm
    count: int
    shown: int
    fold: bool


class ClipRetrievalEndpoints:
    """The library under the addresses of clip-back."""

    def __init__(self, service: ServerState) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/knn-service", self.knn, methods=["POST"]),
            Route("/metadata", self.metadata, methods=["POST"]),
            Route("/indices-list", self.indices),
        ]

    async def knn(self, request: Request) -> Response:
        """The pictures next to a text, a picture or a vector."""
        with self._service.budget.reserve() as reservation:
            wanted = await read_object(request, self._service, reservation, self._neighbours)
            term = wanted.term
            if isinstance(term, PictureTerm):
                (term,) = await read_pictures(request, self._service, [term], reservation)
            return await self._service.searchers.run(request, partial(self._find, wanted, term))

    async def metadata(self, request: Request) -> Response:
        """The columns of pictures by their ids."""
        with self._service.budget.reserve() as reservation:
            ids = await read_object(request, self._service, reservation, self._ids)
            return await self._service.searchers.run(request, partial(self._tell, ids))

    async def indices(self, request: Request) -> Response:
        """The name of this library, in a list."""
        check_names(request.query_params, ())
        return json_answer([self._service.library.info().name])

    def _check_index(self, body: Mapping[str, Any]) -> None:
        name = self._service.library.info().name
        if body.get("indice_name") not in (None, "", name):
            raise InputError(f"expected the indice_name {name!r}, found another; see /indices-list")

    def _neighbours(self, body: Mapping[str, Any]) -> _Neighbours:
        self._check_index(body)
        if body.get("modality", "image") != "image":
            raise InputError("expected the modality image, found another: this library holds pictures only")
        shown = _count(body, "num_images", 40)
        wanted = _count(body, "num_result_ids", shown)
        return _Neighbours(_term(body), wanted, shown, bool(body.get("deduplicate")))

    def _ids(self, body: Mapping[str, Any]) -> list[int]:
        self._check_index(body)
        ids = body.get("ids")
        if not isinstance(ids, list) or len(ids) > MAX_DEPTH or not all(map(_is_id, ids)):
            raise InputError(f"expected ids to be a list of at most {MAX_DEPTH} ids of pictures")
        return ids

    def _find(self, wanted: _Neighbours, term: Term) -> Response:
        hits = self._service.library.search([term], wanted.count, fold=wanted.fold)
        return json_answer(
            [
                (_columns(hit) if rank < wanted.shown else {}) | {"id": hit.id, "similarity": hit.score}
                for rank, hit in enumerate(hits)
            ]
        )

    def _tell(self, ids: list[int]) -> Response:
        hits = self._service.library.get_many(ids)
        return json_answer([{"id": hit.id, "metadata": _columns(hit)} for hit in hits])


def _columns(hit: Hit) -> dict[str, Any]:
    """The columns of a picture; `image` is its preview in base64 where its original has no address."""
    address = remote_address(hit)
    picture = {"url": address} if address else {"image": hit.preview_url().partition(",")[2]}
    return {**hit.meta, "caption": hit.caption or hit.meta.get("name", ""), **picture}


def _term(body: Mapping[str, Any]) -> Term | PictureTerm:
    """What is asked for, in the order in which clip-back looks."""
    if body.get("text") is not None and body["text"] != "":
        if not isinstance(body["text"], str):
            raise InputError("expected text to be a text")
        return Term(checked_query(body["text"]))
    if body.get("image") is not None:
        return PictureTerm(picture_bytes(body["image"]), None, 1.0)
    if body.get("image_url") is not None:
        if not isinstance(body["image_url"], str):
            raise InputError("expected image_url to be a text")
        return PictureTerm(None, body["image_url"], 1.0)
    if body.get("embedding_input") is not None:
        return Term(vector_of(body["embedding_input"]))
    raise InputError("expected text, image, image_url or embedding_input in the body, found none")


def _count(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"expected {name} to be a whole number of at least 1")
    return min(value, MAX_DEPTH)


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and MIN_ID <= value <= MAX_ID
