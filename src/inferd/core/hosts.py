"""What a host's name says about who can reach it."""

import ipaddress


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
