"""Access token and cookie of a server that other machines can reach.

The token comes in the header `Authorization: Bearer TOKEN`. A browser opens `/?token=TOKEN` once, gets a
cookie and is redirected to the same address without the token. The cookie holds the time when it ends, signed
with a key that is derived from the token: another token ends all cookies. Scripts cannot read it, other sites
cannot send it, and over HTTPS it is `Secure`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.responses import Response

from snapseek.server.problems import rejection
from snapseek.server.proxy import root_path_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "snapseek"
COOKIE_MAX_AGE_S = 30 * 86_400
MIN_TOKEN_CHARACTERS = 16
_PUBLIC_PATHS = frozenset({"/healthz", "/readyz"})
_MAX_QUERY_FIELDS = 20
_END = re.compile(r"[0-9]{1,12}")


class TokenAuth:
    """ASGI middleware: rejects requests without a valid token (401)."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._token = token
        self._key = hashlib.sha256(b"snapseek cookie\0" + _encoded(token)).digest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, set the cookie, or reject the request."""
        if scope["type"] != "http" or scope["path"] in _PUBLIC_PATHS:
            await self.app(scope, receive, send)
            return
        token, others = _token_parameter(scope) if scope["path"] == "/" else (None, "")
        if token is not None and _is_equal(token, self._token):
            await _redirect(others, self._new_cookie(scope))(scope, receive, send)
        elif not self._is_authorized(scope):
            response = rejection(
                401,
                {"www-authenticate": "Bearer"},
                expected="the access token of this server",
                hint="open /?token=TOKEN in a browser, or send the header Authorization: Bearer TOKEN",
            )
            await response(scope, receive, send)
        elif token is not None:  # a wrong or an old one, which must not stay in the address either
            await _redirect(others)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_authorized(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        if has_bearer(headers, self._token):
            return True
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return morsel is not None and self._is_valid(morsel.value)

    def _is_valid(self, value: str) -> bool:
        """Return whether a cookie is signed with this token and has not ended."""
        end = value.partition(".")[0]
        if not _END.fullmatch(end) or not _is_equal(value, self._signed(end)):
            return False
        return time.time() < int(end)

    def _signed(self, end: str) -> str:
        return f"{end}.{hmac.new(self._key, end.encode(), hashlib.sha256).hexdigest()}"

    def _new_cookie(self, scope: Scope) -> str:
        value = self._signed(str(int(time.time()) + COOKIE_MAX_AGE_S))
        rules = ["HttpOnly", "SameSite=Strict", f"Max-Age={COOKIE_MAX_AGE_S}"]
        if root_path := root_path_of(scope):
            rules.append(f"Path={root_path}/")  # by default the path that the browser sees
        if scope.get("scheme") == "https":
            rules.append("Secure")
        return "; ".join([f"{COOKIE}={value}", *rules])


def has_bearer(headers: Headers, token: str) -> bool:
    """Return whether a request carries the access token in its header."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and _is_equal(credentials.strip(), token)


def _redirect(query: str, cookie: str | None = None) -> Response:
    """Redirect to the page without the token, so that it does not stay in the browser's history."""
    headers = {"location": f"./?{query}" if query else "./", "cache-control": "no-store"}
    return Response(status_code=303, headers=headers | ({"set-cookie": cookie} if cookie else {}))


def _token_parameter(scope: Scope) -> tuple[str | None, str]:
    """Return the parameter `token`, None if it is missing, and the query without it."""
    query: str = scope["query_string"].decode("latin-1")
    try:
        fields = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:  # more fields than that
        return None, ""
    tokens = [value for name, value in fields if name == "token"]
    others = [(name, value) for name, value in fields if name != "token"]
    return (tokens[0] if tokens else None), urlencode(others, errors="surrogateescape")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _is_equal(text: str, secret: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(_encoded(text), _encoded(secret))
