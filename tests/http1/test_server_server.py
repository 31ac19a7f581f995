"""Who may come in, and how a server ends."""

import asyncio
import socket
import ssl
from contextlib import AsyncExitStack

import pytest
from starlette.types import Receive, Scope, Send

from inferd.http1.server.asgi import AsgiHandler
from inferd.http1.server.head import Head
from inferd.http1.server.limits import Limits
from inferd.http1.server.owner import Handler, Peer
from inferd.http1.server.refusal import Refusal
from inferd.http1.server.server import Server
from inferd.http1.server.tls import Certificate
from tests.http1.serving import BOUND, HELLO, Line, Served, hello, serving, until
from tests.http1.upstream import CERTS

STOPPING = "the house is closing"


class Slow:
    """An application that answers when told to, and takes note of how it was stopped."""

    def __init__(self, first: bytes = b"") -> None:
        self.began = asyncio.Event()
        self.go = asyncio.Event()
        self.stopped: list[str] = []
        self.first = first
        self.last_words = b""
        self.is_stubborn = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if self.first:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": self.first, "more_body": True})
        self.began.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError as error:
            self.stopped.append(str(error))
            task = asyncio.current_task()
            assert task is not None
            if self.is_stubborn:
                await asyncio.Event().wait()
            if not self.last_words:
                raise
            task.uncancel()
            if not self.first:
                await send({"type": "http.response.start", "status": 503, "headers": []})
            more = bool(self.first)
            await send({"type": "http.response.body", "body": self.last_words, "more_body": more})
            return
        if self.first:
            await send({"type": "http.response.body", "body": b"done", "more_body": False})
        else:
            await hello(scope, receive, send)


async def stop(served: Served, *, drain: float) -> None:
    async with asyncio.timeout(BOUND):
        await served.server.stop(STOPPING, drain)


def pushed_away(answer: bytes) -> bool:
    return not answer or (answer.startswith(b"HTTP/1.1 503 ") and b"too many connections" in answer)


# --- caps ---


async def test_one_connection_too_many_is_told_so_and_the_next_finds_room() -> None:
    async with serving(hello, Limits(connections=2)) as served:
        async with served.line() as one, served.line() as two:
            for line in (one, two):
                line.say(HELLO)
                await line.answer()
            async with served.line() as three:
                answer = await three.until_closed()
                assert answer.startswith(b"HTTP/1.1 503 ")
                assert b"retry-after: 1" in answer
            one.say(HELLO)
            assert (await one.answer())[0] == 200
        await until(lambda: served.server.connections == 0)
        async with served.line() as line:
            line.say(HELLO)
            assert (await line.answer())[0] == 200


async def test_over_loopback_an_address_has_no_cap_unless_one_is_set() -> None:
    async with (
        serving(hello, Limits(connections_per_address=1)) as served,
        served.line() as one,
        served.line() as two,
    ):
        one.say(HELLO)
        assert (await one.answer())[0] == 200
        assert pushed_away(await two.until_closed())
    async with serving(hello, Limits(connections=0)) as served, AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(served.line()) for _ in range(300)]
        for line in lines:
            line.say(HELLO)
        assert all([(await line.answer())[0] == 200 for line in lines])


async def test_a_trusted_proxy_stands_for_many() -> None:
    limits = Limits(connections_per_address=1)
    async with (
        serving(hello, limits, is_proxy=lambda address: address == "127.0.0.1") as served,
        served.line() as one,
        served.line() as two,
    ):
        for line in (one, two):
            line.say(HELLO)
            assert (await line.answer())[0] == 200


# --- the end ---


async def test_idle_connections_close_after_a_grace_and_nobody_comes_in() -> None:
    async with serving(hello) as served, served.line() as used, served.line() as fresh:
        used.say(HELLO)
        await used.answer()
        await until(lambda: served.server.connections == 2)
        port = served.port
        await stop(served, drain=60)
        assert await used.until_closed() == b""
        assert await fresh.until_closed() == b""
        assert served.server.connections == 0
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_request_may_end_in_time_and_its_connection_with_it() -> None:
    app = Slow()
    async with serving(app) as served, served.line() as line:
        line.say(HELLO + HELLO)
        await app.began.wait()
        stopping = asyncio.get_running_loop().create_task(stop(served, drain=60))
        app.go.set()
        await stopping
        answer = await line.until_closed()
        assert answer.count(b"HTTP/1.1 200") == 1
        assert b"hello" in answer
    assert app.stopped == []


