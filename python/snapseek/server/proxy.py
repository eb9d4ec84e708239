"""Reverse proxies: whose forwarded addresses count, under which path the page lives, and who is local.

A proxy passes on requests of other machines, so its own address says nothing about the client. The headers
`X-Forwarded-For`, `-Proto`, `-Host` and `Forwarded` (RFC 7239) say more, but a client can send them too. They
count only if the request comes from a proxy that the user trusts.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import Response

from snapseek.errors import InputError
from snapseek.server.host_guard import LOOPBACK_HOSTS, host_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

_FORWARDED = "snapseek.forwarded"
_ROOT_PATH = "snapseek.root_path"
_PROXY_HEADERS = frozenset(
    {"forwarded", "via", "x-real-ip", "true-client-ip", "cf-connecting-ip", "x-client-ip"}
)
_ROOT = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_PAIR = re.compile(
    r"\s*(?P<name>[a-z]+)\s*=\s*(?:\"(?P<quoted>[^\"]*)\"|(?P<plain>[^;,\"\s]*))\s*", re.IGNORECASE
)
_MAX_HOPS = 32


class TrustedProxies:
    """The addresses of trusted proxies.

    Parameters
    ----------
    addresses
        IP addresses, or networks such as `10.0.0.0/8`.

    Raises
    ------
    InputError
        One of them is neither.
    """

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        self._networks = [_network(address) for address in addresses]

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: str) -> bool:
        ip = _address(address)
        return ip is not None and any(ip.version == net.version and ip in net for net in self._networks)


@dataclass(frozen=True)
class _Origin:
    """What headers of a proxy say about a request; None where they say nothing, or nothing certain."""

    client: str | None = None
    scheme: str | None = None
    host: str | None = None


class ProxyHeaders:
    """ASGI middleware: reads the headers of trusted proxies, and removes the root path from addresses.

    Parameters
    ----------
    app
        The application.
    trusted
        The trusted proxies.
    root_path
        The path that the page has at the proxy, such as `/pictures`. A proxy may remove it or leave it.
    """

    def __init__(self, app: ASGIApp, trusted: TrustedProxies, root_path: str = "") -> None:
        self.app = app
        self._trusted = trusted
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as its client sent it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        if self._root_path and path == self._root_path:  # its relative addresses need the slash
            query = scope["query_string"].decode("latin-1")
            location = f"{self._root_path}/" + (f"?{query}" if query else "")
            await Response(status_code=308, headers={"location": location})(scope, receive, send)
            return
        await self.app(self._as_sent(scope), receive, send)

    def _as_sent(self, scope: Scope) -> Scope:
        headers = Headers(scope=scope)
        is_forwarded = any(
            name in _PROXY_HEADERS or name.startswith("x-forwarded-")
            for name in headers.keys()  # noqa: SIM118
        )
        sent = {**scope, _FORWARDED: is_forwarded or bool(self._trusted), _ROOT_PATH: self._root_path}
        if self._root_path and scope["path"].startswith(self._root_path + "/"):
            sent["path"] = scope["path"][len(self._root_path) :]
        peer = (scope.get("client") or ("", 0))[0]
        if peer in self._trusted:
            origin = _agreed(_from_forwarded(headers, self._trusted), _from_x_headers(headers, self._trusted))
            if origin.client is not None:
                sent["client"] = (origin.client, 0)
            if origin.scheme is not None:
                sent["scheme"] = origin.scheme
            if origin.host is not None:
                others = [entry for entry in scope["headers"] if entry[0] != b"host"]
                sent["headers"] = [(b"host", origin.host.encode("latin-1")), *others]
        return sent


def was_forwarded(scope: Scope) -> bool:
    """Return whether a proxy passed this request on, or may have."""
    return bool(scope.get(_FORWARDED, False))


def root_path_of(scope: Scope) -> str:
    """Return the path that the page has at the proxy, without a slash at the end; empty if it has none."""
    return str(scope.get(_ROOT_PATH, ""))


def is_local(scope: Scope) -> bool:
    """Return whether a request comes from this machine, and no proxy passed it on.

    The peer and the `Host` are loopback, no header of a proxy is there, and no proxy is trusted.
    """
    peer = _address((scope.get("client") or ("", 0))[0])
    host = Headers(scope=scope).get("host", "")
    return (
        not was_forwarded(scope)
        and peer is not None
        and peer.is_loopback
        and host_name(host) in LOOPBACK_HOSTS
    )


def checked_root_path(root_path: str) -> str:
    """Return a root path without a slash at the end. Raises InputError if it is malformed."""
    path = root_path.rstrip("/")
    if not _ROOT.fullmatch(path) or any(part in (".", "..") for part in path.split("/")):
        raise InputError(
            expected="a root path such as /pictures, of letters, digits and . _ ~ -", got=repr(root_path)
        )
    return path


def _from_x_headers(headers: Headers, trusted: TrustedProxies) -> _Origin | None:
    names = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")
    addresses, schemes, hosts = (_items(headers.getlist(name)) for name in names)
    if not (addresses or schemes or hosts):
        return None
    return _Origin(_client(addresses, trusted), *_last(schemes, hosts))


def _from_forwarded(headers: Headers, trusted: TrustedProxies) -> _Origin | None:
    elements = [dict(_pairs(element)) for element in _items(headers.getlist("forwarded"))]
    if not elements:
        return None
    addresses = [element["for"] for element in elements if "for" in element]
    schemes = [element["proto"] for element in elements[-1:] if "proto" in element]
    hosts = [element["host"] for element in elements[-1:] if "host" in element]
    return _Origin(_client(addresses, trusted), *_last(schemes, hosts))


def _agreed(one: _Origin | None, other: _Origin | None) -> _Origin:
    """Return what both kinds of headers say. Most proxies write one and pass on a client's other one."""
    if one is None or other is None:
        return one or other or _Origin()
    fields = ("client", "scheme", "host")
    same = {name: getattr(one, name) for name in fields if getattr(one, name) == getattr(other, name)}
    return _Origin(**same)


def _last(schemes: Sequence[str], hosts: Sequence[str]) -> tuple[str | None, str | None]:
    """Return scheme and host that the nearest proxy wrote, if they are well-formed."""
    scheme = schemes[-1].lower() if schemes else None
    host = hosts[-1] if hosts else None
    return scheme if scheme in ("http", "https") else None, host if host and host_name(host) else None


def _client(hops: Sequence[str], trusted: TrustedProxies) -> str | None:
    """Return the last address that no trusted proxy has. What is left of it was written by the client."""
    found = None
    for hop in reversed(hops[-_MAX_HOPS:]):
        ip = _address(_without_port(hop))
        if ip is None:
            break
        found = str(ip)
        if found not in trusted:
            break
    return found


def _items(values: Sequence[str]) -> list[str]:
    return [item.strip() for value in values for item in value.split(",") if item.strip()]


def _pairs(element: str) -> list[tuple[str, str]]:
    found = [_PAIR.fullmatch(pair) for pair in element.split(";")]
    return [(pair["name"].lower(), pair["quoted"] or pair["plain"] or "") for pair in found if pair]


def _without_port(text: str) -> str:
    """Return the address in `192.0.2.1:80`, `[2001:db8::1]:80` or `2001:db8::1`."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise InputError(
            expected="the IP address of a proxy, or a network such as 10.0.0.0/8", got=repr(text)
        ) from error
