"""What an upstream may answer, in whatever pieces, and what it may not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferd.core.errors import BackendFailed, NodeError
from inferd.http1.client import Client, Response, parse_url
from inferd.http1.client.connection import Connection
from inferd.http1.client.heads import Head, LastHead
from tests.http1.upstream import BOUND, Received, Wire, serve


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    async with asyncio.timeout(BOUND * 2):
        yield


async def answer_to(data: bytes, *, method: str = "GET", closes: bool = True) -> tuple[int, bytes]:
    """Return the status and body that a client reads when the upstream says `data`."""

    async def say(wire: Wire, request: Received) -> None:
        await wire.send(data)
        if closes:
            wire.finish()
        await wire.gone()

    async with serve(say) as upstream:
        client = Client("acme", parse_url(upstream.url))
        try:
            response = await client.send(method, "/")
            body = await response.read(1 << 20)
            response.close()
            return response.status, body
        finally:
            client.close()


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

GOOD = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "chunks": CHUNKED + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
    "trailers": CHUNKED + b"5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n",
    "until it closes": b"HTTP/1.1 200 OK\r\n\r\nhello",
    "1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "100 first": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "103 first": b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("name", GOOD)
async def test_every_way_to_frame_a_body_is_read(name: str) -> None:
    assert await answer_to(GOOD[name]) == (200, b"hello")


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]
)
async def test_no_body_is_an_empty_one(data: bytes) -> None:
    assert (await answer_to(data, closes=False))[1] == b""


async def test_an_answer_to_head_has_no_body_whatever_its_length_says() -> None:
    data = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
    assert await answer_to(data, method="HEAD", closes=False) == (200, b"")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
        CHUNKED + b"9\r\nhello",
        CHUNKED + b"5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"",
    ],
)
async def test_a_body_cut_short_is_a_failure(data: bytes) -> None:
    with pytest.raises(BackendFailed, match="broke off"):
        await answer_to(data)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.7\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/2.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/0.9 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nhello",
        CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\n bad: 1\r\n\r\n",
    ],
)
async def test_garbage_is_a_failure(data: bytes) -> None:
    with pytest.raises(BackendFailed):
        await answer_to(data)


@pytest.mark.parametrize(
    "headers", [b"x: y\r\n" * 300, b"x: " + b"y" * (70 << 10) + b"\r\n", b"x" * (70 << 10) + b": 1"]
)
async def test_headers_without_end_are_refused(headers: bytes) -> None:
    with pytest.raises(BackendFailed, match="too many headers"):
        await answer_to(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n", closes=False)


async def test_a_body_longer_than_allowed_is_refused() -> None:
    async def pour(wire: Wire, request: Received) -> None:
        await wire.begin()
        await wire.chunk(b"x" * 1000)
        await wire.gone()

    async with serve(pour) as upstream:
        client = Client("acme", parse_url(upstream.url))
        response = await client.send("GET", "/")
        with pytest.raises(BackendFailed, match="longer than"):
            await response.read(999)
        response.close()
        await upstream.until(lambda: upstream.open == 0)
        client.close()


class _Owner:
    name = "acme"
    kept_seconds = BOUND

    def __init__(self) -> None:
        self.last_head = LastHead()

    def give_back(self, connection: Connection) -> None: ...
    def gone(self, connection: Connection) -> None: ...


class _Pipe(asyncio.Transport):
    """A transport that goes nowhere."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...
    def abort(self) -> None: ...
    def is_closing(self) -> bool:
        return False


async def _fed(
    pieces: list[bytes], owner: _Owner | None = None
) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes]:
    connection = Connection(owner or _Owner())
    connection.connection_made(_Pipe())
    connection.begin(b"", BOUND, BOUND)
    try:
        for piece in pieces:
            connection.data_received(piece)
        connection.connection_lost(None)
        await connection.head()
        response = Response(connection)
        return response.status, response.headers, await response.read(1 << 20)
    finally:
        connection.close()


def _split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[start:stop] for start, stop in pairwise(places)]
    return [piece for piece in pieces if piece]


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(GOOD)), cuts=st.lists(st.integers(0, 200), max_size=12))
def test_any_split_of_an_answer_reads_the_same(name: str, cuts: list[int]) -> None:
    async def run() -> None:
        data = GOOD[name]
        assert await _fed(_split(data, cuts)) == await _fed([data])

    asyncio.run(run())


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=80), cuts=st.lists(st.integers(0, 80), max_size=4))
def test_no_answer_raises_anything_but_a_node_error(data: bytes, cuts: list[int]) -> None:
    async def run() -> None:
        with suppress(NodeError):
            await _fed(_split(b"HTTP/1.1 200 OK\r\n" + data, cuts))

    asyncio.run(run())


