"""How a connection ends: clients that leave, handlers that are stopped."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import cast

import pytest

from inferd.http1.server.connection import Connection
from inferd.http1.server.refusal import Refusal
from tests.http1.raw import BOUND, Talk, replies, talk
from tests.http1.watching import Act, Acting, Watched, request, watching

SOON = 0.2
BIG = b"." * (4 << 20)
# Longer than a body that is waited for before its handler is woken.
LONG = b"." * 100_000


async def wait(connection: Connection) -> None:
    await asyncio.Event().wait()


async def wait_within(connection: Connection) -> None:
    connection.start(200, b"")
    connection.write(b"one ")
    await asyncio.Event().wait()


async def read_all(connection: Connection) -> None:
    connection.send(200, b"", await connection.read(1 << 30))


async def pour(connection: Connection) -> None:
    connection.start(200, b"")
    while True:
        connection.write(BIG)
        await connection.drained()


def close(line: Talk) -> None:
    line.transport.close()


def half_close(line: Talk) -> None:
    line.transport.write_eof()


def reset(line: Talk) -> None:
    end: socket.socket = line.transport.get_extra_info("socket")
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.transport.abort()


WAYS = [close, half_close, reset]


@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize(
    ("act", "data"),
    [
        (wait, request()),
        (wait, request(body=b"hello")),
        (wait, request(body=LONG)[:-1]),
        (read_all, request(body=LONG)[:-1]),
        (wait_within, request()),
        (wait, request() + request(b"/v1/x")),
    ],
)
async def test_a_client_that_leaves_stops_its_handler(
    leave: Callable[[Talk], None], act: Act, data: bytes
) -> None:
    acting = Acting(act)
    async with watching({"/act": acting}) as one, talk(one.port) as line:
        line.send(data)
        await acting.begun()
        leave(line)
        await acting.ended()
        assert acting.was_left is True
        await one.until(lambda: not one.open)
        assert one.seen == []
        assert one.faults == []


@pytest.mark.parametrize("leave", [close, reset])
async def test_a_client_that_leaves_is_seen_though_nobody_reads_its_body(
    leave: Callable[[Talk], None],
) -> None:
    acting = Acting(wait)
    async with watching({"/act": acting}) as one, talk(one.port) as line:
        line.send(request(body=BIG)[: 600 << 10])
        await one.until(lambda: not one.only.is_reading)
        leave(line)
        await acting.ended()
        assert acting.was_left is True


async def test_a_client_that_leaves_while_it_does_not_read_stops_its_handler() -> None:
    acting = Acting(pour)
    async with watching({"/act": acting}) as one, talk(one.port) as line:
        line.transport.pause_reading()
        line.send(request())
        await one.until(lambda: one.only.is_full)
        reset(line)
        await acting.ended()
        assert acting.was_left is True


@pytest.mark.parametrize("leave", WAYS)
async def test_a_handler_whose_response_is_complete_goes_on_to_its_end(
    leave: Callable[[Talk], None],
) -> None:
    go = asyncio.Event()

    async def settle(connection: Connection) -> None:
        connection.send(200, b"", b"done")
        await go.wait()

    acting = Acting(settle)
    async with watching({"/act": acting}) as one, talk(one.port) as line:
        line.send(request())
        await line.answered(1)
        leave(line)
        await one.until(lambda: not one.only.keep_alive)
        go.set()
        await acting.ended()
        assert acting.was_left is None
        await one.until(lambda: not one.open)


async def test_a_handler_that_breaks_off_goes_on_to_its_end() -> None:
    async def break_off(connection: Connection) -> None:
        connection.start(200, b"")
        connection.abort()
        connection.write(b"to nobody")
        connection.end()
        await asyncio.wait_for(asyncio.Event().wait(), SOON)

    acting = Acting(break_off)
    async with watching({"/act": acting}) as one, talk(one.port) as line:
        line.send(request())
        await acting.ended()
        assert acting.was_left is None
        (reply,) = await line.ended()
        assert not reply.is_whole


@pytest.mark.parametrize("data", [request()[:20], request(b"/v1/x", b"hello")[:-1]])
async def test_half_a_request_and_an_end_is_refused(data: bytes) -> None:
    async with watching() as one, talk(one.port) as line:
        line.send(data)
        line.transport.write_eof()
        (reply,) = await line.ended()
        assert reply.status == 400
        assert one.seen == []


async def test_an_end_between_requests_is_an_end() -> None:
    async with watching() as one, talk(one.port) as line:
        line.send(request(b"/v1/x"))
        await line.answered(1)
        line.transport.write_eof()
        assert len(await line.ended()) == 1


# Being stopped


async def test_a_request_that_is_stopped_is_told_why() -> None:
    acting = Acting(wait)
    async with watching({"/act": acting}) as one, talk(one.port) as line:
        line.send(request())
        await acting.begun()
        one.only.stop("the node is stopping")
        (reply,) = await line.ended()
        assert (reply.status, reply.headers["connection"]) == (503, "close")
        assert b'"reason":"the node is stopping"' in reply.body
        assert (acting.was_left, acting.message) == (False, "the node is stopping")


async def test_a_handler_that_is_stopped_has_the_last_word() -> None:
    async def last(connection: Connection) -> None:
        connection.start(200, b"")
        try:
            await wait(connection)
        except asyncio.CancelledError as error:
            connection.write(str(error).encode())
            connection.end()

    acting = Acting(last)
    async with watching({"/act": acting}) as one, talk(one.port) as line:
        line.send(request())
        await acting.begun()
        one.only.stop("the last word")
        (reply,) = await line.ended()
        assert (reply.body, reply.is_whole) == (b"the last word", True)


async def test_a_stream_that_is_stopped_is_seen_to_be_cut() -> None:
    acting = Acting(wait_within)
    async with watching({"/act": acting}) as one, talk(one.port) as line:
        line.send(request())
        await acting.begun()
        one.only.stop("the node is stopping")
        (reply,) = await line.ended()
        assert (reply.status, reply.is_whole) == (200, False)


def stop(connection: Connection) -> None:
    connection.stop("it is over")


def retire(connection: Connection) -> None:
    connection.retire(0)


@pytest.mark.parametrize("data", [b"", request(b"/v1/x")])
@pytest.mark.parametrize("end", [retire, stop])
async def test_who_waits_is_let_go_at_once(data: bytes, end: Callable[[Connection], None]) -> None:
    async with watching() as one, talk(one.port) as line:
        line.send(data)
        await one.until(lambda: one.read_bytes == len(data) and bool(one.open))
        await one.until(lambda: not one.only.is_busy)
        end(one.only)
        assert len(await line.ended()) == bool(data)


async def test_who_is_served_is_served_to_the_end_and_no_further() -> None:
    go = asyncio.Event()

    async def act(connection: Connection) -> None:
        await go.wait()
        connection.send(200, b"", b"done")

    async with watching({"/act": act}) as one, talk(one.port) as line:
        line.send(request() + request(b"/v1/x"))
        await one.until(lambda: bool(one.open) and one.only.is_busy)
        one.only.retire(60)
        go.set()
        (reply,) = await line.ended()
        assert (reply.body, reply.headers["connection"]) == (b"done", "close")


async def test_a_head_under_way_is_served_before_the_end() -> None:
    data = request(b"/v1/x", b"hello")
    async with watching() as one, talk(one.port) as line:
        line.send(data[:30])
        await one.read(30)
        one.only.retire(0)
        line.send(data[30:])
        (reply,) = await line.ended()
        assert (reply.body, reply.headers["connection"]) == (b"hello", "close")


async def test_one_too_many_is_told() -> None:
    class Full(Watched):
        def opened(self, connection: Connection) -> None:
            super().opened(connection)
            connection.refuse(Refusal(503, "the node is full", "come back"))

    async with watching(house=Full) as one, talk(one.port) as line:
        line.send(request(body=BIG))
        (reply,) = await line.ended()
        assert (reply.status, reply.is_whole) == (503, True)


@pytest.mark.parametrize("data", [request(b"/short", BIG), request(headers=b"Host: b\r\n") + BIG])
async def test_an_answer_is_not_destroyed_by_what_is_still_on_its_way(data: bytes) -> None:
    async def short(connection: Connection) -> None:
        await connection.read(1000)

    async with watching({"/short": short}) as one:
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        transport = cast("asyncio.Transport", writer.transport)
        # Whoever closes with something unread resets, and what the client hasn't read is lost.
        transport.pause_reading()
        transport.set_write_buffer_limits(0)
        async with asyncio.timeout(BOUND):
            for at in range(0, len(data), 100_000):
                writer.write(data[at : at + 100_000])
                await writer.drain()
            transport.resume_reading()
            (reply,) = replies(await reader.read())
        assert reply.is_whole
        assert reply.status in (400, 413)
        writer.close()


async def test_nothing_is_left_behind() -> None:
    before = asyncio.all_tasks()
    async with watching() as one:
        for leave in WAYS:
            async with talk(one.port) as line:
                line.send(request(b"/v1/x"))
                await line.answered(1)
                leave(line)
            await one.until(lambda: not one.open)
        if left := asyncio.all_tasks() - before:
            _, left = await asyncio.wait(left, timeout=BOUND)
        assert not left
