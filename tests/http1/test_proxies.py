"""Proxies that the environment names: who is asked through which, and what may go wrong there."""

import asyncio
import base64
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import pytest

from inferd.core.errors import BackendUnavailable
from inferd.http1.client import Client, Timeouts, parse_url
from inferd.http1.client.proxies import proxy_for
from tests.http1.upstream import BOUND, Received, Upstream, Wire, client_context, dead_port, serve

SECRET = "me:s%40cret"
PLEA = "Basic " + base64.b64encode(b"me:s@cret").decode()


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    async with asyncio.timeout(BOUND * 2):
        yield


def authority(url: str, environ: Mapping[str, str]) -> str:
    proxy = proxy_for(parse_url(url), environ)
    return str(proxy.url) if proxy else ""


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("http://a.example", {}, ""),
        ("http://a.example", {"HTTP_PROXY": "http://p:3128"}, "http://p:3128"),
        ("http://a.example", {"http_proxy": "p:3128"}, "http://p:3128"),
        ("http://a.example", {"http_proxy": "p", "HTTP_PROXY": "q"}, "http://p"),
        ("http://a.example", {"HTTP_PROXY": "p", "REQUEST_METHOD": "GET"}, ""),
        ("http://a.example", {"HTTPS_PROXY": "http://p:3128"}, ""),
        ("https://a.example", {"HTTPS_PROXY": "https://p:3128/"}, "https://p:3128"),
        ("https://a.example", {"HTTP_PROXY": "http://p:3128"}, ""),
        ("http://127.0.0.1:8000", {"HTTP_PROXY": "p"}, ""),
        ("http://localhost:8000", {"HTTP_PROXY": "p"}, ""),
        ("http://[::1]:8000", {"HTTP_PROXY": "p"}, ""),
        ("http://a.example", {"HTTP_PROXY": "p", "NO_PROXY": "*"}, ""),
        ("http://a.example", {"HTTP_PROXY": "p", "NO_PROXY": "b.example, .example"}, ""),
        ("http://a.example", {"HTTP_PROXY": "p", "no_proxy": "A.example"}, ""),
        ("http://a.example", {"HTTP_PROXY": "p", "no_proxy": "*.example"}, ""),
        ("http://aa.example", {"HTTP_PROXY": "p", "no_proxy": "a.example"}, "http://p"),
        ("http://a.example", {"HTTP_PROXY": "p", "no_proxy": "a.example:81"}, "http://p"),
        ("http://a.example:81", {"HTTP_PROXY": "p", "no_proxy": "a.example:81"}, ""),
        ("http://10.1.2.3", {"HTTP_PROXY": "p", "no_proxy": "10.0.0.0/8"}, ""),
        ("http://11.1.2.3", {"HTTP_PROXY": "p", "no_proxy": "10.0.0.0/8"}, "http://p"),
        ("http://[fd00::1]", {"HTTP_PROXY": "p", "no_proxy": "fd00::/8"}, ""),
        ("http://a.example", {"HTTP_PROXY": "p", "no_proxy": ""}, "http://p"),
    ],
)
def test_who_is_asked_through_a_proxy(url: str, environ: dict[str, str], expected: str) -> None:
    assert authority(url, environ) == expected


@pytest.mark.parametrize("said", ["socks5://p:1080", f"http://{SECRET}@", "http://p:port", "//"])
def test_what_is_no_proxy_is_refused_without_its_credentials(said: str) -> None:
    with pytest.raises(ValueError, match="HTTP_PROXY must be the address") as refused:
        proxy_for(parse_url("http://a.example"), {"HTTP_PROXY": said})
    assert "cret" not in str(refused.value)


def test_a_proxy_hides_who_we_are() -> None:
    proxy = proxy_for(parse_url("http://a.example"), {"HTTP_PROXY": f"http://{SECRET}@p"})
    assert proxy is not None
    assert PLEA.encode() in proxy.authorization
    assert "cret" not in repr(proxy)


def client_of(url: str, proxy: str, tls: ssl.SSLContext | None = None) -> Client:
    environ = {"http_proxy": proxy, "https_proxy": proxy}
    return Client("acme", parse_url(url), tls=tls, environ=environ, timeouts=Timeouts(connect=5))


async def ask(client: Client) -> tuple[int, bytes]:
    try:
        response = await client.send("GET", "/v1/models", headers=[("x-a", "b")])
        body = await response.read(1000)
        response.close()
        return response.status, body
    finally:
        client.close()


