"""Public IP addresses: those that are not of this machine or its network."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# Some versions of Python call these networks global.
_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "::/96",
        "2002::/16",  # 6to4, which RFC 7526 gave up
    )
)
_NAT64 = ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Return whether an IP address is public.

    Not public are loopback, private, link-local, shared (CGNAT), multicast, reserved and unspecified
    addresses, 6to4, IPv6 addresses that embed such an IPv4 address (mapped, Teredo, NAT64), and other texts.
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
    found = [address.ipv4_mapped, *teredo]
    if address in _NAT64:
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [each for each in found if each is not None]
