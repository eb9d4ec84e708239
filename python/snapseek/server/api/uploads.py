"""Pictures in a request, in its body or by URL, decoded to terms of a search."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from snapseek.errors import InputError, PictureError
from snapseek.images import open_image, pixels_to_decode
from snapseek.images.decode import DRAFT_FACTOR
from snapseek.library import Term
from snapseek.server.api.terms import PictureTerm
from snapseek.server.proxy import was_forwarded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image
    from starlette.requests import Request

    from snapseek.server.budget import Reservation
    from snapseek.server.state import ServerState

_MIN_SIDE_PX = 512
"""A large picture may be reduced to twice this side: no image tower uses more."""

MAX_PIXELS = 40 * 10**6
"""Pixels that the pictures of one request may have together. A JPEG, shrunk while it is read, counts as
a few of them."""

_BYTES_PER_PIXEL = 4
_FETCH_S = 15.0


async def read_pictures(
    request: Request, state: ServerState, terms: Sequence[Term | PictureTerm], reservation: Reservation
) -> tuple[Term, ...]:
    """Return the terms with pictures decoded, a few at a time over all requests.

    Parameters
    ----------
    request
        The request; its client may leave while it waits.
    state
        The server.
    terms
        The terms of the request.
    reservation
        Holds the bytes of the pixels.

    Raises
    ------
    InputError
        A picture cannot be decoded or fetched, its URL must not be fetched, or there are more pixels than
        `MAX_PIXELS`.
    HTTPException
        503: all requests together hold too many bytes.
    """
    decoded = []
    allowance = _Allowance(reservation)
    for term in terms:
        if isinstance(term, PictureTerm):
            data = term.data
            if data is None:
                data = await _fetched(state.fetches and not was_forwarded(request.scope), term.url or "")
                reservation.grow(len(data))
            image = await state.decoders.run(request, partial(_decoded, data, allowance))
            decoded.append(Term(image, term.weight))
        else:
            decoded.append(term)
    return tuple(decoded)


class _Allowance:
    """What the pictures of one request may still use."""

    def __init__(self, reservation: Reservation) -> None:
        self.reservation = reservation
        self._pixels_left = MAX_PIXELS

    def take(self, pixels: int) -> None:
        """Reserve the memory of a picture that is decoded now. Raises InputError, or HTTPException, 503."""
        self._pixels_left -= pixels
        if self._pixels_left < 0:
            raise InputError(
                f"expected pictures of at most {MAX_PIXELS / 1e6:.0f} megapixels together, found more; "
                "send smaller ones, or JPEG that is not progressive, which is shrunk while it is read"
            )
        self.reservation.grow(pixels * _BYTES_PER_PIXEL)


def _decoded(data: bytes, allowance: _Allowance) -> Image.Image:
    try:
        pixels = pixels_to_decode(data, min_side=_MIN_SIDE_PX)
        allowance.take(pixels)
        image = open_image(data, min_side=_MIN_SIDE_PX).image
    except PictureError as error:
        raise InputError(f"cannot search by the picture: {error}") from error
    # Formats other than JPEG are decoded at full size; a smaller picture waits for its search.
    factor = min(image.size) // (DRAFT_FACTOR * _MIN_SIDE_PX)
    image = image.reduce(factor) if factor >= 2 else image
    kept_bytes = image.width * image.height * len(image.getbands())
    allowance.reservation.shrink(max(0, pixels * _BYTES_PER_PIXEL - kept_bytes))
    return image


async def _fetched(is_allowed: bool, url: str) -> bytes:
    """Return the bytes at a URL. Addresses of this machine and its network are refused, in redirects too."""
    if not is_allowed:
        raise InputError(
            expected="a picture as image: this server fetches URLs for its own machine only",
            got="image_url",
            hint="send the picture as image",
        )
    try:
        from snapseek.sources.http.fetch import Fetcher
        from snapseek.sources.http.fetch_limits import FetchLimits
        from snapseek.sources.http.url_policy import PrivateAddressError
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
        if isinstance(error.__cause__, PrivateAddressError):
            raise InputError(
                "that link points to this computer's own network, so it was not opened"
            ) from error
        raise InputError(f"cannot search by the picture at that url: {error}") from error
