"""WebSockets of our own connections: handshakes, frames, limits and goodbyes."""

import asyncio
import logging

import pytest
from starlette.types import Message, Receive, Scope, Send
from websockets.frames import Opcode

from inferd.core.stopping import STOPPING
from inferd.http1.server.limits import Limits
from tests.http1.frames import Echo, frame, goodbye, handshake, shaken, text
from tests.http1.serving import BOUND, HELLO, serving, until

SHORT = Limits(message_bytes=1000, ping_seconds=0.2, write_seconds=0.5)
_MANY = 400
_MASK = b"\0\0\0\0"


@pytest.mark.parametrize(
    "asked",
    [
        handshake(key=b"short"),
        handshake(version=b"12"),
        handshake(b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="),
        handshake().replace(b"Sec-WebSocket-Version: 13\r\n", b""),
        handshake().replace(b"GET", b"POST"),
        handshake(b"Content-Length: 2") + b"hi",
        handshake(b"Transfer-Encoding: chunked"),
    ],
    ids=["short key", "old", "two keys", "no version", "POST", "a body", "chunks"],
)
async def test_what_is_no_handshake_is_refused_in_words(asked: bytes) -> None:
    async with serving(Echo()) as served, served.line() as line:
        line.say(asked)
        status, _, body = await line.answer()
    assert status in (400, 405)
    assert b"WebSocket" in body


async def test_messages_come_as_they_were_sent_however_they_are_cut() -> None:
    async with serving(Echo()) as served, shaken(served) as peer:
        said = (
            text("snö".encode())
            + frame(Opcode.BINARY, b"\x80\xff")
            + text(b"sn", fin=False)
            + frame(Opcode.PING, b"you?")
            + frame(Opcode.CONT, "ö".encode()[:1], fin=False)
            + frame(Opcode.CONT, "ö".encode()[1:])
        )
        for byte in said:
            peer.line.say(bytes([byte]))
            await peer.line.writer.drain()
        frames = [await peer.frame() for _ in range(4)]
        pongs = [bytes(each.data) for each in frames if each.opcode is Opcode.PONG]
        assert pongs == [b"you?"]
        messages = [bytes(each.data) for each in frames if each.opcode is not Opcode.PONG]
        assert messages == ["snö".encode(), b"\x80\xff", "snö".encode()]


async def test_what_comes_with_the_handshake_is_heard() -> None:
    async with serving(Echo()) as served, served.line() as line:
        line.say(handshake() + text(b"early"))
        head = await line.until(b"\r\n\r\n")
        assert b"x-own: yes\r\n" in head
        assert await line.until(b"early")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"\x82\xff" + (100 << 20).to_bytes(8) + _MASK + bytes(100), 1009),
        (b"\x81\xfe" + (1001).to_bytes(2) + _MASK, 1009),
        (text(bytes(600), fin=False) + frame(Opcode.CONT, bytes(401)), 1009),
        (text(b"", fin=False) + frame(Opcode.CONT, fin=False) * 2000, 1008),
        (text(b"\xff"), 1007),
        (text("ö".encode()[:1]), 1007),
        (frame(Opcode.TEXT, b"hi", mask=False), 1002),
        (frame(Opcode.CONT, b"of what?"), 1002),
        (text(b"a", fin=False) + text(b"b"), 1002),
        (frame(Opcode.TEXT).replace(b"\x81", b"\xc1"), 1002),
        (b"\x83\x80" + _MASK, 1002),
        (b"\x09\x80" + _MASK, 1002),
        (b"\x89\xfe" + (126).to_bytes(2) + _MASK + bytes(126), 1002),
        (b"\x88\x81" + _MASK + b"x", 1002),
    ],
    # Masks are made by chance, and the names of tests must not be.
    ids=[
        "100 MB",
        "too long",
        "too long in parts",
        "too many parts",
        "no UTF-8",
        "half a sign",
        "no mask",
        "no beginning",
        "no end",
        "an unknown bit",
        "an unknown frame",
        "a ping in parts",
        "a long ping",
        "half a code",
    ],
)
async def test_what_breaks_the_protocol_or_a_limit_ends_with_its_code(
    said: bytes, code: int
) -> None:
    echo = Echo()
    async with serving(echo, SHORT) as served, shaken(served) as peer:
        peer.line.say(said)
        assert (await peer.goodbye()).code == code
        assert (await echo.end())["code"] == code


async def test_a_frame_of_100_mb_is_refused_by_its_first_bytes() -> None:
    echo = Echo()
    async with serving(echo) as served, shaken(served) as peer:
        peer.line.say(b"\x82\xff" + (100 << 20).to_bytes(8) + _MASK)
        assert (await peer.goodbye()).code == 1009


async def test_a_client_that_says_goodbye_hears_it_back() -> None:
    echo = Echo()
    async with serving(echo) as served, shaken(served) as peer:
        peer.line.say(text(b"last"))
        assert await peer.message() == b"last"
        peer.line.say(goodbye(3001) + text(b"too late"))
        assert (await peer.goodbye()).code == 3001
        assert await echo.end() == {"type": "websocket.disconnect", "code": 3001, "reason": ""}
        with pytest.raises(EOFError):
            await peer.frame()
        await until(lambda: not served.server.connections)