@pytest.mark.parametrize("first", [b"", b"half"])
async def test_who_takes_too_long_has_a_last_word(first: bytes) -> None:
    app = Slow(first)
    app.last_words = b"sorry"
    async with serving(app) as served, served.line() as line:
        line.say(HELLO)
        await app.began.wait()
        await stop(served, drain=0.05)
        answer = await line.until_closed()
    assert app.stopped == [STOPPING]
    assert b"sorry" in answer
    assert answer.startswith(b"HTTP/1.1 200" if first else b"HTTP/1.1 503")
    if first:
        assert not answer.endswith(b"0\r\n\r\n")


async def test_who_does_not_let_go_is_cut_off() -> None:
    app = Slow(b"half")
    app.is_stubborn = True
    async with serving(app, Limits(last_words_seconds=0.1)) as served, served.line() as line:
        line.say(HELLO)
        await app.began.wait()
        await stop(served, drain=0.05)
        assert not (await line.until_closed()).endswith(b"0\r\n\r\n")
        assert served.server.connections == 0
    assert app.stopped


async def test_it_has_not_ended_before_its_handlers_have() -> None:
    ended = asyncio.Event()
    first = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        first.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(20):
                await asyncio.get_running_loop().run_in_executor(None, list)
            ended.set()

    async with serving(app) as served:
        async with served.line() as line:
            line.say(HELLO)
            async with asyncio.timeout(BOUND):
                await first.wait()
        await stop(served, drain=60)
        assert ended.is_set()


async def test_told_to_hurry_it_waits_no_longer() -> None:
    app = Slow()
    app.last_words = b"sorry"
    async with serving(app) as served, served.line() as line:
        line.say(HELLO)
        await app.began.wait()
        stopping = asyncio.get_running_loop().create_task(stop(served, drain=3600))
        await asyncio.get_running_loop().run_in_executor(None, list)
        assert not stopping.done()
        served.server.hurry()
        await stopping
        assert b"sorry" in await line.until_closed()


async def test_who_comes_over_tls_as_it_stops_keeps_neither_place_nor_socket() -> None:
    stopping: list[asyncio.Task[None]] = []

    def stop_now(_address: str) -> bool:
        # It is asked as a connection is accepted: the end begins before the handshake does.
        loop = asyncio.get_running_loop()
        stopping.append(loop.create_task(served.server.stop(STOPPING, 3600)))
        return False

    certificate = Certificate(CERTS / "server.pem")
    async with (
        serving(hello, certificate=certificate, is_proxy=stop_now) as served,
        served.line() as line,
    ):
        assert await line.until_closed() == b""
        async with asyncio.timeout(BOUND):
            await stopping[0]
        assert served.server.connections == 0


