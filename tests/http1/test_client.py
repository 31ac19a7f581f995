"""One upstream, spoken to over real sockets: the pool, the deadlines, and what goes wrong."""

import asyncio
import os
from collections.abc import AsyncIterator

import pytest

from inferd.core.errors import (
    BackendFailed,
    BackendTimeout,
    BackendUnavailable,
    NodeError,
)
from inferd.http1.client import Client, Response, Timeouts, Url, parse_url
from tests.http1.upstream import (
    BOUND,
    Received,
    Upstream,
    Wire,
    dead_port,
    serve,
)

TINY = 0.1
"""As short as a deadline can be and still let loopback connect on a busy machine."""


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    async with asyncio.timeout(BOUND * 2):
        yield


def client_of(upstream: Upstream, **times: float) -> Client:
    return Client("acme", parse_url(upstream.url), timeouts=Timeouts(**times))


async def read(response: Response, limit: int = 1 << 20) -> bytes:
    try:
        return await response.read(limit)
    finally:
        response.close()


async def echo(wire: Wire, request: Received) -> None:
    await wire.answer(request.body or request.path.encode())


async def silent(wire: Wire, request: Received) -> None:
    await wire.gone()


async def test_a_request_says_where_it_goes_and_what_it_carries() -> None:
    async with serve(echo) as upstream:
        client = Client("acme", parse_url(upstream.url + "/v1/"))
        body = await read(await client.send("POST", "/chat", headers=[("x-a", "b")], body=b"hi"))
        client.close()
    assert body == b"hi"
    (request,) = upstream.received
    assert (request.method, request.path) == ("POST", "/v1/chat")
    assert request.headers["host"] == f"127.0.0.1:{upstream.port}"
    assert request.headers["content-length"] == "2"
    assert request.headers["x-a"] == "b"


async def test_connections_are_kept_and_used_again() -> None:
    async with serve(echo) as upstream:
        client = client_of(upstream)
        for number in range(5):
            path = f"/{number}"
            assert await read(await client.send("GET", path)) == path.encode()
        client.close()
    assert upstream.connections == 1


async def test_requests_at_the_same_time_have_a_connection_each() -> None:
    async with serve(echo) as upstream:
        client = client_of(upstream)
        first, second = await client.send("GET", "/1"), await client.send("GET", "/2")
        assert await read(second) == b"/2"
        assert await read(first) == b"/1"
        client.close()
    assert upstream.connections == 2


async def test_closing_a_response_twice_leaves_the_next_one_alone() -> None:
    async with serve(echo) as upstream:
        client = client_of(upstream)
        first = await client.send("GET", "/1")
        await first.read(100)
        first.close()
        second = await client.send("GET", "/2")
        first.close()
        assert await read(second) == b"/2"
        with pytest.raises(BackendUnavailable, match="given up"):
            await first.read(100)
        client.close()
    assert upstream.connections == 1


async def test_a_response_without_keep_alive_ends_its_connection() -> None:
    async def once(wire: Wire, request: Received) -> None:
        await wire.answer(b"bye", headers={"connection": "close"})
        await wire.gone()

    async with serve(once) as upstream:
        client = client_of(upstream)
        assert await read(await client.send("GET", "/")) == b"bye"
        assert await read(await client.send("GET", "/")) == b"bye"
        client.close()
    assert upstream.connections == 2


async def test_a_response_that_is_not_read_ends_its_connection() -> None:
    async with serve(echo) as upstream:
        client = client_of(upstream)
        (await client.send("POST", "/", body=b"x" * (1 << 20))).close()
        await upstream.until(lambda: upstream.open == 0)
        client.close()


async def drop_second(wire: Wire, request: Received) -> None:
    """Answer each connection's first request and drop its second: a stale keep-alive."""
    if request.path == "/again" and wire.number == 1:
        wire.cut()
    else:
        await wire.answer(request.path.encode())


async def test_a_stale_connection_is_replaced_once() -> None:
    async with serve(drop_second) as upstream:
        client = client_of(upstream)
        await read(await client.send("GET", "/first"))
        assert await read(await client.send("GET", "/again")) == b"/again"
        client.close()
    assert [request.path for request in upstream.received] == ["/first", "/again", "/again"]


