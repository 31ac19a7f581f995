"""Where a connection comes from, judged by its address and headers. Pure decisions."""

import ipaddress
import re
from enum import Enum
from functools import lru_cache

from starlette.types import Scope

from inferd.core.errors import PermissionDenied
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.settings import HttpSettings

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?")
_LONGEST_HOST = 255
"""Bytes, as DNS has it. What is longer names nothing, and must not be remembered."""
_LONGEST_ADDRESS = 64
_MOST_FORWARDERS = 32
_FORWARDING = frozenset(
    {
        b"forwarded",
        b"via",
        b"x-real-ip",
        b"x-client-ip",
        b"x-original-forwarded-for",
        b"x-cluster-client-ip",
        b"x-envoy-external-address",
        b"cf-connecting-ip",
        b"true-client-ip",
        b"fastly-client-ip",
        b"cdn-loop",
    }
)


def authority_of(scope: Scope, settings: HttpSettings) -> str:
    """Return the request's Host, in lower case, once it is one that this node answers to.

    A page elsewhere can make its own name resolve to 127.0.0.1 (DNS rebinding); its requests then
    carry that name here.

    Raises:
        HttpRefusal: There isn't exactly one, it is malformed, or it is somebody else's.
    """
    values = [value for name, value in scope["headers"] if name == b"host"]
    if len(values) != 1:
        raise HttpRefusal(400, f"there are {len(values)} Host headers", hint="send exactly one")
    authority = values[0].decode("latin-1").lower()
    match = _AUTHORITY.fullmatch(authority) if len(authority) <= _LONGEST_HOST else None
    if match is None:
        raise HttpRefusal(400, "the Host header is malformed")
    name = match[1].rstrip(".")
    if not _is_ours(name, settings):
        raise HttpRefusal(
            421,
            "this node doesn't answer to that Host",
            hint="ask it as localhost, or add the name to server.allowed_hosts",
        )
    return authority


def origin_of(scope: Scope, authority: str, settings: HttpSettings) -> str:
    """Return the request's Origin if it is another's that is listed; empty if its own or none.

    Raises:
        PermissionDenied: It is a page's that has no business here.
    """
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
    if not values:
        return ""
    origin = values[0]
    if len(values) == 1:
        if origin.lower() in (f"http://{authority}", f"https://{authority}"):
            return ""
        if origin in settings.cors_origins or "*" in settings.cors_origins:
            return origin
    raise PermissionDenied(
        "pages of that Origin may not use this node",
        hint="add the origin to server.cors_origins if it should",
    )


class Site(Enum):
    """Who made a browser send this request, if it was one."""

    PROGRAM = "program"
    """No browser that says so."""
    OWN = "own"
    """A page of this node."""
    TYPED = "typed"
    """The user, by the address bar or a bookmark."""
    FOREIGN = "foreign"
    """Another page: on another site, or on another port of this host."""


_SITES = {b"same-origin": Site.OWN, b"none": Site.TYPED}


def site_of(scope: Scope, authority: str) -> Site:
    """Return where the request comes from, by `Origin` and by what browsers alone can set."""
    said: list[bytes] = []
    found = Site.PROGRAM
    for name, value in scope["headers"]:
        if name == b"origin":
            if value.lower().partition(b"://")[2] != authority.encode():
                return Site.FOREIGN
            found = Site.OWN
        elif name == b"sec-fetch-site":
            said.append(value.strip().lower())
    if said:
        return _SITES.get(said[0], Site.FOREIGN) if len(said) == 1 else Site.FOREIGN
    return found


def is_navigation(scope: Scope) -> bool:
    """Whether a browser asks for a page to show it by itself, in a tab and in no frame."""
    wanted = {b"sec-fetch-mode": b"navigate", b"sec-fetch-dest": b"document"}
    shown = [(name, value) for name, value in scope["headers"] if name in wanted]
    return len(shown) == len(wanted) and dict(shown) == wanted


def is_local(scope: Scope, authority: str, settings: HttpSettings) -> bool:
    """Whether this connection may be the local owner's own: nothing speaks for a detour."""
    client = scope.get("client")
    if client is None or is_proxy(client[0], settings.trusted_proxies):
        return False
    for name, _ in scope["headers"]:
        if name in _FORWARDING or name.startswith(b"x-forwarded"):
            return False
    name = authority if authority.endswith("]") else authority.rpartition(":")[0] or authority
    return is_loopback(name.rstrip(".")) and is_loopback(client[0])


def is_secure(scope: Scope, settings: HttpSettings) -> bool:
    """Whether the browser speaks TLS, to us or to a proxy that is trusted to say so."""
    if scope.get("scheme") == "https":
        return True
    client = scope.get("client")
    if client is None or not is_proxy(client[0], settings.trusted_proxies):
        return False
    shown = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    return len(shown) == 1 and shown[0].strip().lower() == b"https"


def client_of(scope: Scope, settings: HttpSettings) -> str:
    """Return the address that tries to sign in are counted by: of IPv6, the network of 64 bits.

    Behind a trusted proxy, it is the nearest address in `X-Forwarded-For` that isn't one.
    """
    client = scope.get("client")
    address = client[0] if client else ""
    if is_proxy(address, settings.trusted_proxies):
        lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        hops = b",".join(lines).decode("latin-1").rsplit(",", _MOST_FORWARDERS)
        for hop in map(str.strip, reversed(hops)):
            if hop and not is_proxy(hop, settings.trusted_proxies):
                address = hop
                break
    return _network(address)


@lru_cache(maxsize=1024)
def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "somewhere"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped or ipaddress.ip_network((parsed, 64), strict=False))


def is_loopback(name: str) -> bool:
    """Whether `name` is this machine's own, by address or by name."""
    return len(name) <= _LONGEST_HOST and _is_loopback(name)


@lru_cache(maxsize=1024)
def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _is_ours(name: str, settings: HttpSettings) -> bool:
    """Whether the node answers to `name`. An address can't be rebound, so that one is harmless."""
    if is_loopback(name) or name in (listed.lower() for listed in settings.allowed_hosts):
        return True
    if settings.loopback_only:
        return False
    return not settings.allowed_hosts or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def is_proxy(address: str, proxies: tuple[str, ...]) -> bool:
    """Whether that address is a trusted proxy's: it stands for many callers."""
    return _is_proxy(address if len(address) <= _LONGEST_ADDRESS else "", proxies)


@lru_cache(maxsize=1024)
def _is_proxy(address: str, proxies: tuple[str, ...]) -> bool:
    try:
        peer = ipaddress.ip_address(address)
    except ValueError:
        return bool(proxies)
    return any(peer in ipaddress.ip_network(proxy, strict=False) for proxy in proxies)