@pytest.mark.parametrize("manner", ["half", "whole"])
async def test_a_client_that_leaves_without_a_word_is_told_of_as_1006(manner: str) -> None:
    echo = Echo()
    async with serving(echo) as served, shaken(served) as peer:
        peer.line.say(text(b"hi"))
        await peer.message()
        if manner == "half":
            peer.line.writer.write_eof()
        else:
            peer.line.writer.transport.abort()
        assert (await echo.end())["code"] == 1006
        await until(lambda: not served.server.connections)


async def test_an_application_says_goodbye() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept", "subprotocol": "b"})
        assert scope["subprotocols"] == ["a", "b"]
        await send({"type": "websocket.send", "text": "hi"})
        await send({"type": "websocket.close", "code": 4000, "reason": "ö" * 200})
        with pytest.raises(OSError, match="gone"):
            await send({"type": "websocket.send", "text": "late"})

    async with serving(app) as served, served.line() as line:
        line.say(handshake(b"Sec-WebSocket-Protocol: a, b"))
        assert b"sec-websocket-protocol: b\r\n" in await line.until(b"\r\n\r\n")
        assert (await line.until_closed()).startswith(b"\x81\x02hi\x88")


async def test_a_fault_of_the_application_is_logged_and_told_as_1011(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        raise ValueError("a bug of ours")

    async with serving(app) as served, shaken(served) as peer:
        told = await peer.goodbye()
        assert (told.code, "bug" in told.reason) == (1011, False)
        await until(lambda: "a bug of ours" in caplog.text)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ([{"type": "websocket.close"}], 403),
        (
            [
                {"type": "websocket.http.response.start", "status": 429, "headers": []},
                {"type": "websocket.http.response.body", "body": b"no"},
            ],
            429,
        ),
        ([], 500),
        ([{"type": "websocket.send", "text": "hi"}], 500),
        ([{"type": "http.response.start", "status": 200, "headers": []}], 500),
    ],
)
async def test_an_application_refuses_in_http(said: list[Message], status: int) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in said:
            await send(message)

    async with serving(app) as served, served.line() as line:
        line.say(handshake())
        assert (await line.answer())[0] == status


async def test_a_silent_client_is_asked_and_then_given_up() -> None:
    echo = Echo()
    async with serving(echo, SHORT) as served, shaken(served) as peer:
        assert (await peer.frame()).opcode is Opcode.PING
        peer.line.say(frame(Opcode.PONG))
        assert (await peer.frame()).opcode is Opcode.PING
        assert (await echo.end())["code"] == 1006
        with pytest.raises(EOFError):
            await peer.frame()


async def test_an_application_that_does_not_listen_holds_its_client_back() -> None:
    listens = asyncio.Event()
    heard = 0

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal heard
        await receive()
        await send({"type": "websocket.accept"})
        await listens.wait()
        while (await receive())["type"] == "websocket.receive":
            heard += 1

    async with serving(app) as served, shaken(served) as peer:
        for _ in range(_MANY):
            peer.line.say(frame(Opcode.BINARY, bytes(60_000)))
        [connection] = served.server._connections  # pyright: ignore[reportPrivateUsage]
        await until(lambda: not connection.is_reading)
        assert _waits(peer.line.writer)
        listens.set()
        await until(lambda: heard == _MANY)
        assert connection.is_reading


async def test_a_client_that_takes_nothing_is_cut_off() -> None:
    echo = Echo()
    async with serving(echo, Limits(write_seconds=0.3)) as served, shaken(served) as peer:
        # Its peer is a StreamWriter; what is under it can be told not to read.
        peer.line.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
        flood = frame(Opcode.PING, bytes(125)) * 1000
        while not echo.ends.qsize():
            peer.line.say(flood)
            await until(lambda: bool(echo.ends.qsize()) or not _waits(peer.line.writer))
        assert (await echo.end())["code"] == 1006


async def test_a_server_that_stops_lets_the_application_end_first(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[str] = []
    done = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert "inferd.retires" in scope["extensions"]
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})
        told.append(message["type"])
        await done.wait()
        await send({"type": "websocket.close", "code": 1001})

    async with serving(app) as served, shaken(served) as peer:
        stop = asyncio.get_running_loop().create_task(served.server.stop("enough", BOUND))
        await until(lambda: told == ["websocket.retire"])
        done.set()
        assert (await peer.goodbye()).code == 1001
        peer.line.writer.close()
        await stop
        assert not caplog.records


async def test_a_server_out_of_patience_says_goodbye_itself() -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.Event().wait()

    async with serving(app) as served, shaken(served) as peer:
        stop = asyncio.get_running_loop().create_task(served.server.stop(STOPPING, 0.0))
        told = await peer.goodbye()
        assert (told.code, told.reason) == (1001, STOPPING)
        peer.line.say(goodbye(1001))
        peer.line.writer.close()
        await stop


async def test_requests_before_a_websocket_share_its_connection() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"hello"})
        else:
            await Echo()(scope, receive, send)

    async with serving(app) as served, served.line() as line:
        line.say(HELLO + handshake() + text(b"hi"))
        assert (await line.answer())[2] == b"hello"
        assert (await line.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        assert await line.until(b"hi")


async def test_frames_are_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(Echo()) as served, shaken(served) as peer:
        peer.line.say(text(b"a person's words") + goodbye())
        await peer.goodbye()
    assert "words" not in "".join(
        record.getMessage() for record in caplog.records if "client" not in record.name
    )


def _waits(writer: asyncio.StreamWriter) -> bool:
    return writer.transport.get_write_buffer_size() > 1 << 20