async def test_plain_requests_name_the_whole_address() -> None:
    async def answer(wire: Wire, request: Received) -> None:
        await wire.answer(request.path.encode())

    async with serve(answer) as proxy:
        via = f"http://{SECRET}@127.0.0.1:{proxy.port}"
        said = await ask(client_of("http://acme.example/base", via))
    assert said == (200, b"http://acme.example/base/v1/models")
    [request] = proxy.received
    assert request.headers["host"] == "acme.example"
    assert request.headers["proxy-authorization"] == PLEA


def lenient() -> ssl.SSLContext:
    """Trust the tests' authority, whatever name is asked for."""
    context = client_context()
    context.check_hostname = False
    return context


@asynccontextmanager
async def tunnels(upstream: Upstream, *, tls: bool = False) -> AsyncGenerator[Upstream]:
    """Be a proxy that connects everybody to `upstream`."""

    async def relay(wire: Wire, request: Received) -> None:
        assert request.method == "CONNECT"
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
        await wire.send(b"HTTP/1.1 200 Connection established\r\nvia: p\r\n\r\n")

        async def pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while data := await source.read(1 << 16):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        back = asyncio.ensure_future(pour(reader, wire.writer))
        await pour(wire.reader, writer)
        await asyncio.wait((back,))

    async with serve(relay, tls=tls, reads_body=False) as proxy:
        yield proxy


@pytest.mark.parametrize("is_proxy_encrypted", [False, True])
async def test_encrypted_requests_go_through_a_tunnel(is_proxy_encrypted: bool) -> None:
    async def answer(wire: Wire, request: Received) -> None:
        await wire.answer(request.path.encode())

    async with (
        serve(answer, tls=True) as upstream,
        tunnels(upstream, tls=is_proxy_encrypted) as proxy,
    ):
        scheme = "https" if is_proxy_encrypted else "http"
        client = client_of(
            "https://acme.example", f"{scheme}://{SECRET}@127.0.0.1:{proxy.port}", lenient()
        )
        for _ in range(2):
            response = await client.send("GET", "/v1/models")
            assert await response.read(1000) == b"/v1/models"
            response.close()
        client.close()
        await upstream.until(lambda: upstream.open == 0)
    [request] = proxy.received
    assert request.path == request.headers["host"] == "acme.example:443"
    assert request.headers["proxy-authorization"] == PLEA
    assert [each.headers.get("proxy-authorization") for each in upstream.received] == [None, None]


async def test_a_certificate_is_checked_through_a_tunnel_too() -> None:
    async def answer(wire: Wire, request: Received) -> None:
        await wire.answer()

    async with serve(answer, tls=True) as upstream, tunnels(upstream) as proxy:
        via = f"http://127.0.0.1:{proxy.port}"
        with pytest.raises(BackendUnavailable, match="no certificate we trust"):
            await ask(client_of("https://acme.example", via, client_context()))
        await proxy.until(lambda: proxy.open == 0)
    assert upstream.received == []


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"HTTP/1.1 407 Who\r\nproxy-authenticate: Basic\r\n\r\n", "answered 407"),
        (b"HTTP/1.1 502 No\r\ncontent-length: 2\r\n\r\nno", "answered 502"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "isn't a proxy"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore", "isn't a proxy"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * (20 << 10), "isn't a proxy"),
        (b"", "broke off"),
    ],
)
async def test_a_tunnel_that_is_refused_is_unavailable(reply: bytes, why: str) -> None:
    async def refuse(wire: Wire, request: Received) -> None:
        await wire.send(reply)
        wire.finish()

    async with serve(refuse, reads_body=False) as proxy:
        with pytest.raises(BackendUnavailable, match=why) as refused:
            await ask(client_of("https://acme.example", f"http://{SECRET}@127.0.0.1:{proxy.port}"))
        await proxy.until(lambda: proxy.open == 0)
    assert f"its proxy 127.0.0.1:{proxy.port}" in str(refused.value)
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there_is_named(scheme: str) -> None:
    via = f"http://{SECRET}@127.0.0.1:{await dead_port()}"
    with pytest.raises(BackendUnavailable, match=r"acme can't be reached: its proxy 127.0.0.1"):
        await ask(client_of(f"{scheme}://acme.example", via))
