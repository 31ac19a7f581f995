"""Requests in turn on one connection: their bodies, and the ways of answering."""

import asyncio
import hashlib
from collections.abc import Callable

import pytest

from inferd.http1.server.connection import Connection
from inferd.http1.server.refusal import Refusal
from tests.http1.raw import BOUND, talk
from tests.http1.watching import Act, watching

BIG = bytes(range(256)) * 20_000
CLOSE = b"Connection: close\r\n"


def post(body: bytes, headers: bytes = b"", path: bytes = b"/v1/x") -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n"
    return head % (path, len(body), headers) + body


def get(path: bytes = b"/v1/x", headers: bytes = b"", method: bytes = b"GET") -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (method, path, headers)


def chunked(*pieces: bytes, headers: bytes = b"", path: bytes = b"/v1/x") -> bytes:
    lines = b"POST %b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n%b\r\n"
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return lines % (path, headers) + body + b"0\r\n\r\n"


async def test_requests_are_answered_in_turn() -> None:
    async with watching() as one, talk(one.port) as line:
        for number, body in enumerate((b"one", b"", b"three" * 1000), start=1):
            line.send(post(body, b"X-Request-Id: %d\r\n" % number))
            reply = (await line.answered(number))[-1]
            assert (reply.status, reply.id, reply.body) == (200, str(number), body)
        assert not line.is_closed


@pytest.mark.parametrize(
    "request_",
    [post(b"hello"), chunked(b"he", b"llo"), chunked(b"he", b"llo", headers=b"X: y\r\n")],
)
async def test_a_request_may_be_cut_anywhere(request_: bytes) -> None:
    async with watching() as one, talk(one.port) as line:
        for number, cut in enumerate(range(1, len(request_))):
            line.send(request_[:cut])
            await one.read(number * len(request_) + cut)
            line.send(request_[cut:])
            assert (await line.answered(number + 1))[-1].body == b"hello"


async def test_a_body_that_came_with_its_head_is_at_hand() -> None:
    bodies: list[bytes | None] = []

    async def look(connection: Connection) -> None:
        bodies.append(connection.body)
        assert [piece async for piece in connection.pieces()] == [b"hello"]
        connection.send(200, b"", await connection.read(5))

    async with watching({"/look": look}) as one, talk(one.port) as line:
        line.send(post(b"hello", path=b"/look") + chunked(b"he", b"llo", path=b"/look"))
        assert [each.body for each in await line.answered(2)] == [b"hello"] * 2
    assert bodies == [b"hello", b"hello"]


async def test_requests_that_come_while_one_is_answered_wait_their_turn() -> None:
    go = asyncio.Event()

    async def wait(connection: Connection) -> None:
        await go.wait()
        connection.send(200, b"", b"waited")

    many = [b"X-Request-Id: %d\r\nX-Fill: %b\r\n" % (each, b"." * 999) for each in range(300)]
    async with watching({"/wait": wait}) as one, talk(one.port) as line:
        line.send(get(b"/wait") + b"".join(post(b"hello", each) for each in many))
        await one.until(lambda: not one.only.is_reading)
        assert one.only.held_bytes <= (64 << 10) + (256 << 10)
        go.set()
        replies = await line.answered(301)
        assert [each.id for each in replies] == ["", *map(str, range(300))]
        assert not one.only.held_bytes
        assert one.only.is_reading


async def test_a_body_is_held_back_while_nobody_takes_it() -> None:
    go = asyncio.Event()
    hashed = hashlib.sha256()

    async def take(connection: Connection) -> None:
        await go.wait()
        async for piece in connection.pieces():
            hashed.update(piece)
        connection.send(200, b"", b"taken")

    async with watching({"/take": take}) as one, talk(one.port) as line:
        line.send(post(BIG, path=b"/take") + get())
        await one.until(lambda: not one.only.is_reading)
        assert (256 << 10) < one.only.buffered_bytes <= (256 << 10) + (256 << 10)
        go.set()
        assert [each.body for each in await line.answered(2)] == [b"taken", b""]
    assert hashed.digest() == hashlib.sha256(BIG).digest()


@pytest.mark.parametrize("data", [post(BIG), chunked(BIG[:70_000], BIG)])
async def test_a_body_that_is_too_long_is_refused_and_the_client_learns_it(data: bytes) -> None:
    async def short(connection: Connection) -> None:
        connection.send(200, b"", await connection.read(100_000))

    async with watching({"/short": short}) as one, talk(one.port) as line:
        line.send(data.replace(b"/v1/x", b"/short", 1))
        (reply,) = await line.ended()
        assert (reply.status, reply.is_whole) == (413, True)
        assert reply.headers["connection"] == "close"
        assert b'"kind":"payload_too_large"' in reply.body
        assert one.faults == []


