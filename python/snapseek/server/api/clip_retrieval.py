"""The endpoints of clip-retrieval's backend, so that its ClipClient and its page can use this server.

Requests and answers are those of clip-back, as its source at github.com/rom1504/clip-retrieval has them:
`POST /knn-service` answers a list of objects with `id`, `similarity` and, for the first `num_images`, the
columns of the picture; `POST /metadata` a list of `{id, metadata}`; `GET /indices-list` a list of names.
There are no models for safety, violence or beauty here: options for them are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from snapseek.errors import MissingArgumentError, OutOfRangeError, ParseError, UnknownChoiceError
from snapseek.library import Term
from snapseek.server.api.parameters import MAX_DEPTH, check_names, checked_query, excerpt, read_json_id
from snapseek.server.api.request_body import read_object
from snapseek.server.api.responses import json_answer, remote_url
from snapseek.server.api.terms import PictureTerm, picture_bytes, read_vector
from snapseek.server.api.uploads import read_pictures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from snapseek.library import Hit
    from snapseek.server.state import ServerState


@dataclass(frozen=True)
class _KnnRequest:
    """A request to `/knn-service`: `count` results, the first `with_columns` of them with their columns."""

    term: Term | PictureTerm
    count: int
    with_columns: int
    dedup: bool


class ClipRetrievalEndpoints:
    """The library at the addresses of clip-back."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Return the routes of these endpoints."""
        return [
            Route("/knn-service", self.knn, methods=["POST"]),
            Route("/metadata", self.metadata, methods=["POST"]),
            Route("/indices-list", self.indices),
        ]

    async def knn(self, request: Request) -> Response:
        """Answer with the pictures nearest to a text, a picture or a vector."""
        with self._state.budget.reserve() as reservation:
            knn = await read_object(request, self._state, reservation, self._knn_request)
            (term,) = await read_pictures(request, self._state, [knn.term], reservation)
            return await self._state.searchers.run(request, partial(self._find, knn, term))

    async def metadata(self, request: Request) -> Response:
        """Answer with the columns of pictures by their ids."""
        with self._state.budget.reserve() as reservation:
            ids = await read_object(request, self._state, reservation, self._ids)
            return await self._state.searchers.run(request, partial(self._columns_of, ids))

    async def indices(self, request: Request) -> Response:
        """Answer with the name of this library, in a list."""
        check_names(request.query_params, ())
        return json_answer([self._state.library.info().name])

    def _check_index(self, body: Mapping[str, Any]) -> None:
        name = self._state.library.info().name
        if body.get("indice_name") not in (None, "", name):
            raise UnknownChoiceError(
                expected=f"the indice_name {name!r}", got="another", hint="see /indices-list"
            )

    def _knn_request(self, body: Mapping[str, Any]) -> _KnnRequest:
        self._check_index(body)
        if body.get("modality", "image") != "image":
            raise UnknownChoiceError(expected="the modality image", got="another")
        with_columns = _count(body, "num_images", 40)
        count = _count(body, "num_result_ids", with_columns)
        return _KnnRequest(_term(body), count, with_columns, bool(body.get("deduplicate")))

    def _ids(self, body: Mapping[str, Any]) -> list[int]:
        self._check_index(body)
        ids = body.get("ids")
        if not isinstance(ids, list) or len(ids) > MAX_DEPTH:
            raise ParseError(expected=f"ids to be a list of up to {MAX_DEPTH} ids", got=excerpt(ids))
        return [read_json_id(entry) for entry in ids]

    def _find(self, knn: _KnnRequest, term: Term) -> Response:
        hits = self._state.library.search([term], knn.count, dedup=knn.dedup)
        return json_answer(
            [
                (_columns(hit) if rank < knn.with_columns else {}) | {"id": hit.id, "similarity": hit.score}
                for rank, hit in enumerate(hits)
            ]
        )

    def _columns_of(self, ids: list[int]) -> Response:
        hits = self._state.library.get_many(ids)
        return json_answer([{"id": hit.id, "metadata": _columns(hit)} for hit in hits])


def _columns(hit: Hit) -> dict[str, Any]:
    """Return the columns of a picture; `image` is its preview in base64 where its original has no URL."""
    url = remote_url(hit)
    picture = {"url": url} if url else {"image": hit.preview_url().partition(",")[2]}
    return {**hit.meta, "caption": hit.caption or hit.meta.get("name", ""), **picture}


def _term(body: Mapping[str, Any]) -> Term | PictureTerm:
    """Return the term of a body, in the order of precedence of clip-back."""
    if body.get("text") is not None and body["text"] != "":
        if not isinstance(body["text"], str):
            raise ParseError(expected="text to be a text", got=excerpt(body["text"]))
        return Term(checked_query(body["text"]) or "")
    if body.get("image") is not None:
        return PictureTerm(picture_bytes(body["image"]), None, 1.0)
    if body.get("image_url") is not None:
        if not isinstance(body["image_url"], str):
            raise ParseError(expected="image_url to be a text", got=excerpt(body["image_url"]))
        return PictureTerm(None, body["image_url"], 1.0)
    if body.get("embedding_input") is not None:
        return Term(read_vector(body["embedding_input"]))
    raise MissingArgumentError(expected="text, image, image_url or embedding_input in the body", got="none")


def _count(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise OutOfRangeError(expected=f"{name} to be an integer of 1 or more", got=excerpt(value))
    return min(value, MAX_DEPTH)
