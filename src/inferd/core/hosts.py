"""What a host's name says about who can reach it."""

import ipaddress

_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 addresses as a network that speaks IPv6 alone writes them (NAT64)."""
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_CLOUDS_OWN = (ipaddress.ip_network("168.63.129.16"), ipaddress.ip_network("192.0.0.0/24"))
"""Where clouds answer their machines, in ranges that otherwise look like anybody's."""


def is_loopback(host: str) -> bool:
    """Whether only this machine answers to `host`: a name under `localhost`, or an address."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's: no private, link-local or reserved range.

    An IPv6 address that carries an IPv4 address inside is as public as that one.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and (inner := _inner(found)) is not None:
        found = inner
    if found.is_multicast or found.is_reserved or any(found in each for each in _CLOUDS_OWN):
        return False
    return found.is_global and not (found.version == 6 and found.is_site_local)


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address to which this one leads, if it leads to one."""
    if address.teredo is not None:
        return address.teredo[1]
    if address.ipv4_mapped is not None or address.sixtofour is not None:
        return address.ipv4_mapped or address.sixtofour
    if address in _TRANSLATED or address in _COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return None
