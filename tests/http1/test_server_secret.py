"""The same over TLS, whose transports keep more to themselves."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from inferd.http1.server.connection import Connection
from inferd.http1.server.limits import Limits
from tests.http1.raw import Talk
from tests.http1.upstream import client_context, server_context
from tests.http1.watching import Act, Acting, Watched, request, watching

SOON = 0.2
BIG = bytes(range(256)) * 20_000
LONG = BIG[:100_000]
CLOSE = b"Connection: close\r\n"


@asynccontextmanager
async def secretly(
    acts: dict[str, Act] | None = None, limits: Limits | None = None
) -> AsyncGenerator[tuple[Watched, Talk]]:
    """Serve over TLS, and connect."""
    loop = asyncio.get_running_loop()
    async with watching(acts, limits, tls=server_context()) as one:
        _, line = await loop.create_connection(
            Talk, "127.0.0.1", one.port, ssl=client_context(), server_hostname="localhost"
        )
        try:
            await one.until(lambda: bool(one.open))
            assert one.only.peer.is_tls
            yield one, line
        finally:
            line.transport.abort()
            await line.until(lambda: False)


async def test_requests_are_answered_in_turn() -> None:
    async with secretly() as (_, line):
        line.send(request(b"/v1/x", b"one") + request(b"/v1/x", BIG[:900_000]))
        line.send(request(b"/v1/x", headers=CLOSE))
        assert [each.body for each in await line.ended()] == [b"one", BIG[:900_000], b""]


async def test_a_body_is_held_back_while_nobody_takes_it() -> None:
    go = asyncio.Event()

    async def late(connection: Connection) -> None:
        await go.wait()
        connection.send(200, b"", await connection.read(1 << 30))

    async with secretly({"/act": late}) as (one, line):
        line.send(request(body=BIG))
        await one.until(lambda: not one.only.is_reading)
        assert one.only.buffered_bytes < 1 << 20
        go.set()
        assert (await line.answered(1))[0].body == BIG


async def wait(connection: Connection) -> None:
    await asyncio.Event().wait()


async def pour(connection: Connection) -> None:
    connection.start(200, b"")
    while True:
        connection.write(BIG)
        await connection.drained()


def close(line: Talk) -> None:
    line.transport.close()


def reset(line: Talk) -> None:
    line.transport.abort()


@pytest.mark.parametrize(
    ("act", "data", "leave"),
    [
        (wait, request(), close),
        (wait, request(), reset),
        (wait, request(body=LONG)[:-1], close),
        (wait, request(body=LONG)[:-1], reset),
        # Goodbyes are said within TLS, and unseen while nobody reads; a connection's end isn't.
        (wait, request(body=BIG)[: 900 << 10], reset),
        (pour, request(), close),
        (pour, request(), reset),
    ],
)
async def test_a_client_that_leaves_stops_its_handler(
    act: Act, data: bytes, leave: Callable[[Talk], None]
) -> None:
    acting = Acting(act)
    async with secretly({"/act": acting}) as (one, line):
        line.send(data)
        await acting.begun()
        if len(data) > 1 << 19:
            await one.until(lambda: not one.only.is_reading)
        leave(line)
        await acting.ended()
        assert acting.was_left is True
        await one.until(lambda: not one.open)


async def test_a_refusal_reaches_a_client_that_is_still_sending() -> None:
    async def short(connection: Connection) -> None:
        await connection.read(1000)

    async with secretly({"/act": short}) as (_, line):
        line.send(request(body=BIG))
        (reply,) = await line.answered(1)
        assert (reply.status, reply.is_whole) == (413, True)
        assert len(await line.ended()) == 1


async def test_half_a_head_and_an_end_is_an_end() -> None:
    async with secretly() as (one, line):
        line.send(request()[:20])
        await one.read(20)
        line.transport.close()
        await one.until(lambda: not one.open)


async def test_a_body_must_come_in_time() -> None:
    async with secretly(limits=Limits(body_seconds=SOON)) as (_, line):
        line.send(request(b"/v1/x", b"hello")[:-1])
        (reply,) = await line.answered(1)
        assert reply.status == 408
        assert len(await line.ended()) == 1


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    acting = Acting(pour)
    async with secretly({"/act": acting}, Limits(write_seconds=SOON)) as (one, line):
        line.transport.pause_reading()
        line.send(request())
        await acting.ended()
        assert acting.was_left is True
        await one.until(lambda: not one.open)


async def test_the_last_answer_is_taken_whole() -> None:
    async def long(connection: Connection) -> None:
        connection.send(200, b"", BIG * 2)

    async with secretly({"/act": long}) as (_, line):
        line.transport.pause_reading()
        line.send(request(headers=CLOSE))
        await line.rests(SOON)
        line.transport.resume_reading()
        (reply,) = await line.ended()
        assert reply.body == BIG * 2


async def test_a_request_that_is_stopped_is_told_why() -> None:
    acting = Acting(wait)
    async with secretly({"/act": acting}) as (one, line):
        line.send(request())
        await acting.begun()
        one.only.stop("the node is stopping")
        (reply,) = await line.ended()
        assert reply.status == 503
