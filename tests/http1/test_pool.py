"""How many connections an upstream has, who waits for one, and how long one is kept."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from inferd.core.errors import BackendOverloaded, BackendTimeout, NodeError
from inferd.http1.client import Client, Response, Timeouts, parse_url
from tests.http1.upstream import BOUND, Received, Upstream, Wire, serve

TINY = 0.1


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    async with asyncio.timeout(BOUND * 2):
        yield


def client_of(upstream: Upstream, *, most: int = 2, **times: float) -> Client:
    return Client("acme", parse_url(upstream.url), most=most, timeouts=Timeouts(**times))


async def echo(wire: Wire, request: Received) -> None:
    await wire.answer(request.body or request.path.encode())


async def silent(wire: Wire, request: Received) -> None:
    await wire.gone()


async def read(response: Response) -> bytes:
    try:
        return await response.read(1 << 20)
    finally:
        response.close()


async def test_no_more_connections_are_opened_than_allowed() -> None:
    async with serve(echo) as upstream:
        client = client_of(upstream)

        async def ask(number: int) -> bytes:
            return await read(await client.send("GET", f"/{number}"))

        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(ask(number)) for number in range(20)]
        client.close()
    assert [each.result() for each in asked] == [b"/%d" % number for number in range(20)]
    assert upstream.connections == 2


async def test_who_waits_takes_the_place_of_a_connection_that_ended() -> None:
    async with serve(echo) as upstream:
        client = client_of(upstream, most=1)
        first = await client.send("POST", "/1", body=b"x" * (1 << 20))
        second = asyncio.ensure_future(client.send("GET", "/2"))
        await asyncio.wait((second,), timeout=TINY)
        assert not second.done()
        # Not read to its end: it can't be used again.
        first.close()
        assert await read(await second) == b"/2"
        client.close()
    assert upstream.connections == 2


async def test_nobody_waits_longer_than_to_connect() -> None:
    async with serve(silent) as upstream:
        client = client_of(upstream, most=1, connect=TINY)
        held = asyncio.ensure_future(client.send("GET", "/held"))
        await upstream.until(lambda: len(upstream.received) == 1)
        with pytest.raises(BackendOverloaded, match="all 1 connections"):
            await client.send("GET", "/late")
        with pytest.raises(BackendTimeout):
            await client.send("GET", "/late", seconds=TINY / 2)
        held.cancel()
        await asyncio.wait((held,))
        client.close()
    assert upstream.connections == 1


async def test_who_gives_up_waiting_takes_no_connection_with_it() -> None:
    async with serve(echo) as upstream:
        client = client_of(upstream, most=1)
        first = await client.send("GET", "/1")
        await first.read(100)
        waiting = [asyncio.ensure_future(client.send("GET", f"/{n}")) for n in (2, 3, 4)]
        await asyncio.wait(waiting, timeout=TINY)
        # Freed and given up in the same turn: the gift goes on to the next.
        first.close()
        waiting[0].cancel()
        assert await read(await waiting[1]) == b"/3"
        assert await read(await waiting[2]) == b"/4"
        assert waiting[0].cancelled()
        client.close()
    assert upstream.connections == 1


async def test_closing_the_client_ends_the_waiting() -> None:
    async with serve(silent) as upstream:
        client = client_of(upstream, most=1)
        asked = [asyncio.ensure_future(client.send("GET", "/")) for _ in range(3)]
        await upstream.until(lambda: len(upstream.received) == 1)
        client.close()
        await asyncio.wait(asked)
        told = [each.exception() for each in asked]
        assert all(isinstance(each, NodeError) for each in told)
        await upstream.until(lambda: upstream.open == 0)
    assert upstream.connections == 1


async def test_a_connection_that_nobody_uses_is_closed() -> None:
    async with serve(echo) as upstream:
        client = client_of(upstream, kept=TINY)
        for _ in range(2):
            assert await read(await client.send("GET", "/1")) == b"/1"
            await upstream.until(lambda: upstream.open == 0)
        client.close()
    assert upstream.connections == 2


async def test_many_connections_that_ended_leave_nothing_behind() -> None:
    async def bye(wire: Wire, request: Received) -> None:
        await wire.answer(b"bye", headers={"connection": "close"})
        wire.finish()

    async with serve(bye) as upstream:
        client = client_of(upstream, most=1)
        for _ in range(20):
            assert await read(await client.send("GET", "/")) == b"bye"
        client.close()
    assert upstream.connections == 20


async def test_small_requests_leave_at_once() -> None:
    async with serve(echo) as upstream:
        client = client_of(upstream)
        response = await client.send("GET", "/")
        [connection] = client.connections
        assert connection.transport is not None
        line: socket.socket = connection.transport.get_extra_info("socket")
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        response.close()
        client.close()
