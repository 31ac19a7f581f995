"""Bodies on their way up: streamed, held back, cut short, answered early."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from inferd.core.errors import BackendFailed, BackendTimeout, InvalidRequest
from inferd.http1.client import Body, Client, Timeouts, parse_url
from tests.http1.upstream import BOUND, Received, Upstream, Wire, serve

PIECE = b"x" * (64 << 10)


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    async with asyncio.timeout(BOUND * 2):
        yield


class Source:
    """Pieces that say how far they were read, and that they were let go."""

    def __init__(self, count: int, *, error: BaseException | None = None, hangs: bool = False):
        self.count = count
        self.error = error
        self.hangs = hangs
        self.read = 0
        self.freed = asyncio.Event()

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            for number in range(self.count):
                self.read = number + 1
                yield PIECE
            if self.error is not None:
                raise self.error
            if self.hangs:
                await asyncio.Event().wait()
        finally:
            self.freed.set()


def client_of(upstream: Upstream, **times: float) -> Client:
    return Client("acme", parse_url(upstream.url), timeouts=Timeouts(**times))


async def size(wire: Wire, request: Received) -> None:
    await wire.answer(str(len(request.body)).encode())


@pytest.mark.parametrize("length", [None, 3 * len(PIECE)])
async def test_a_body_arrives_whole_and_the_connection_is_kept(length: int | None) -> None:
    async with serve(size) as upstream:
        client = client_of(upstream)
        for _ in range(2):
            body = Body(pieces=Source(3).pieces, size_bytes=length)
            response = await client.send("POST", "/", body=body)
            assert await response.read(100) == str(3 * len(PIECE)).encode()
            assert 0 <= response.sent_bytes - 3 * len(PIECE) < 200
            response.close()
        client.close()
    assert upstream.connections == 1
    framing = upstream.received[0].headers
    assert ("transfer-encoding" in framing) == (length is None)
    assert framing.get("content-length") == (None if length is None else str(length))


async def test_a_body_is_made_anew_for_a_stale_connection() -> None:
    async def stale(wire: Wire, request: Received) -> None:
        if request.path == "/again" and wire.number == 1:
            wire.cut()
        else:
            await wire.answer(str(len(request.body)).encode())

    async with serve(stale) as upstream:
        client = client_of(upstream)
        first = await client.send("GET", "/")
        await first.read(100)
        first.close()
        response = await client.send("POST", "/again", body=Body(pieces=Source(2).pieces))
        assert await response.read(100) == str(2 * len(PIECE)).encode()
        response.close()
        client.close()


async def test_an_answer_before_the_end_stops_the_upload() -> None:
    async def refuse(wire: Wire, request: Received) -> None:
        await wire.answer(b"too big", status=413)
        await wire.gone()

    source = Source(2, hangs=True)
    async with serve(refuse, reads_body=False) as upstream:
        client = client_of(upstream)
        response = await client.send("POST", "/", body=Body(pieces=source.pieces))
        assert (response.status, await response.read(100)) == (413, b"too big")
        assert source.freed.is_set()
        response.close()
        await upstream.until(lambda: upstream.open == 0)
        client.close()


async def test_an_upstream_that_reads_slowly_holds_the_source_back() -> None:
    go = asyncio.Event()

    async def slow(wire: Wire, request: Received) -> None:
        await go.wait()
        body = await wire.body(request)
        await wire.answer(str(len(body)).encode())

    source = Source(1000)
    held = 0
    async with serve(slow, reads_body=False) as upstream:
        client = client_of(upstream)
        body = Body(pieces=source.pieces)
        sending = asyncio.ensure_future(client.send("POST", "/", body=body))
        await upstream.until(lambda: len(upstream.received) == 1)
        # Reading on stops by itself: wait for two looks that see the same.
        while held != source.read or not held:
            held = source.read
            await asyncio.wait((sending,), timeout=0.05)
        assert held < source.count
        go.set()
        response = await sending
        assert await response.read(100) == str(1000 * len(PIECE)).encode()
        response.close()
        client.close()


async def test_an_upstream_that_never_reads_is_a_timeout() -> None:
    async def deaf(wire: Wire, request: Received) -> None:
        # Nobody reads on: the stream's own buffer fills, and then the sockets'.
        await stop.wait()

    stop = asyncio.Event()
    source = Source(1000)
    async with serve(deaf, reads_body=False) as upstream:
        client = client_of(upstream, idle=0.1)
        with pytest.raises(BackendTimeout):
            await client.send("POST", "/", body=Body(pieces=source.pieces))
        await source.freed.wait()
        stop.set()
        client.close()


async def test_a_caller_who_sends_slowly_is_not_the_upstreams_fault() -> None:
    gate = asyncio.Event()

    async def late() -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.wait((asyncio.ensure_future(gate.wait()),), timeout=0.3)
        yield b"two"

    async with serve(size) as upstream:
        client = client_of(upstream, head=0.1, idle=0.1)
        response = await client.send("POST", "/", body=Body(pieces=late), whole=0.2)
        assert await response.read(100) == b"6"
        response.close()
        gate.set()
        client.close()


@pytest.mark.parametrize(
    "error", [InvalidRequest("the caller broke off"), OSError("the disk is gone")]
)
async def test_a_body_that_cannot_be_read_ends_the_request(error: Exception) -> None:
    source = Source(1, error=error)
    async with serve(size) as upstream:
        client = client_of(upstream)
        with pytest.raises(type(error), match=str(error)):
            await client.send("POST", "/", body=Body(pieces=source.pieces))
        await upstream.until(lambda: upstream.connections == 1 and upstream.open == 0)
        client.close()
    assert upstream.received == []


@pytest.mark.parametrize("off_by", [-1, 1])
async def test_a_body_of_another_length_is_never_passed_off_as_whole(off_by: int) -> None:
    async with serve(size) as upstream:
        client = client_of(upstream, head=2.0)
        body = Body(pieces=Source(2).pieces, size_bytes=2 * len(PIECE) + off_by)
        with pytest.raises((InvalidRequest, BackendFailed)):
            await client.send("POST", "/", body=body)
        await upstream.until(lambda: upstream.connections == 1 and upstream.open == 0)
        client.close()
    assert upstream.received == []


async def test_cancelling_an_upload_frees_both_ends() -> None:
    source = Source(2, hangs=True)
    async with serve(size) as upstream:
        client = client_of(upstream)
        sending = asyncio.ensure_future(client.send("POST", "/", body=Body(pieces=source.pieces)))
        await upstream.until(lambda: upstream.open == 1)
        sending.cancel()
        await asyncio.wait((sending,))
        assert sending.cancelled()
        await source.freed.wait()
        await upstream.until(lambda: upstream.open == 0)
        client.close()


def test_the_pieces_are_lazy() -> None:
    source = Source(1)
    body: Callable[[], AsyncIterator[bytes]] = source.pieces
    Body(pieces=body)
    assert source.read == 0
