"""A connection to an upstream: direct, or through the proxy that the environment names."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from functools import cache

import msgspec

from inferd.core.errors import BackendTimeout, BackendUnavailable
from inferd.http1.client.connection import Connection
from inferd.http1.client.proxies import Proxy, tunnel
from inferd.http1.client.url import Url

Allows = Callable[[str], bool]
"""Whether an IP address, as text, may be connected to."""

_NOT_ALLOWED = "its address is in a private or reserved range"


@cache
def trusted() -> ssl.SSLContext:
    """Return the system's authorities, and those of `SSL_CERT_FILE`. To read them takes 30 ms."""
    return ssl.create_default_context()


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How to come to an upstream.

    With `allows`, only to an address that it lets through, and through no proxy: the address that
    is looked at is the one that is connected to, whatever a resolver says the next time.
    """

    name: str
    url: Url
    proxy: Proxy | None = None
    tls: ssl.SSLContext | None = None
    allows: Allows | None = None


async def dial(way: Way, connection: Connection, *, seconds: float, left: float) -> None:
    """Connect within `seconds`, `left` of which the request has.

    Raises:
        BackendUnavailable: There is no connection.
        BackendTimeout: The request's own time was over first.
    """
    name, url, proxy, tls = way.name, way.url, way.proxy, way.tls
    via = f"its proxy {proxy.url.authority} " if proxy else ""
    try:
        async with asyncio.timeout(min(seconds, left)):
            if tls is None and "https" in (url.scheme, proxy and proxy.url.scheme):
                tls = await asyncio.to_thread(trusted)
            if way.allows is None:
                await _connect(url, connection, proxy, tls)
            else:
                await _connect_checked(url, connection, tls, way.allows)
    except TimeoutError as error:
        if left < seconds:
            raise BackendTimeout(f"{name} gave no answer in time") from error
        raise BackendUnavailable(f"{name} can't be reached: {via}no connection") from error
    except OSError as error:
        raise BackendUnavailable(f"{name} {_obstacle(error, via)}") from error
    except ValueError as error:
        # Names that no resolver is asked for: empty labels, or signs that IDNA doesn't have.
        raise BackendUnavailable(f"{name} can't be reached: {via}no such host") from error


async def allowed_address(host: str, port: int, allows: Allows) -> str:
    """Return an address of `host` to connect to.

    Raises:
        OSError: It has none, or some that `allows` doesn't let through: then it isn't trusted with
            the others either.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(map(allows, addresses)):
        raise OSError(_NOT_ALLOWED)
    return addresses[0]


async def _connect(
    url: Url,
    connection: Connection,
    proxy: Proxy | None,
    tls: ssl.SSLContext | None,
) -> None:
    loop = asyncio.get_running_loop()
    if proxy is not None and url.scheme == "https":
        assert tls is not None
        await tunnel(proxy, url, connection, tls)
    else:
        first = url if proxy is None else proxy.url
        await loop.create_connection(
            lambda: connection,
            first.host,
            first.port,
            ssl=tls if first.scheme == "https" else None,
        )
    _keep_alive(connection)


async def _connect_checked(
    url: Url, connection: Connection, tls: ssl.SSLContext | None, allows: Allows
) -> None:
    is_secure = url.scheme == "https"
    address = await allowed_address(url.host, url.port, allows)
    await asyncio.get_running_loop().create_connection(
        lambda: connection,
        address,
        url.port,
        ssl=tls if is_secure else None,
        server_hostname=url.host if is_secure else None,
    )
    _keep_alive(connection)


def _keep_alive(connection: Connection) -> None:
    assert connection.transport is not None
    line = connection.transport.get_extra_info("socket")
    if line is not None:
        # A host that vanished without a word is noticed; TCP_NODELAY asyncio sets by itself.
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _obstacle(error: OSError, via: str) -> str:
    """Say what stands between us and an upstream."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has no certificate we trust: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "doesn't speak TLS as we do: is its address really https?"
    if isinstance(error, socket.gaierror):
        return f"can't be reached: {via}no such host"
    # Several addresses that all refuse come as one error without a number.
    why = os.strerror(error.errno) if error.errno else str(error) or "nobody answers"
    return f"can't be reached: {via}{why}"
