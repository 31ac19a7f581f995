"""A server that stops under clients who keep their connections: nobody loses an answer."""

import asyncio
import socket
import ssl

import pytest
from starlette.types import Receive, Scope, Send

from inferd.http1.server.limits import Limits
from inferd.http1.server.tls import Certificate
from inferd.http1.sweep import sweep
from tests.http1.raw import talk
from tests.http1.serving import BOUND, HELLO, Line, Served, hello, serving, until
from tests.http1.upstream import CERTS
from tests.http1.watching import request, watching

STOPPING = "the house is closing"
CLIENTS = 20
DRAIN = 60.0
# So long that whoever has something to say in it does, however busy the machine is.
PATIENT = Limits(grace_seconds=DRAIN)


def certificate_if(*, secure: bool) -> Certificate | None:
    return Certificate(CERTS / "server.pem") if secure else None


def trust_if(*, secure: bool) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=CERTS / "ca.pem") if secure else None


def stopping(served: Served, drain: float = DRAIN) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(served.server.stop(STOPPING, drain))


async def ask_until_told(line: Line, asked: asyncio.Semaphore) -> int:
    """Ask one thing after another, as a pool does; return how many answers came."""
    for number in range(1, 1_000_000):
        line.say(HELLO)
        asked.release()
        status, headers, body = await line.answer()
        assert (status, body) == (200, b"hello")
        if headers.get("connection") == "close":
            assert await line.until_closed() == b""
            return number
    raise AssertionError("nobody told us that the connection closes")


@pytest.mark.parametrize("secure", [False, True])
async def test_a_pool_that_keeps_asking_loses_no_answer(*, secure: bool) -> None:
    asked = asyncio.Semaphore(0)
    async with (
        serving(hello, PATIENT, certificate=certificate_if(secure=secure)) as served,
        asyncio.TaskGroup() as tasks,
    ):

        async def client() -> None:
            async with served.line(trust_if(secure=secure)) as line:
                assert await ask_until_told(line, asked) > 1

        for _ in range(CLIENTS):
            tasks.create_task(client())
        for _ in range(CLIENTS * 5):
            await asked.acquire()
        await stopping(served)
        assert served.server.connections == 0


@pytest.mark.parametrize("secure", [False, True])
async def test_who_sends_once_it_stops_is_answered_and_told(*, secure: bool) -> None:
    async with (
        serving(hello, PATIENT, certificate=certificate_if(secure=secure)) as served,
        served.line(trust_if(secure=secure)) as used,
        served.line(trust_if(secure=secure)) as fresh,
    ):
        used.say(HELLO)
        await used.answer()
        await until(lambda: served.server.connections == 2)
        stop = stopping(served)
        await refused(served)
        for line in (used, fresh):
            line.say(HELLO)
            status, headers, _ = await line.answer()
            assert (status, headers["connection"]) == (200, "close")
            assert await line.until_closed() == b""
        await stop


async def refused(served: Served) -> None:
    """Wait until nobody is let in any more."""
    await until(lambda: served.listener.fileno() < 0)


async def test_who_connected_before_the_end_is_served() -> None:
    async with serving(hello, PATIENT) as served:
        # The server's loop has no turn before the end: it waits to be accepted.
        waiting = socket.create_connection(("127.0.0.1", served.port))
        served.server.close()
        reader, writer = await asyncio.open_connection(sock=waiting)
        line = Line(reader, writer)
        line.say(HELLO)
        assert (await line.answer())[0] == 200
        writer.transport.abort()


async def test_a_stream_under_way_ends_and_its_connection_has_the_same_grace() -> None:
    go, begun = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if begun.is_set():
            await hello(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        begun.set()
        await go.wait()
        await send({"type": "http.response.body", "body": b"two", "more_body": False})

    async with serving(app, PATIENT) as served, served.line() as line:
        line.say(HELLO)
        assert b"connection: close" not in await line.until(b"one\r\n")
        stop = stopping(served)
        await refused(served)
        go.set()
        assert await line.until(b"0\r\n\r\n") == b"3\r\ntwo\r\n0\r\n\r\n"
        line.say(HELLO)
        status, headers, _ = await line.answer()
        assert (status, headers["connection"]) == (200, "close")
        await stop


async def test_a_request_that_comes_as_the_grace_ends_is_answered() -> None:
    async with watching() as one, talk(one.port) as line:
        line.send(request(b"/v1/x"))
        await line.answered(1)
        one.only.retire(0)
        # It lies in the socket, unread, when the sweep looks.
        line.send(request(b"/v1/x", b"late"))
        one.only.expired()
        _, late = await line.ended()
        assert (late.status, late.body, late.headers["connection"]) == (200, b"late", "close")


async def test_who_says_no_goodbye_over_tls_does_not_hold_it_up() -> None:
    certificate = certificate_if(secure=True)
    async with (
        serving(hello, Limits(grace_seconds=0.0), certificate=certificate) as served,
        served.line(trust_if(secure=True)) as line,
    ):
        line.say(HELLO)
        await line.answer()
        line.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
        async with asyncio.timeout(BOUND):
            await stopping(served)
        assert served.server.connections == 0


class Looks:
    """Counts how often the sweep has looked at what it watches."""

    deadline = 0.0

    def __init__(self) -> None:
        self.are_enough = asyncio.Event()
        self._left = 8

    def expired(self) -> None:
        self._left -= 1
        if not self._left:
            self.are_enough.set()


async def test_an_answer_that_is_taken_slowly_over_tls_is_whole() -> None:
    size = 8 << 20

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(size)})

    looks = Looks()
    async with (
        serving(app, certificate=certificate_if(secure=True)) as served,
        served.line(trust_if(secure=True)) as line,
    ):
        line.say(HELLO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        async with asyncio.timeout(60):
            await line.reader.readuntil(b"\r\n\r\n")
            sweep().watch(looks)
            await looks.are_enough.wait()
            sweep().forget(looks)
            assert len(await line.reader.readexactly(size)) == size
        assert await line.until_closed() == b""
