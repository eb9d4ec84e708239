"""Protection against server-side request forgery (SSRF): which URLs and addresses may be fetched.

A list of URLs, or a query with one, is untrusted. It must not reach services that only this machine or its
network can reach, such as a router or a metadata service. `fetch` resolves each host name, checks all its
addresses with `is_public`, and connects to a checked address only; it does the same for redirects.
"""

import re
from ipaddress import ip_address
from urllib.parse import quote, urlsplit, urlunsplit

from snapseek.errors import InputError
from snapseek.public_address import is_public

__all__ = ["MAX_URL", "checked_url", "is_address", "is_public"]

MAX_URL = 4096

_HOST = re.compile(r"[A-Za-z0-9._-]+")
_SAFE = "!$%&'()*+,/:;=@[]~"


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