async def ignore(connection: Connection) -> None:
    connection.send(200, b"", b"ignored")


@pytest.mark.parametrize("form", [post, chunked])
async def test_a_short_body_that_nobody_wants_is_read_away(form: Callable[[bytes], bytes]) -> None:
    data = form(b"." * 100_000).replace(b"/v1/x", b"/ignore", 1)
    async with watching({"/ignore": ignore}) as one, talk(one.port) as line:
        line.send(data[:200])
        await line.answered(1)
        line.send(data[200:] + get())
        assert [each.body for each in await line.answered(2)] == [b"ignored", b""]


@pytest.mark.parametrize("form", [post, chunked])
async def test_a_long_body_that_nobody_wants_ends_the_connection(
    form: Callable[[bytes], bytes],
) -> None:
    async with watching({"/ignore": ignore}) as one, talk(one.port) as line:
        line.send(form(BIG).replace(b"/v1/x", b"/ignore", 1) + get())
        (reply,) = await line.ended()
        assert (reply.body, reply.is_whole) == (b"ignored", True)


async def test_a_client_is_told_to_go_on_when_its_body_is_wanted() -> None:
    expects = b"Expect: 100-continue\r\n"
    async with watching({"/ignore": ignore}) as one, talk(one.port) as line:
        data = post(b"hello", expects)
        line.send(data[:-5])
        await line.until(lambda: bool(line.came))
        assert line.came == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.send(data[-5:])
        assert (await line.answered(1))[0].body == b"hello"

        line.came.clear()
        line.send(data)
        await line.answered(1)
        assert b"100 Continue" not in line.came

        line.came.clear()
        line.send(post(b"hello", expects, b"/ignore")[:-5])
        (reply,) = await line.ended()
        assert (reply.body, reply.headers["connection"]) == (b"ignored", "close")
        assert b"100 Continue" not in line.came


@pytest.mark.parametrize(
    ("data", "ends"),
    [
        (get(), False),
        (get(headers=CLOSE), True),
        (get().replace(b"1.1", b"1.0"), True),
        (get(headers=b"Connection: keep-alive\r\n").replace(b"1.1", b"1.0"), True),
    ],
)
async def test_a_connection_is_kept_as_its_client_wants(data: bytes, ends: bool) -> None:
    async with watching() as one, talk(one.port) as line:
        line.send(data)
        (reply,) = await (line.ended() if ends else line.answered(1))
        assert reply.status == 200
        assert reply.headers.get("connection") == ("close" if ends else None)


async def stream(connection: Connection) -> None:
    connection.start(200, b"x-a: b\r\n")
    for piece in (b"one ", b"", b"two"):
        connection.write(piece)
    connection.end()


async def counted(connection: Connection) -> None:
    connection.start(200, b"", 7)
    connection.write(b"one ")
    connection.write(b"two")
    connection.end()


async def empty(connection: Connection) -> None:
    connection.send(204, b"", b"")


async def not_modified(connection: Connection) -> None:
    connection.start(304, b"etag: x\r\n")
    connection.end()


ACTS = {"/stream": stream, "/counted": counted, "/empty": empty, "/304": not_modified}


@pytest.mark.parametrize(
    ("data", "framing", "body"),
    [
        (get(b"/stream"), {"transfer-encoding": "chunked"}, b"one two"),
        (
            get(b"/stream", CLOSE),
            {"transfer-encoding": "chunked", "connection": "close"},
            b"one two",
        ),
        (get(b"/stream").replace(b"1.1", b"1.0"), {"connection": "close"}, b"one two"),
        (get(b"/counted"), {"content-length": "7"}, b"one two"),
        (get(b"/empty"), {}, b""),
        (get(b"/304"), {}, b""),
    ],
)
async def test_how_a_response_is_framed(data: bytes, framing: dict[str, str], body: bytes) -> None:
    async with watching(ACTS) as one, talk(one.port) as line:
        line.send(data)
        await line.answered(1)
        if "connection" in framing:
            await line.ended()
        (reply,) = line.replies()
        said = {name: value for name, value in reply.headers.items() if name in FRAMING}
        assert (said, reply.body, reply.is_whole) == (framing, body, True)


