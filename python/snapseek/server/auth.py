"""Who may ask a server that others can reach: a token, and how often one client may ask.

The token comes in the header `Authorization: Bearer TOKEN`, or once as `/?token=TOKEN`: the page's address is
then answered with a cookie that scripts cannot read, other sites cannot send, and that holds a digest only.
"""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import Response

from snapseek.server.problems import problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from snapseek.server.rate_limit import RateLimiter

COOKIE = "snapseek"
MIN_TOKEN_CHARACTERS = 16
_OPEN_TO_ALL = frozenset({"/healthz", "/readyz"})
_LOOPBACK = ("127.", "::1")


class Access:
    """ASGI middleware: refuses with 401 who has not the token, with 429 who asks too often."""

    def __init__(self, app: ASGIApp, token: str | None, rate_limiter: RateLimiter | None) -> None:
        self.app = app
        self._token = token
        self._pace = rate_limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        app = self.app if scope["type"] != "http" else self._refusal(scope) or self.app
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        client = (scope.get("client") or ("unknown", 0))[0]
        if self._pace is not None and not self._pace.admits(client):
            return problem(429, "this client asks too often; wait a second", {"retry-after": "1"})
        if self._token is None or scope["path"] in _OPEN_TO_ALL or self._is_known(scope):
            return None
        if scope["path"] == "/" and self._is_token(_token_in(scope)):
            return self._admission()
        return problem(
            401,
            "this server asks for its token: open /?token=TOKEN, or send Authorization: Bearer TOKEN",
            {"www-authenticate": "Bearer"},
        )

    def _is_known(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(given.strip()):
            return True
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return morsel is not None and _same(morsel.value, _digest(self._token or ""))

    def _is_token(self, given: str) -> bool:
        return self._token is not None and _same(given, self._token)

    def _admission(self) -> Response:
        """Back to the page without the token in its address, where it would stay in the history."""
        cookie = f"{COOKIE}={_digest(self._token or '')}; HttpOnly; SameSite=Strict; Path=/; Max-Age=2592000"
        headers = {"location": "/", "set-cookie": cookie, "cache-control": "no-store"}
        return Response(status_code=303, headers=headers)


def _token_in(scope: Scope) -> str:
    text: str = scope["query_string"].decode("latin-1")
    try:
        return parse_qs(text, max_num_fields=20).get("token", [""])[0]
    except ValueError:  # more fields than anybody needs
        return ""


def _digest(token: str) -> str:
    return hashlib.sha256(b"snapseek cookie\0" + token.encode("utf-8", "surrogateescape")).hexdigest()


def _same(given: str, wanted: str) -> bool:
    """Equality in a time that tells nothing."""
    return hmac.compare_digest(
        given.encode("utf-8", "surrogateescape"), wanted.encode("utf-8", "surrogateescape")
    )