@pytest.mark.parametrize("loop_factory", [None, asyncio.SelectorEventLoop])
def test_whoever_cannot_be_taken_in_keeps_neither_place_nor_socket(
    loop_factory: type[asyncio.SelectorEventLoop] | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        certificate = Certificate(CERTS / "server.pem")
        certificate.context = None  # pyright: ignore[reportAttributeAccessIssue]
        async with serving(hello, certificate=certificate) as served, served.line() as line:
            line.say(b"\x16")
            assert await line.until_closed() == b""
            assert served.server.connections == 0

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert "couldn't be taken in" in caplog.text


# --- faults ---


async def test_a_router_s_fault_is_told_and_logged_by_one_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def route(head: Head, _peer: Peer) -> Handler:
        if head.path == "/hello":
            return AsgiHandler(hello)
        raise ValueError("the router's fault")

    server = Server(route)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.listen(listener)
        served = Served(server, listener)
        for before in (b"", HELLO):
            caplog.clear()
            async with served.line() as line:
                line.say(before + b"GET /faulty?secret HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if before:
                    await line.answer()
                status, headers, body = await line.answer()
            assert status == 500
            [record] = caplog.records
            assert record.getMessage().startswith(f"{headers['x-request-id']}: ")
            assert "GET /faulty" in record.getMessage()
            assert "secret" not in record.getMessage()
            assert headers["x-request-id"].encode() in body
        await server.stop(STOPPING, 0)


async def test_what_the_server_refuses_is_told_with_its_id() -> None:
    noted: list[tuple[str, str, int]] = []

    async def reads(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()

    def note(request_id: str, head: Head | None, _peer: Peer, refusal: Refusal) -> None:
        noted.append((request_id, "-" if head is None else head.path, refusal.status))

    handler = AsgiHandler(reads)
    server = Server(lambda _head, _peer: handler, note=note)
    listener = socket.create_server(("127.0.0.1", 0))
    server.listen(listener)
    for data, path, expected in [
        (b"GET / HTTP/9.9\r\n\r\n", "-", 505),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nno\r\n", "/", 400),
    ]:
        async with Served(server, listener).line() as line:
            line.say(data)
            status, headers, _ = await line.answer()
        assert status == expected
        assert noted.pop() == (headers["x-request-id"], path, expected)
    await server.stop(STOPPING, 0)
    assert noted == []


POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
STATES = {
    "nothing sent": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost: lo",
    "half a body": POST + b"Content-Length: 10\r\n\r\nabc",
    "half a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    "between requests": HELLO,
    "two requests": HELLO + HELLO,
    "refused": b"GET / HTTP/9.9\r\n\r\n",
}


@pytest.mark.parametrize("state", STATES)
async def test_it_ends_whatever_state_a_connection_is_in(state: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await hello(scope, receive, send)

    async with serving(app) as served, served.line() as line:
        line.say(STATES[state])
        await until(lambda: served.server.connections == 1)
        await stop(served, drain=0.05)
        assert served.server.connections == 0
        await line.until_closed()


async def test_a_reader_that_does_not_read_delays_the_end_no_longer_than_its_last_words() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})

    limits = Limits(last_words_seconds=0.1)
    async with serving(app, limits) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
        writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
        line = Line(reader, writer)
        line.say(HELLO)
        await until(lambda: served.server.connections == 1)
        await stop(served, drain=0.05)
        assert served.server.connections == 0
        writer.transport.abort()


async def test_a_server_without_connections_stops_at_once() -> None:
    async with serving(hello) as served:
        await stop(served, drain=3600)
        await stop(served, drain=3600)


def test_a_server_belongs_to_a_running_loop() -> None:
    with pytest.raises(RuntimeError):
        Server(lambda _head, _peer: pytest.fail("never asked"))


@pytest.mark.parametrize("is_secure", [False, True])
def test_it_runs_on_asyncios_own_loop_too(*, is_secure: bool) -> None:
    certificate = Certificate(CERTS / "server.pem") if is_secure else None
    trusted = ssl.create_default_context(cafile=CERTS / "ca.pem") if is_secure else None

    async def main() -> None:
        slow = Slow(b"half")
        slow.last_words = b"sorry"
        async with (
            serving(slow, certificate=certificate) as served,
            served.line(trusted) as line,
            served.line(trusted) as leaving,
        ):
            for each in (line, leaving):
                each.say(HELLO)
                assert await each.until(b"half\r\n")
            leaving.writer.transport.abort()
            await until(lambda: len(slow.stopped) == 1)
            await stop(served, drain=0.05)
            assert b"sorry" in await line.until_closed()
        async with serving(hello, certificate=certificate) as served, served.line(trusted) as line:
            for _ in range(3):
                line.say(HELLO)
                assert (await line.answer())[2] == b"hello"
            line.say(b"GET / HTTP/9.9\r\n\r\n")
            assert (await line.answer())[0] == 505

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(main())