LENGTHS = st.sampled_from([b"5", b"6", b"05", b"+5", b" 5", b"5 ", b"-1", b"", b"99", b"5" * 30])


@settings(max_examples=400, deadline=None)
@given(
    before=st.sampled_from([b"", b"Date: x\r\n", b"X-Length: 5\r\n", b"Connection: close\r\n"]),
    lengths=st.lists(LENGTHS, min_size=2, max_size=2),
    name=st.sampled_from([b"content-length", b"Content-Length", b"x-content-length"]),
    after=st.sampled_from(
        [b"", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"a: b\r\n"]
    ),
    body=st.sampled_from([b"hello", b"hello!", b"5\r\nhello\r\n0\r\n\r\n"]),
)
def test_a_head_that_came_before_changes_nothing(
    before: bytes, lengths: list[bytes], name: bytes, after: bytes, body: bytes
) -> None:
    async def run() -> None:
        owner = _Owner()
        for length in lengths:
            data = b"HTTP/1.1 200 OK\r\n%b%b: %b\r\n%b\r\n%b" % (before, name, length, after, body)
            assert await _outcome(data, owner) == await _outcome(data, _Owner())

    asyncio.run(run())


async def _outcome(data: bytes, owner: _Owner) -> object:
    try:
        status, headers, body = await _fed([data], owner)
    except NodeError as error:
        return str(error)
    return status, [each for each in headers if each[0] != b"content-length"], body


def test_a_head_that_came_before_is_found_with_another_length() -> None:
    last = LastHead()
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\na: b\r\n\r\nhello"
    last.keep(said, Head(200, (), is_reusable=True))
    again = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\na: b\r\n\r\n%b"
    found = last.find(again % (11, b"hello again"))
    assert found is not None
    assert found[1] == b"hello again"
    assert last.find(again % (11, b"hello")) is None
    assert last.find(again % (5, b"hello again")) is None
    assert last.find((again % (5, b"hello")).replace(b"a: b", b"a: c")) is None


def test_an_upstream_whose_heads_all_differ_is_left_alone() -> None:
    last = LastHead()
    said = b"HTTP/1.1 200 OK\r\nx: %d\r\ncontent-length: 2\r\n\r\nok"
    for number in range(1000):
        assert last.find(said % number) is None
        last.keep(said % number, Head(200, (), is_reusable=True))
    assert last.find(said % 999) is None


def test_a_head_found_again_is_framed() -> None:
    last = LastHead()
    said = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    last.keep(said, Head(200, ((b"content-length", b"2"),), is_reusable=True))
    found = last.find(said)
    assert found is not None
    head, body = found
    assert (head.headers, head.is_framed, body) == ((), True, b"ok")


async def test_only_what_describes_the_body_is_passed_on() -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"2"),
        (b"connection", b"keep-alive, x-hop"),
        (b"x-hop", b"1"),
        (b"set-cookie", b"a=b"),
        (b"access-control-allow-origin", b"*"),
        (b"cache-control", b"public"),
        (b"location", b"http://10.0.0.7/inside"),
        (b"authorization", b"Bearer ours"),
        (b"x-inference-node", b"n"),
        (b"x-request-id", b"theirs"),
        (b"x-powered-by", b"x"),
        (b"x-litellm-model-api-base", b"http://10.0.0.7"),
        (b"x-ratelimit-remaining-requests", b"7"),
        (b"openai-organization", b"acme-inc"),
        (b"openai-processing-ms", b"7"),
        (b"content-encoding", b"gzip"),
        (b"content-disposition", b"inline"),
        (b"content-language", b"en"),
    ]
    lines = b"".join(b"%b: %b\r\n" % (name.title(), value) for name, value in headers)

    async def say(wire: Wire, request: Received) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\nok")

    async with serve(say) as upstream:
        client = Client("acme", parse_url(upstream.url))
        for _ in range(2):
            response = await client.send("GET", "/")
            assert response.block == (
                b"content-type: application/json\r\ncontent-encoding: gzip\r\n"
                b"content-disposition: inline\r\ncontent-language: en\r\n"
            )
            assert await response.read(9) == b"ok"
            response.close()
        client.close()
    assert upstream.connections == 1