FRAMING = frozenset({"transfer-encoding", "content-length", "connection"})


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (b"/stream", b"x-a: b\r\n"),
        (b"/counted", b"content-length: 7\r\n"),
        (b"/v1/x", b"content-length: 0\r\n"),
    ],
)
async def test_a_head_request_is_answered_without_a_body(path: bytes, line: bytes) -> None:
    async with watching(ACTS) as one, talk(one.port) as each:
        each.send(get(path, method=b"HEAD") + get(b"/empty", CLOSE))
        await each.until(lambda: False)
        first, second, rest = bytes(each.came).split(b"\r\n\r\n")
        assert line in first + b"\r\n"
        assert second.startswith(b"HTTP/1.1 204 No Content\r\n")
        assert rest == b""


async def fall(connection: Connection) -> None:
    raise KeyError("secret")


async def fall_within(connection: Connection) -> None:
    connection.start(200, b"")
    connection.write(b"one ")
    raise KeyError("secret")


async def forget(connection: Connection) -> None:
    pass


async def forget_the_end(connection: Connection) -> None:
    connection.start(200, b"")
    connection.write(b"one ")


async def send_twice(connection: Connection) -> None:
    connection.send(200, b"", b"one")
    connection.send(200, b"", b"two")


async def too_little(connection: Connection) -> None:
    connection.start(200, b"", 5)
    connection.write(b"one ")
    connection.end()


async def too_much(connection: Connection) -> None:
    connection.start(200, b"", 3)
    connection.write(b"one ")


async def refuse(connection: Connection) -> None:
    raise Refusal(418, "no", "bring a cup")


async def refuse_within(connection: Connection) -> None:
    connection.start(200, b"")
    raise Refusal(418, "no", "bring a cup")


@pytest.mark.parametrize(
    ("act", "statuses", "is_whole", "faults"),
    [
        (fall, [500], True, 1),
        (fall_within, [200], False, 1),
        (forget, [], True, 0),
        (forget_the_end, [200], False, 0),
        (send_twice, [200], True, 1),
        (too_little, [200], False, 0),
        (too_much, [200], False, 1),
        (refuse, [418], True, 0),
        (refuse_within, [200], False, 0),
    ],
)
async def test_a_handler_that_fails_is_seen_to(
    act: Act, statuses: list[int], is_whole: bool, faults: int
) -> None:
    async with watching({"/act": act}) as one, talk(one.port) as line:
        line.send(get(b"/act") + get())
        replies = await line.ended()
        assert [each.status for each in replies] == statuses
        assert all(each.is_whole for each in replies) is is_whole
        assert len(one.faults) == faults
        assert b"secret" not in line.came
        await one.until(lambda: not one.open)


async def test_what_is_refused_says_why_and_ends() -> None:
    async with watching() as one, talk(one.port) as line:
        line.send(get(headers=b"Host: b\r\n"))
        (reply,) = await line.ended()
        assert reply.status == 400
        assert reply.headers["content-type"] == "application/json"
        for word in (b'"reason":', b'"hint":', b'"kind":"invalid_request"', reply.id.encode()):
            assert word in reply.body


class Source:
    def __init__(self) -> None:
        self.told: list[str] = []

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")


async def test_a_slow_client_holds_who_writes_to_it() -> None:
    source = Source()
    is_full = asyncio.Event()

    async def pour(connection: Connection) -> None:
        connection.start(200, b"")
        connection.feed(source)
        while not one.only.is_full:
            connection.write(BIG[:50_000])
        is_full.set()
        await connection.drained()
        late = Source()
        connection.feed(late)
        assert late.told == []
        connection.end()

    async with watching({"/pour": pour}) as one, talk(one.port) as line:
        line.transport.pause_reading()
        line.send(get(b"/pour"))
        async with asyncio.timeout(BOUND):
            await is_full.wait()
        assert source.told == ["pause"]
        line.transport.resume_reading()
        (reply,) = await line.answered(1)
        assert reply.is_whole
        assert source.told == ["pause", "resume"]
    assert one.faults == []


async def test_the_next_request_waits_for_a_client_that_does_not_read() -> None:
    served: list[str] = []

    async def long(connection: Connection) -> None:
        served.append(connection.head.path)
        connection.send(200, b"", BIG)

    async with watching({"/a": long, "/b": long}) as one, talk(one.port) as line:
        line.transport.pause_reading()
        line.send(get(b"/a") + get(b"/b"))
        await one.until(lambda: one.only.is_full and not one.only.is_busy)
        assert served == ["/a"]
        line.transport.resume_reading()
        assert [each.body == BIG for each in await line.answered(2)] == [True, True]
        assert served == ["/a", "/b"]
