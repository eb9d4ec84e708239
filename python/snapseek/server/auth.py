"""Access token and cookie of a server that other machines can reach.

The token comes in the header `Authorization: Bearer TOKEN`. A browser opens `/?token=TOKEN` once and gets a
cookie. The cookie holds a digest of the token; scripts cannot read it and other sites cannot send it.
"""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import Response

from snapseek.server.problems import rejection

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "snapseek"
COOKIE_MAX_AGE_S = 2_592_000
MIN_TOKEN_CHARACTERS = 16
_PUBLIC_PATHS = frozenset({"/healthz", "/readyz"})
_MAX_QUERY_FIELDS = 20


class TokenAuth:
    """ASGI middleware: rejects requests without a valid token (401)."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._token = token
        self._cookie = hashlib.sha256(b"snapseek cookie\0" + _encoded(token)).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, set the cookie, or reject the request."""
        if scope["type"] != "http" or scope["path"] in _PUBLIC_PATHS or self._is_authorized(scope):
            await self.app(scope, receive, send)
        elif scope["path"] == "/" and _is_equal(_token_parameter(scope), self._token):
            await self._redirect_with_cookie()(scope, receive, send)
        else:
            response = rejection(
                401,
                {"www-authenticate": "Bearer"},
                expected="the access token of this server",
                hint="open /?token=TOKEN in a browser, or send the header Authorization: Bearer TOKEN",
            )
            await response(scope, receive, send)

    def _is_authorized(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _is_equal(credentials.strip(), self._token):
            return True
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return morsel is not None and _is_equal(morsel.value, self._cookie)

    def _redirect_with_cookie(self) -> Response:
        """Redirect to the page's own address, so that the token does not stay in the browser's history."""
        cookie = f"{COOKIE}={self._cookie}; HttpOnly; SameSite=Strict; Path=/; Max-Age={COOKIE_MAX_AGE_S}"
        headers = {"location": "/", "set-cookie": cookie, "cache-control": "no-store"}
        return Response(status_code=303, headers=headers)


def _token_parameter(scope: Scope) -> str:
    query: str = scope["query_string"].decode("latin-1")
    try:
        return parse_qs(query, max_num_fields=_MAX_QUERY_FIELDS).get("token", [""])[0]
    except ValueError:  # more fields than that
        return ""


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _is_equal(text: str, secret: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(_encoded(text), _encoded(secret))
