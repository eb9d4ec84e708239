"""Which addresses may be asked for a picture: those that anybody on the internet could ask.

A list of urls, or a query with one, is written by strangers. What answers only on this machine or in its
network (a router, a metadata service) must not be reached through them. So each name is looked up first,
every address that it stands for is checked, and only checked addresses are connected to: `fetch` does that,
for redirects too. Here is the check.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import quote, urlsplit, urlunsplit

from snapseek.errors import InputError

MAX_URL = 4096

_HOST = re.compile(r"[A-Za-z0-9._-]+")
_SAFE = "!$%&'()*+,/:;=@[]~"
# Python counts these as open to everybody, or did in some version.
_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in ("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4", "::/96")
)
_NAT64 = ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet.

    Not loopback, private, link-local, shared (CGNAT), multicast, reserved or unspecified, also not as an IPv4
    address inside an IPv6 one (mapped, 6to4, Teredo, NAT64). What is no address is not public.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if "%" in address:
        return False
    if parsed in _NAT64:
        return all(map(_is_open, _inside(parsed)))
    return all(map(_is_open, (parsed, *_inside(parsed))))


def _is_open(address: IPv4Address | IPv6Address) -> bool:
    is_special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    is_near = address.is_private or address.is_link_local or getattr(address, "is_site_local", False)
    is_listed = any(address in network for network in _NOT_PUBLIC if network.version == address.version)
    return address.is_global and not (is_special or is_near or is_listed)


def _inside(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that an IPv6 one leads to."""
    if isinstance(address, IPv4Address):
        return []
    teredo = address.teredo or ()
    found = [address.ipv4_mapped, address.sixtofour, *teredo]
    if address in _NAT64:
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [each for each in found if each is not None]


def checked_url(url: str, *, allow_private: bool = False) -> str:
    """The url as it may be asked: http or https, escaped, without a password, not an address of this network.

    A host that is a name still has to be looked up, and what it stands for checked with `is_public`. Raises
    InputError.
    """
    if len(url) > MAX_URL:
        raise InputError(expected=f"a url of at most {MAX_URL} characters", got=str(len(url)))
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(expected="a url", got=f"'{_shown(url)}': {error}") from error
    if parts.scheme not in ("http", "https"):
        raise InputError(expected="a url that begins with http:// or https://", got=f"'{_shown(url)}'")
    if not host:
        raise InputError(expected="a url with a host", got=f"'{_shown(url)}'")
    if not allow_private and is_address(host) and not is_public(host):
        raise InputError(refusal(host))
    name = f"[{host}]" if ":" in host else _ascii(host, url)
    where = name if port is None else f"{name}:{port}"
    path = quote(parts.path or "/", safe=_SAFE, errors="replace")
    return urlunsplit((parts.scheme, where, path, quote(parts.query, safe=_SAFE + "?", errors="replace"), ""))


def refusal(host: str) -> str:
    """Why a host is not asked."""
    return (
        f"{host} is an address of this machine or its network: pictures are fetched from there only where "
        "that is allowed (index --allow-private)"
    )


def is_address(host: str) -> bool:
    """Whether the host of a url is an IP address, not a name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _ascii(host: str, url: str) -> str:
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise InputError(expected="a url with a host", got=f"'{_shown(url)}'") from error
    if _HOST.fullmatch(name) is None:
        raise InputError(expected="a url with a host", got=f"'{_shown(url)}'")
    return name


def _shown(url: str) -> str:
    """As much of the url as fits a sentence, printable."""
    plain = url.encode("ascii", "backslashreplace").decode("ascii")
    text = "".join(letter if letter.isprintable() else "?" for letter in plain)
    return text if len(text) <= 80 else text[:77] + "..."
