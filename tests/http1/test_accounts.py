"""How long a whole answer may take, and how much was sent for it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from inferd.core.errors import BackendTimeout, BackendUnavailable
from inferd.http1.client import Body, Client, Response, Timeouts, parse_url
from tests.http1.upstream import BOUND, Received, Upstream, Wire, serve

TINY = 0.1


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


async def silent(wire: Wire, request: Received) -> None:
    await wire.gone()


async def drop_second(wire: Wire, request: Received) -> None:
    """Answer the first connection's first request and drop its second: a stale keep-alive."""
    if request.path == "/again" and wire.number == 1:
        wire.cut()
    else:
        await wire.answer(request.path.encode())


async def test_a_whole_answer_has_a_time_of_its_own() -> None:
    async def chatter(wire: Wire, request: Received) -> None:
        await wire.begin()
        gone = asyncio.ensure_future(wire.gone())
        while not gone.done():
            await wire.chunk(b"x")
            await asyncio.wait((gone,), timeout=TINY / 4)

    async def piece() -> AsyncIterator[bytes]:
        yield b"x"

    async with serve(chatter) as upstream:
        client = client_of(upstream)
        for body in (b"x", Body(pieces=piece)):
            response = await client.send("POST", "/", body=body, whole=TINY * 2)
            async with asyncio.timeout(BOUND):
                with pytest.raises(BackendTimeout, match="no whole answer in time"):
                    await read(response)
        client.close()


async def test_what_was_sent_is_counted() -> None:
    async with serve(echo) as upstream:
        client = client_of(upstream)
        for _ in range(2):
            response = await client.send("POST", "/1", body=b"x" * 1000)
            head = f"POST /1 HTTP/1.1\r\nhost: {upstream.url[7:]}\r\ncontent-length: 1000\r\n\r\n"
            assert response.sent_bytes == len(head) + 1000
            await read(response)
        client.close()


async def test_what_was_sent_to_a_stale_connection_counts_too() -> None:
    async with serve(drop_second) as upstream:
        client = client_of(upstream)
        await read(await client.send("GET", "/first"))
        once = await client.send("POST", "/again", body=b"x" * 1000)
        again = await client.send("POST", "/again", body=b"x" * 1000)
        assert once.sent_bytes == 2 * again.sent_bytes
        once.close()
        again.close()
        client.close()


async def test_a_failure_says_how_much_had_been_sent() -> None:
    async with serve(silent) as upstream:
        client = client_of(upstream, head=TINY)
        with pytest.raises(BackendTimeout) as failed:
            await client.send("POST", "/", body=b"x" * 1000)
        assert failed.value.sent_bytes > 1000
        client.close()
    client = Client("acme", parse_url(upstream.url))
    with pytest.raises(BackendUnavailable) as refused:
        await client.send("POST", "/", body=b"x" * 1000)
    assert refused.value.sent_bytes == 0
