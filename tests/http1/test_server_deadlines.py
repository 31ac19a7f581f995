"""What a connection waits for, and for how long."""

import asyncio

from inferd.http1.server.connection import Connection
from inferd.http1.server.incoming import Incoming
from inferd.http1.server.limits import Limits
from inferd.http1.sweep import FOREVER
from tests.http1.raw import talk
from tests.http1.watching import Acting, request, watching

SOON = 0.2
BIG = b"." * (4 << 20)


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


async def test_a_body_must_come_in_time() -> None:
    async with watching(limits=Limits(body_seconds=SOON)) as one, talk(one.port) as line:
        line.send(request(b"/v1/x", b"hello")[:-1])
        (reply,) = await line.ended()
        assert reply.status == 408


async def test_a_body_that_nobody_wants_must_come_in_time_too() -> None:
    async def ignore(connection: Connection) -> None:
        connection.send(200, b"", b"")

    limits = Limits(body_seconds=SOON)
    async with watching({"/act": ignore}, limits) as one, talk(one.port) as line:
        line.send(request(body=b"hello")[:-1])
        assert [each.status for each in await line.ended()] == [200]


async def test_the_time_in_which_we_do_not_read_is_not_the_clients() -> None:
    go = asyncio.Event()

    async def late(connection: Connection) -> None:
        await go.wait()
        connection.send(200, b"", b"%d" % len(await connection.read(1 << 30)))

    limits = Limits(body_seconds=SOON)
    async with watching({"/act": late}, limits) as one, talk(one.port) as line:
        line.send(request(body=BIG))
        await one.until(lambda: not one.only.is_reading)
        assert not await line.rests(3 * SOON)
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


async def test_a_client_that_reads_slowly_gets_all_of_its_last_answer() -> None:
    async def long(connection: Connection) -> None:
        connection.send(200, b"", BIG * 4)

    limits = Limits(write_seconds=2 * SOON)
    async with watching({"/act": long}, limits) as one, talk(one.port) as line:
        line.send(request(headers=b"Connection: close\r\n"))
        while not line.is_closed:
            line.transport.pause_reading()
            await line.rests(SOON)
            if not line.is_closed:
                line.transport.resume_reading()
            seen = len(line.came)
            await line.until(lambda seen=seen: len(line.came) > seen)
        (reply,) = line.replies()
        assert reply.is_whole
