"""TLS to an upstream: whose word is taken."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from inferd.core.errors import BackendUnavailable
from inferd.http1.client import Client, Response, Timeouts, parse_url
from tests.http1.upstream import BOUND, Received, Upstream, Wire, client_context, serve


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    async with asyncio.timeout(BOUND * 2):
        yield


def client_of(upstream: Upstream, **times: float) -> Client:
    return Client("acme", parse_url(upstream.url), timeouts=Timeouts(**times))


async def read(response: Response) -> bytes:
    try:
        return await response.read(1 << 20)
    finally:
        response.close()


async def echo(wire: Wire, request: Received) -> None:
    await wire.answer(request.body or request.path.encode())


async def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    async with serve(echo, tls=True) as upstream:
        client = client_of(upstream)
        with pytest.raises(BackendUnavailable, match="no certificate we trust"):
            await client.send("GET", "/secret")
        client.close()
    assert upstream.received == []


async def test_a_certificate_of_a_trusted_authority_is_accepted() -> None:
    async with serve(echo, tls=True) as upstream:
        client = Client("acme", parse_url(upstream.url), tls=client_context())
        assert await read(await client.send("GET", "/secret")) == b"/secret"
        assert await read(await client.send("GET", "/again")) == b"/again"
        client.close()
    assert upstream.connections == 1


async def test_a_certificate_for_another_name_is_refused() -> None:
    async with serve(echo, tls=True) as upstream:
        url = parse_url(upstream.url.replace("127.0.0.1", "localhost.localdomain"))
        client = Client("acme", url, tls=client_context())
        with pytest.raises(BackendUnavailable):
            await client.send("GET", "/secret")
        client.close()
    assert upstream.received == []


async def test_https_to_a_plain_server_says_so() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = Client("acme", parse_url(f"https://127.0.0.1:{port}"))
        with pytest.raises(BackendUnavailable, match="really https"):
            await client.send("GET", "/")
        client.close()
