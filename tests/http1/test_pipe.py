"""Answers that pour into a sink: in order, held while it is full, and never a false end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from inferd.core.answer import Source
from inferd.core.errors import BackendFailed, BackendTimeout, BackendUnavailable
from inferd.http1.client import Client, Response, Timeouts, parse_url
from tests.http1.upstream import BOUND, Received, Upstream, Wire, serve

TINY = 0.1


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    async with asyncio.timeout(BOUND * 2):
        yield


class Sink:
    """Takes pieces; full after `most` bytes, until it is emptied."""

    def __init__(self, most: int = 1 << 30, error: Exception | None = None) -> None:
        self.most = most
        self.error = error
        self.pieces: list[bytes] = []
        self.size = 0
        self.source: Source | None = None
        self.fed: list[bool] = []
        self.came = asyncio.Event()

    def write(self, data: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.pieces.append(data)
        self.size += len(data)
        self.came.set()
        if self.size > self.most and self.source is not None:
            self.source.pause_reading()

    def feed(self, source: Source | None) -> None:
        self.source = source
        self.fed.append(source is not None)

    async def drained(self) -> None:
        raise AssertionError("nobody waits here")

    def empty(self) -> None:
        self.most = 1 << 30
        assert self.source is not None
        self.source.resume_reading()


def client_of(upstream: Upstream, **times: float) -> Client:
    return Client("acme", parse_url(upstream.url), timeouts=Timeouts(**times))


async def three(wire: Wire, request: Received) -> None:
    await wire.begin()
    for piece in (b"one ", b"two ", b"three"):
        await wire.chunk(piece)
    await wire.end()


async def test_everything_arrives_once_and_the_connection_is_kept() -> None:
    async with serve(three) as upstream:
        client = client_of(upstream)
        for _ in range(2):
            sink = Sink()
            response = await client.send("GET", "/")
            await response.pipe(sink)
            response.close()
            assert b"".join(sink.pieces) == b"one two three"
            assert sink.fed == [True, False]
        client.close()
    assert upstream.connections == 1


async def test_what_was_read_before_goes_first() -> None:
    go = asyncio.Event()

    async def slow(wire: Wire, request: Received) -> None:
        await wire.begin()
        await wire.chunk(b"one ")
        await go.wait()
        await wire.chunk(b"two")
        await wire.end()

    async with serve(slow) as upstream:
        client = client_of(upstream)
        response = await client.send("GET", "/")
        sink = Sink()
        piping = asyncio.ensure_future(response.pipe(sink))
        await sink.came.wait()
        assert sink.pieces == [b"one "]
        go.set()
        await piping
        assert sink.pieces == [b"one ", b"two"]
        response.close()
        client.close()


async def test_each_piece_is_mended_and_an_empty_one_is_not_written() -> None:
    async with serve(three) as upstream:
        client = client_of(upstream)
        response = await client.send("GET", "/")
        sink = Sink()
        await response.pipe(sink, lambda piece: piece.replace(b"one ", b"").upper())
        response.close()
        assert b"".join(sink.pieces) == b"TWO THREE"
        assert all(sink.pieces)
        client.close()


async def test_a_full_sink_holds_the_upstream_back_and_is_not_its_fault() -> None:
    blocked = asyncio.Event()

    async def pour(wire: Wire, request: Received) -> None:
        wire.writer.transport.set_write_buffer_limits(high=1 << 16)
        await wire.begin()
        for _ in range(600):
            drain = asyncio.ensure_future(wire.chunk(b"x" * (64 << 10)))
            done, _ = await asyncio.wait((drain,), timeout=TINY * 3)
            if not done:
                blocked.set()
                await drain
        blocked.set()
        await wire.end()

    async with serve(pour) as upstream:
        client = client_of(upstream, idle=TINY)
        response = await client.send("GET", "/")
        sink = Sink(most=1 << 20)
        piping = asyncio.ensure_future(response.pipe(sink))
        await blocked.wait()
        # One read more at most than what filled it.
        assert sink.size < 2 << 20
        sink.empty()
        await piping
        response.close()
        assert sink.size == 600 * (64 << 10)
        client.close()


async def test_a_stream_that_breaks_off_is_a_failure_after_what_came() -> None:
    async def cut(wire: Wire, request: Received) -> None:
        await wire.begin()
        await wire.chunk(b"one")
        wire.finish()

    async with serve(cut) as upstream:
        client = client_of(upstream)
        response = await client.send("GET", "/")
        sink = Sink()
        with pytest.raises(BackendFailed, match="broke off"):
            await response.pipe(sink)
        assert (sink.pieces, sink.fed) == ([b"one"], [True, False])
        response.close()
        client.close()


@pytest.mark.parametrize("rest", [b"zz\r\n", b"3\r\ntwoX"])
async def test_garbage_in_the_middle_is_a_failure(rest: bytes) -> None:
    async def spoil(wire: Wire, request: Received) -> None:
        await wire.begin()
        await wire.chunk(b"one")
        await wire.send(rest)
        await wire.gone()

    async with serve(spoil) as upstream:
        client = client_of(upstream)
        response = await client.send("GET", "/")
        with pytest.raises(BackendFailed, match="doesn't speak HTTP"):
            await response.pipe(Sink())
        response.close()
        await upstream.until(lambda: upstream.open == 0)
        client.close()


async def test_silence_is_a_timeout() -> None:
    async def stall(wire: Wire, request: Received) -> None:
        await wire.begin()
        await wire.chunk(b"one")
        await wire.gone()

    async with serve(stall) as upstream:
        client = client_of(upstream, idle=TINY)
        response = await client.send("GET", "/")
        with pytest.raises(BackendTimeout, match="went silent"):
            await response.pipe(Sink())
        response.close()
        await upstream.until(lambda: upstream.open == 0)
        client.close()


async def test_a_lively_stream_outlives_its_idle_time() -> None:
    async def steady(wire: Wire, request: Received) -> None:
        await wire.begin()
        gone = asyncio.ensure_future(wire.gone())
        for _ in range(12):
            await asyncio.wait((gone,), timeout=TINY)
            await wire.chunk(b"x")
        gone.cancel()
        await asyncio.wait((gone,))
        await wire.end()

    async with serve(steady) as upstream:
        client = client_of(upstream, idle=TINY * 8)
        response = await client.send("GET", "/")
        sink = Sink()
        await response.pipe(sink)
        response.close()
        assert sink.size == 12
        client.close()


@pytest.mark.parametrize("error", [ValueError("ours"), BackendUnavailable("somebody's")])
async def test_what_the_sink_raises_reaches_whoever_pipes(error: Exception) -> None:
    async with serve(three) as upstream:
        client = client_of(upstream)
        response = await client.send("GET", "/")
        with pytest.raises(type(error), match=str(error)):
            await response.pipe(Sink(error=error))
        response.close()
        await upstream.until(lambda: upstream.open == 0)
        client.close()


async def hang(wire: Wire, request: Received) -> None:
    await wire.begin()
    await wire.chunk(b"one")
    await wire.gone()


async def test_cancelling_closes_the_socket_and_lets_the_sink_go() -> None:
    async with serve(hang) as upstream:
        client = client_of(upstream)
        response = await client.send("GET", "/")
        sink = Sink()

        async def relay(response: Response) -> None:
            try:
                await response.pipe(sink)
            finally:
                response.close()

        piping = asyncio.ensure_future(relay(response))
        await sink.came.wait()
        [connection] = client.connections
        piping.cancel()
        await asyncio.wait((piping,))
        # In the turn in which the coroutine ended, not in some later one.
        assert not connection.is_open
        assert (sink.source, sink.fed) == (None, [True, False])
        await upstream.until(lambda: upstream.open == 0)
        client.close()


async def test_a_sink_that_is_let_go_pauses_nobody() -> None:
    async with serve(three) as upstream:
        client = client_of(upstream)
        sink = Sink(most=0)
        response = await client.send("GET", "/")
        piping = asyncio.ensure_future(response.pipe(sink))
        await sink.came.wait()
        while not piping.done():
            if sink.source is not None:
                sink.source.resume_reading()
            await asyncio.wait((piping,), timeout=0.01)
        await piping
        response.close()
        assert b"".join(sink.pieces) == b"one two three"
        again = await client.send("GET", "/")
        assert await again.read(100) == b"one two three"
        again.close()
        client.close()
    assert upstream.connections == 1
