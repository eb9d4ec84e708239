"""Pictures that come with a question, in its body or from a url, made terms of a search."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from snapseek.errors import InputError, PictureError
from snapseek.images import open_image
from snapseek.images.decode import DRAFT_FACTOR
from snapseek.library import Term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image
    from starlette.requests import Request

    from snapseek.server.api.search_request import PictureTerm
    from snapseek.server.budget import Reservation
    from snapseek.server.state import ServerState

_MIN_SIDE_PX = 512
"""A large picture may be shrunk to twice this: no image tower sees more."""

_FETCH_S = 15.0


async def read_pictures(
    request: Request, service: ServerState, pictures: Sequence[PictureTerm], reservation: Reservation
) -> tuple[Term, ...]:
    """The terms of these pictures, decoded a few at a time whoever asks; `reservation` holds their pixels.

    Raises InputError for what is no picture, for a url that must not be asked, and for any url where this
    server asks none; HTTPException, 503, where all requests together hold too many bytes.
    """
    terms = []
    for picture in pictures:
        data = picture.data
        if data is None:
            data = await _fetched(service, picture.url or "")
            reservation.grow(len(data))
        image = await service.decoders.run(request, partial(_decoded, data))
        reservation.grow(image.width * image.height * len(image.getbands()))
        terms.append(Term(image, picture.weight))
    return tuple(terms)


def _decoded(data: bytes) -> Image.Image:
    try:
        image = open_image(data, min_side=_MIN_SIDE_PX).image
    except PictureError as error:
        raise InputError(f"cannot search by the picture: {error}") from error
    # Other kinds than JPEG are read whole; what waits for its search is small.
    factor = min(image.size) // (DRAFT_FACTOR * _MIN_SIDE_PX)
    return image.reduce(factor) if factor >= 2 else image


async def _fetched(service: ServerState, url: str) -> bytes:
    """The bytes at a url; addresses of this machine and its network are refused, in redirects too."""
    if not service.fetches:
        raise InputError(
            "image_url is only fetched by a server for its own machine; send the picture as image"
        )
    try:
        from snapseek.sources.http.fetch import Fetcher
        from snapseek.sources.http.fetch_limits import FetchLimits
    except ImportError as error:
        raise InputError(
            'image_url needs aiohttp, which is not installed: pip install "snapseek[fetch]"'
        ) from error
    limits = FetchLimits(
        connections=2, timeout_s=_FETCH_S, deadline_s=_FETCH_S, attempts=1, max_bytes=16 << 20
    )
    try:
        async with Fetcher(limits) as fetcher:
            return await fetcher.get(url)
    except PictureError as error:
        raise InputError(f"cannot search by the picture at that url: {error}") from error