@pytest.mark.parametrize("size", [3, 64 << 10, (64 << 10) + 1, 3 << 20])
async def test_a_body_of_any_length_arrives_once_for_each_connection(size: int) -> None:
    body = os.urandom(size)
    async with serve(drop_second) as upstream:
        client = client_of(upstream)
        await read(await client.send("POST", "/first", body=body))
        response = await client.send("POST", "/again", body=body)
        assert response.sent_bytes > 2 * size
        assert await read(response) == b"/again"
        client.close()
    assert [request.body for request in upstream.received] == [body] * 3


async def test_a_fresh_connection_that_drops_is_not_tried_again() -> None:
    async def drop(wire: Wire, request: Received) -> None:
        wire.cut()

    async with serve(drop) as upstream:
        client = client_of(upstream)
        with pytest.raises(BackendFailed):
            await client.send("GET", "/")
        client.close()
    assert len(upstream.received) == 1


async def test_a_kept_connection_that_began_to_answer_is_not_tried_again() -> None:
    async def stutter(wire: Wire, request: Received) -> None:
        if request.path == "/first":
            await wire.answer(b"")
        else:
            await wire.send(b"HTTP/1.1 2")
            wire.finish()

    async with serve(stutter) as upstream:
        client = client_of(upstream)
        await read(await client.send("GET", "/first"))
        with pytest.raises(BackendFailed):
            await client.send("GET", "/again")
        client.close()
    assert len(upstream.received) == 2


