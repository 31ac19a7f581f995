"""HTTP proxies from the environment: `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, and in lower case."""

import asyncio
import base64
import ipaddress
import ssl
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import msgspec

from inferd.core.hosts import is_loopback
from inferd.http1.client.connection import Connection
from inferd.http1.client.url import Url, parse_url

_PORT_DIGITS = 5
_REPLY_BYTES = 16 << 10


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """Where the proxy is, and what it wants to hear of who we are."""

    url: Url
    authorization: bytes = b""
    """A whole header line, or nothing."""

    def __repr__(self) -> str:
        return f"<Proxy {self.url}>"


def proxy_for(url: Url, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy through which to ask `url`; loopback is never asked through one.

    Raises:
        ValueError: The environment's isn't the address of a proxy; what it says isn't quoted.
    """
    if is_loopback(url.host):
        return None
    name = f"{url.scheme}_proxy"
    text = _said(environ, name)
    if not text or _is_exempt(url, _said(environ, "no_proxy")):
        return None
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        account, _, place = parts.netloc.rpartition("@")
        found = parse_url(f"{parts.scheme}://{place}")
    except ValueError:
        raise ValueError(
            f"{name.upper()} must be the address of an http:// or https:// proxy"
        ) from None
    if not account:
        return Proxy(url=found)
    token = base64.b64encode(unquote(account).encode())
    return Proxy(url=found, authorization=b"proxy-authorization: Basic %b\r\n" % token)


def _said(environ: Mapping[str, str], name: str) -> str:
    # As everywhere: in a CGI, HTTP_PROXY is a header that a caller sent.
    upper = "" if name == "http_proxy" and "REQUEST_METHOD" in environ else name.upper()
    return (environ.get(name) or environ.get(upper, "")).strip()


def _is_exempt(url: Url, listed: str) -> bool:
    return any(_covers(each.strip().lower(), url) for each in listed.split(",") if each.strip())


def _covers(entry: str, url: Url) -> bool:
    """Whether an entry of NO_PROXY is `*`, this host, a domain of it, or a network around it."""
    if entry == "*":
        return True
    host = url.host.lower().rstrip(".")
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    name, colon, port = entry.rpartition(":")
    if colon and port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS:
        if int(port) != url.port:
            return False
        entry = name.strip("[]")
    domain = entry.removeprefix("*").strip(".")
    return host == domain or host.endswith(f".{domain}")


async def tunnel(proxy: Proxy, url: Url, connection: Connection, tls: ssl.SSLContext) -> None:
    """Connect to `url` through the proxy, with TLS from end to end.

    Raises:
        OSError: There is no way through.
    """
    loop = asyncio.get_running_loop()
    asking = _Asking(loop.create_future())
    transport, _ = await loop.create_connection(
        lambda: asking,
        proxy.url.host,
        proxy.url.port,
        ssl=tls if proxy.url.scheme == "https" else None,
    )
    try:
        host = f"[{url.host}]" if ":" in url.host else url.host
        place = f"{host}:{url.port}".encode()
        transport.write(
            b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (place, place, proxy.authorization)
        )
        status = await asking.answered
        if status != 200:
            raise OSError(f"answered {status}")
        inner = await loop.start_tls(transport, connection, tls, server_hostname=url.host)
        if inner is None:
            raise OSError("broke off")
        connection.connection_made(inner)
    except BaseException:
        transport.abort()
        raise


class _Asking(asyncio.Protocol):
    """Waits for the proxy's word, which is a head and nothing more."""

    def __init__(self, answered: "asyncio.Future[int]") -> None:
        self.answered = answered
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, gap, rest = self._data.partition(b"\r\n\r\n")
        if not gap and len(self._data) <= _REPLY_BYTES:
            return
        words = head.split(b"\r\n", 1)[0].split()
        is_head = gap and len(words) > 1 and words[0].startswith(b"HTTP/1.") and len(words[1]) == 3
        status = int(words[1]) if is_head and words[1].isdigit() else 0
        # Bytes after the head would be said before the handshake.
        self._settle(OSError("isn't a proxy") if not status or (status == 200 and rest) else status)

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle(OSError("broke off"))

    def _settle(self, what: int | OSError) -> None:
        if self.answered.done():
            return
        if isinstance(what, OSError):
            self.answered.set_exception(what)
        else:
            self.answered.set_result(what)
