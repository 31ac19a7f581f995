"""What a connection waits for, and for how long."""

import asyncio
from typing import cast

import pytest

from inferd.http1.server.connection import Connection
from inferd.http1.server.incoming import Incoming
from inferd.http1.server.limits import Limits
from inferd.http1.sweep import FOREVER
from tests.http1.raw import talk
from tests.http1.watching import Acting, request, watching

SOON = 0.2
BIG = b"." * (4 << 20)
# Longer than a body that is waited for before its handler is woken.
LONG = b"." * 100_000


async def pour(connection: Connection) -> None:
    connection.start(200, b"")
    while True:
        connection.write(BIG)
        await connection.drained()


async def test_a_head_must_come_in_time_however_it_drips() -> None:
    async with watching(limits=Limits(head_seconds=SOON)) as one, talk(one.port) as line:
        for byte in request() * 1000:
            line.send(bytes([byte]))
            if line.is_closed or await line.rests(0.01):
                break
            if line.came:
                break
        (reply,) = await line.ended()
        assert reply.status == 408
        assert one.seen == []


async def test_who_never_says_anything_is_let_go() -> None:
    async with watching(limits=Limits(head_seconds=SOON)) as one, talk(one.port) as line:
        assert await line.ended() == []


async def test_between_requests_there_is_only_so_much_time() -> None:
    async with watching(limits=Limits(idle_seconds=SOON)) as one, talk(one.port) as line:
        line.send(request(b"/v1/x", b"hello"))
        assert len(await line.ended()) == 1


async def test_a_second_head_must_come_in_time() -> None:
    async with watching(limits=Limits(head_seconds=SOON)) as one, talk(one.port) as line:
        line.send(request(b"/v1/x", b"hello") + request()[:20])
        assert [each.status for each in await line.ended()] == [200, 408]


@pytest.mark.parametrize("body", [b"hello", LONG])
async def test_a_body_must_come_in_time(body: bytes) -> None:
    async with watching(limits=Limits(body_seconds=SOON)) as one, talk(one.port) as line:
        line.send(request(b"/v1/x", body)[:-1])
        (reply,) = await line.ended()
        assert reply.status == 408
        assert b"body" in reply.body
        assert one.seen == []


async def test_a_body_that_nobody_wants_must_come_in_time_too() -> None:
    async def ignore(connection: Connection) -> None:
        connection.send(200, b"", b"")

    limits = Limits(body_seconds=SOON)
    async with watching({"/act": ignore}, limits) as one, talk(one.port) as line:
        line.send(request(body=LONG)[:-1])
        assert [each.status for each in await line.ended()] == [200]


async def test_the_time_in_which_we_do_not_read_is_not_the_clients() -> None:
    go = asyncio.Event()

    async def late(connection: Connection) -> None:
        await go.wait()
        connection.send(200, b"", b"%d" % len(await connection.read(1 << 30)))

    limits = Limits(body_seconds=1.0)
    async with watching({"/act": late}, limits) as one, talk(one.port) as line:
        line.send(request(body=BIG))
        await one.until(lambda: not one.only.is_reading)
        assert not await line.rests(1.5)
        go.set()
        (reply,) = await line.answered(1)
        assert reply.body == b"%d" % len(BIG)


def test_a_body_must_come_at_a_rate() -> None:
    incoming = Incoming(1 << 20, Limits(body_rate=100), awaits_continue=False)
    incoming.run(0.0)
    for second in range(0, 60, 10):
        incoming.feed(b"." * 1000, float(second))
    assert incoming.due == 60.0
    incoming.late(60.0)
    assert incoming.fault is None
    for second in range(60, 120, 10):
        incoming.feed(b"." * 999, float(second))
    assert incoming.due == 120.0
    incoming.late(120.0)
    assert incoming.fault is not None
    assert incoming.fault.status == 408
    assert incoming.due == FOREVER


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    acting = Acting(pour)
    limits = Limits(write_seconds=SOON)
    async with watching({"/act": acting}, limits) as one, talk(one.port) as line:
        line.transport.pause_reading()
        line.send(request())
        await acting.ended()
        assert acting.was_left is True
        await one.until(lambda: not one.open)


async def test_a_client_that_does_not_read_its_last_answer_is_cut_off() -> None:
    async def long(connection: Connection) -> None:
        connection.send(200, b"", BIG * 4)

    limits = Limits(write_seconds=SOON)
    async with watching({"/act": long}, limits) as one, talk(one.port) as line:
        line.transport.pause_reading()
        line.send(request(headers=b"Connection: close\r\n"))
        await one.until(lambda: bool(one.open))
        await one.until(lambda: not one.open)


class Clock:
    """A loop of which a connection only asks the time."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now


class Outlet:
    """A transport whose bytes go out as the test says."""

    def __init__(self) -> None:
        self.unsent = 0
        self.ends: list[str] = []

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 1) if name == "peername" else None

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return bool(self.ends)

    def close(self) -> None:
        self.ends.append("close")

    def abort(self) -> None:
        self.ends.append("abort")


async def test_a_client_that_reads_slowly_has_time() -> None:
    async with watching(limits=Limits(write_seconds=60)) as one:
        clock, outlet = Clock(), Outlet()
        one.loop = cast("asyncio.AbstractEventLoop", clock)
        connection = Connection(one)
        connection.connection_made(cast("asyncio.Transport", outlet))
        outlet.unsent = 1000
        connection.retire(0)
        for minute in range(1, 11):
            clock.now = minute * 60.0
            outlet.unsent -= 1
            assert connection.deadline <= clock.now
            connection.expired()
            assert outlet.ends == ["close"]
        clock.now += 60.0
        connection.expired()
        assert outlet.ends == ["close", "abort"]
        connection.connection_lost(None)


async def test_what_comes_while_an_answer_is_not_read_is_bounded_and_served_later() -> None:
    async def big(connection: Connection) -> None:
        connection.send(200, b"", BIG * 4)

    row = request(b"/v1/x") * 20_000
    async with watching({"/act": big}) as one, talk(one.port) as line:
        line.transport.pause_reading()
        line.send(request())
        await one.until(lambda: bool(one.open) and one.only.is_full and not one.only.is_busy)
        line.send(row)
        await one.until(lambda: not one.only.is_reading)
        assert one.only.held_bytes < len(row) // 2
        line.transport.resume_reading()
        await line.until(lambda: line.came.count(b"HTTP/1.1 200 ") == 20_001)
        assert not line.is_closed