async def test_bytes_that_nobody_asked_for_end_a_kept_connection() -> None:
    async def eager(wire: Wire, request: Received) -> None:
        one = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none"
        await wire.send(one + b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n")
        await wire.gone()

    async with serve(eager) as upstream:
        client = client_of(upstream)
        for _ in range(2):
            response = await client.send("GET", "/")
            assert (response.status, await read(response)) == (200, b"one")
            await upstream.until(lambda: upstream.open == 0)
        client.close()
    assert upstream.connections == 2


async def test_nobody_listening_is_unavailable() -> None:
    client = Client("acme", parse_url(f"http://127.0.0.1:{await dead_port()}"))
    with pytest.raises(BackendUnavailable, match="acme can't be reached"):
        await client.send("GET", "/")
    client.close()


async def test_a_name_that_does_not_exist_is_unavailable() -> None:
    client = Client("acme", parse_url("http://nobody.invalid"))
    with pytest.raises(BackendUnavailable, match="no such host"):
        await client.send("GET", "/")
    client.close()


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_that_cannot_be_asked_for_is_unavailable(scheme: str, host: str) -> None:
    client = Client("acme", Url(scheme=scheme, host=host, port=80))
    with pytest.raises(BackendUnavailable, match="can't be reached"):
        await client.send("GET", "/")
    client.close()


async def test_no_answer_is_a_timeout_and_frees_the_upstream() -> None:
    async with serve(silent) as upstream:
        client = client_of(upstream, head=TINY)
        with pytest.raises(BackendTimeout, match="no answer in time"):
            await client.send("GET", "/")
        await upstream.until(lambda: upstream.open == 0)
        client.close()


async def test_a_head_in_drops_is_a_timeout() -> None:
    async def dribble(wire: Wire, request: Received) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\n")
        line = b"x-a: b\r\n"
        gone = asyncio.ensure_future(wire.gone())
        while not gone.done():
            await wire.send(line[:1])
            line = line[1:] + line[:1]
            await asyncio.wait((gone,), timeout=TINY / 4)

    async with serve(dribble) as upstream:
        client = client_of(upstream, head=TINY, idle=BOUND)
        with pytest.raises(BackendTimeout):
            await client.send("GET", "/")
        client.close()


async def test_silence_in_the_middle_is_a_timeout() -> None:
    async def pause(wire: Wire, request: Received) -> None:
        await wire.begin()
        await wire.chunk(b"one")
        await wire.gone()

    async with serve(pause) as upstream:
        client = client_of(upstream, idle=TINY)
        response = await client.send("GET", "/")
        assert await anext(aiter(response)) == b"one"
        with pytest.raises(BackendTimeout, match="went silent"):
            await anext(aiter(response))
        response.close()
        client.close()


async def test_the_whole_exchange_has_an_end_however_lively_it_is() -> None:
    async def chatter(wire: Wire, request: Received) -> None:
        await wire.begin()
        gone = asyncio.ensure_future(wire.gone())
        while not gone.done():
            await wire.chunk(b"x")
            await asyncio.wait((gone,), timeout=TINY / 4)

    async with serve(chatter) as upstream:
        client = client_of(upstream)
        response = await client.send("GET", "/", seconds=TINY * 2)
        with pytest.raises(BackendTimeout):
            await read(response)
        client.close()


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_a_deadline_in_the_past_reaches_nobody(seconds: float) -> None:
    async with serve(echo) as upstream:
        client = client_of(upstream)
        await read(await client.send("GET", "/"))
        with pytest.raises(BackendTimeout):
            await client.send("GET", "/late", seconds=seconds)
        client.close()
    assert [request.path for request in upstream.received] == ["/"]


async def test_a_slow_reader_holds_the_upstream_back_and_is_not_its_fault() -> None:
    sent: list[int] = []
    blocked = asyncio.Event()

    async def pour(wire: Wire, request: Received) -> None:
        wire.writer.transport.set_write_buffer_limits(high=1 << 16)
        await wire.begin()
        for number in range(600):
            drain = asyncio.ensure_future(wire.chunk(b"x" * (64 << 10)))
            done, _ = await asyncio.wait((drain,), timeout=TINY * 3)
            if not done:
                blocked.set()
                await drain
            sent.append(number)
        # Never held back: let the test see that, rather than wait.
        blocked.set()
        await wire.end()

    async with serve(pour) as upstream:
        client = client_of(upstream, idle=TINY)
        response = await client.send("GET", "/")
        await blocked.wait()
        assert len(sent) < 600
        assert len(await read(response, limit=64 << 20)) == 600 * (64 << 10)
        client.close()


async def test_closing_in_the_middle_of_a_stream_closes_the_socket() -> None:
    async def pause(wire: Wire, request: Received) -> None:
        await wire.begin()
        await wire.chunk(b"one")
        await wire.gone()

    async with serve(pause) as upstream:
        client = client_of(upstream)
        response = await client.send("GET", "/")
        await anext(aiter(response))
        assert upstream.open == 1
        response.close()
        await upstream.until(lambda: upstream.open == 0)
        client.close()


async def test_cancelling_closes_the_socket() -> None:
    async with serve(silent) as upstream:
        client = client_of(upstream)
        asking = asyncio.ensure_future(client.send("GET", "/"))
        await upstream.until(lambda: len(upstream.received) == 1)
        asking.cancel()
        await asyncio.wait((asking,))
        assert asking.cancelled()
        await upstream.until(lambda: upstream.open == 0)
        client.close()


async def test_closing_the_client_ends_what_is_under_way() -> None:
    async with serve(silent) as upstream:
        client = client_of(upstream)
        asking = asyncio.ensure_future(client.send("GET", "/"))
        await upstream.until(lambda: len(upstream.received) == 1)
        client.close()
        with pytest.raises(NodeError):
            await asking
        with pytest.raises(BackendUnavailable, match="acme is closed"):
            await client.send("GET", "/")
        await upstream.until(lambda: upstream.open == 0)


async def test_a_redirect_is_an_answer_like_any_other() -> None:
    async def elsewhere(wire: Wire, request: Received) -> None:
        await wire.answer(status=302, headers={"location": "http://169.254.169.254/"})

    async with serve(elsewhere) as upstream:
        client = client_of(upstream)
        response = await client.send("GET", "/")
        assert (response.status, response.header("Location")) == (302, "http://169.254.169.254/")
        await read(response)
        client.close()
    assert len(upstream.received) == 1


@pytest.mark.parametrize(
    ("headers", "path"),
    [([("x-a", "b\r\nx-c: d")], "/"), ([("x\na", "b")], "/"), ([], "/ HTTP/1.1\r\nx: y")],
)
async def test_a_line_break_never_becomes_a_header(
    headers: list[tuple[str, str]], path: str
) -> None:
    client = Client("acme", parse_url("http://127.0.0.1:9"))
    with pytest.raises(ValueError, match=r"line break|blank"):
        await client.send("GET", path, headers=headers)
    client.close()
