"""Protection against server-side request forgery (SSRF): which URLs and addresses may be fetched.

A list of URLs, or a query with one, is untrusted. It must not reach services that only this machine or its
network can reach, such as a router or a metadata service. `fetch` resolves each host name, checks all its
addresses with `is_public`, and connects to a checked address only; it does the same for redirects.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import quote, urlsplit, urlunsplit

from snapseek.errors import InputError

MAX_URL = 4096

_HOST = re.compile(r"[A-Za-z0-9._-]+")
_SAFE = "!$%&'()*+,/:;=@[]~"
# Some versions of Python call these networks global.
_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in ("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4", "::/96")
)
_NAT64 = ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Return whether an IP address is public.

    Not public are loopback, private, link-local, shared (CGNAT), multicast, reserved and unspecified
    addresses, IPv6 addresses that embed such an IPv4 address (mapped, 6to4, Teredo, NAT64), and other texts.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if "%" in address:
        return False
    if parsed in _NAT64:
        return all(map(_is_open, _embedded_ipv4(parsed)))
    return all(map(_is_open, (parsed, *_embedded_ipv4(parsed))))


def _is_open(address: IPv4Address | IPv6Address) -> bool:
    is_special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    is_near = address.is_private or address.is_link_local or getattr(address, "is_site_local", False)
    is_listed = any(address in network for network in _NOT_PUBLIC if network.version == address.version)
    return address.is_global and not (is_special or is_near or is_listed)


def _embedded_ipv4(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address embeds."""
    if isinstance(address, IPv4Address):
        return []
    teredo = address.teredo or ()
    found = [address.ipv4_mapped, address.sixtofour, *teredo]
    if address in _NAT64:
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [each for each in found if each is not None]


def checked_url(url: str, *, allow_private: bool = False) -> str:
    """Return the URL escaped and without credentials.

    A host that is a name is not resolved here: check its addresses with `is_public`.

    Raises
    ------
    InputError
        If the URL is not valid http or https, or its host is an address that is not public.
    """
    if len(url) > MAX_URL:
        raise InputError(expected=f"a URL of at most {MAX_URL} characters", got=str(len(url)))
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(expected="a URL", got=f"'{_shown(url)}': {error}") from error
    if parts.scheme not in ("http", "https"):
        raise InputError(expected="a URL that begins with http:// or https://", got=f"'{_shown(url)}'")
    if not host:
        raise InputError(expected="a URL with a host", got=f"'{_shown(url)}'")
    if not allow_private and is_address(host) and not is_public(host):
        raise PrivateAddressError(host)
    name = f"[{host}]" if ":" in host else _ascii(host, url)
    where = name if port is None else f"{name}:{port}"
    path = quote(parts.path or "/", safe=_SAFE, errors="replace")
    return urlunsplit((parts.scheme, where, path, quote(parts.query, safe=_SAFE + "?", errors="replace"), ""))


class PrivateAddressError(InputError):
    """A host is an address of this machine or its network."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} is an address of this machine or its network; allow such addresses with "
            "index --allow-private"
        )


def is_address(host: str) -> bool:
    """Return whether the host of a URL is an IP address, not a name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _ascii(host: str, url: str) -> str:
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise InputError(expected="a URL with a host", got=f"'{_shown(url)}'") from error
    if _HOST.fullmatch(name) is None:
        raise InputError(expected="a URL with a host", got=f"'{_shown(url)}'")
    return name


def _shown(url: str) -> str:
    """Return the URL printable, and at most 80 characters long."""
    plain = url.encode("ascii", "backslashreplace").decode("ascii")
    text = "".join(letter if letter.isprintable() else "?" for letter in plain)
    return text if len(text) <= 80 else text[:77] + "..."
