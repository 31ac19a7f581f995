"""ASGI applications over our own connections."""

import asyncio
from collections.abc import Sequence

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.http1.serving import BOUND, HELLO, LAST, serving

Headers = Sequence[tuple[bytes, bytes]]


def answering(*pieces: bytes, status: int = 200, headers: Headers = ()) -> ASGIApp:
    """Return an application that answers with these pieces."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    return app


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def test_the_scope_says_what_was_asked() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await echo(scope, receive, send)

    async with serving(app) as served, served.line() as line:
        line.say(
            b"POST /a%20b/%C3%A9?x=1&y HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nX-A: 2\r\n\r\n"
        )
        await line.answer()
        own = line.writer.get_extra_info("sockname")
    scope = scopes[0]
    assert (scope["type"], scope["http_version"], scope["method"]) == ("http", "1.1", "POST")
    assert (scope["path"], scope["raw_path"]) == ("/a b/é", b"/a%20b/%C3%A9")
    assert (scope["query_string"], scope["scheme"], scope["root_path"]) == (b"x=1&y", "http", "")
    assert scope["headers"] == [(b"host", b"localhost"), (b"x-a", b"1"), (b"x-a", b"2")]
    assert scope["client"] == own[:2]


async def test_what_an_application_does_to_its_scope_is_its_own() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["headers"].append((b"x-more", b"1"))
        count = str(len(scope["headers"])).encode()
        await answering(count)(scope, receive, send)

    async with serving(app) as served, served.line() as line:
        for _ in range(3):
            line.say(HELLO)
            assert b"\r\n2\r\n" in await line.until(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "request_",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("apart", [False, True])
async def test_a_body_arrives_however_it_is_sent(request_: bytes, *, apart: bool) -> None:
    head, blank, body = request_.partition(b"\r\n\r\n")
    async with serving(echo) as served, served.line() as line:
        for _ in range(2):
            line.say(b"POST / HTTP/1.1\r\nHost: localhost\r\n" + head + blank)
            if apart:
                await line.writer.drain()
                await asyncio.get_running_loop().run_in_executor(None, list)
            line.say(body)
            assert (await line.answer())[2] == b"hello"


async def test_100_continue_is_said_once_somebody_reads() -> None:
    async with serving(echo) as served, served.line() as line:
        line.say(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n")
        line.say(b"Expect: 100-continue\r\n\r\n")
        assert await line.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.say(b"hello")
        assert (await line.answer())[2] == b"hello"


async def test_a_stream_goes_out_in_pieces_as_it_is_made() -> None:
    go = asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await go.wait()
        await send({"type": "http.response.body", "body": b"two", "more_body": False})

    async with serving(app) as served, served.line() as line:
        line.say(HELLO)
        head = await line.until(b"one\r\n")
        assert b"transfer-encoding: chunked" in head.lower()
        go.set()
        assert await line.until(b"0\r\n\r\n") == b"3\r\ntwo\r\n0\r\n\r\n"


async def test_a_response_that_says_its_length_keeps_to_it() -> None:
    app = answering(b"ab", b"cd", headers=[(b"Content-Length", b"4")])
    async with serving(app) as served, served.line() as line:
        line.say(HELLO)
        status, headers, body = await line.answer()
        assert (status, headers["content-length"], body) == (200, "4", b"abcd")
        assert "transfer-encoding" not in headers
        line.say(HELLO)
        assert (await line.answer())[2] == b"abcd"


@pytest.mark.parametrize("pieces", [(b"abc",), (b"ab", b"c"), (b"abcde",), (b"ab", b"cde"), ()])
async def test_a_length_that_is_a_lie_cuts_the_answer(
    pieces: Sequence[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    app = answering(*pieces, headers=[(b"content-length", b"4")])
    async with serving(app) as served, served.line() as line:
        line.say(HELLO)
        _, _, body = (await line.until_closed()).partition(b"\r\n\r\n")
        assert len(body) < 4 or b"internal" in body
    assert "content-length" in caplog.text


async def test_head_has_headers_and_no_body() -> None:
    app = answering(b"abcd", headers=[(b"content-length", b"4"), (b"x-a", b"1")])
    async with serving(app) as served, served.line() as line:
        line.say(HELLO.replace(b"GET", b"HEAD"))
        head = await line.until(b"\r\n\r\n")
        assert b"content-length: 4" in head
        assert b"x-a: 1" in head
        line.say(LAST.replace(b"GET", b"HEAD"))
        assert (await line.until_closed()).endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_has_none(status: int) -> None:
    async with serving(answering(b"no", status=status)) as served, served.line() as line:
        line.say(HELLO)
        assert b"transfer-encoding" not in await line.until(b"\r\n\r\n")
        line.say(LAST)
        assert (await line.until_closed()).count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "header",
    [
        (b"x-a", b"1\r\nset-cookie: a=b"),
        (b"x-a", b"1\n"),
        (b"x-a", b"1\x00"),
        (b"x a", b"1"),
        (b"x-a\r\nx-b", b"1"),
        (b"", b"1"),
    ],
)
async def test_a_header_that_would_be_two_is_never_sent(
    header: tuple[bytes, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(answering(b"x", headers=[header])) as served, served.line() as line:
        line.say(LAST)
        answer = await line.until_closed()
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"set-cookie" not in answer
    assert "header" in caplog.text


async def test_framing_is_not_the_applications_business() -> None:
    headers = [(b"Transfer-Encoding", b"gzip"), (b"Connection", b"upgrade"), (b"X-A", b"1")]
    async with serving(answering(b"x", headers=headers)) as served, served.line() as line:
        line.say(HELLO)
        answer = await line.until(b"0\r\n\r\n")
    assert b"gzip" not in answer
    assert b"upgrade" not in answer
    assert b"x-a: 1\r\n" in answer
    assert answer.lower().count(b"\r\ndate: ") == 1


async def test_the_last_response_ends_by_itself_on_http_1_0() -> None:
    async with serving(answering(b"a", b"b")) as served, served.line() as line:
        line.say(b"GET / HTTP/1.0\r\n\r\n")
        head, _, body = (await line.until_closed()).partition(b"\r\n\r\n")
    assert body == b"ab"
    assert b"chunked" not in head


async def test_an_application_that_fails_is_a_500_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError("a bug of ours")

    async with serving(app) as served, served.line() as line:
        line.say(HELLO)
        answer = await line.until_closed()
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"a bug" not in answer
    assert "a bug of ours" in caplog.text


async def test_an_application_that_fails_within_its_answer_is_seen_to_be_cut() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    async with serving(app) as served, served.line() as line:
        line.say(HELLO)
        answer = await line.until_closed()
    assert b"half" in answer
    assert not answer.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("reads", [False, True])
async def test_who_leaves_ends_the_application_at_once(*, reads: bool) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        if reads:
            await receive()
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serving(app) as served:
        async with served.line() as line:
            line.say(HELLO)
            async with asyncio.timeout(BOUND):
                await began.wait()
        async with asyncio.timeout(BOUND):
            await ended.wait()


@pytest.mark.parametrize("framing", [b"Content-Length: 9999999", b"Transfer-Encoding: chunked"])
async def test_who_leaves_within_a_body_is_told_of_as_asgi_says(framing: bytes) -> None:
    told: list[Message] = []
    began, ended = asyncio.Event(), asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        while not told or told[-1]["type"] == "http.request":
            told.append(await receive())
            began.set()
        told.append(await receive())
        # It is allowed to speak to nobody.
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"anybody?"})
        ended.set()

    async with serving(app) as served:
        async with served.line() as line:
            line.say(b"POST / HTTP/1.1\r\nHost: localhost\r\n" + framing + b"\r\n\r\n1\r\na\r\n")
            async with asyncio.timeout(BOUND):
                await began.wait()
        async with asyncio.timeout(BOUND):
            await ended.wait()
    assert [each["type"] for each in told[-3:]] == ["http.request", *["http.disconnect"] * 2]


@pytest.mark.parametrize("fails", [False, True])
async def test_who_waits_beside_is_told_when_all_is_over(*, fails: bool) -> None:
    told: list[Message] = []
    over = asyncio.Event()
    watching: set[asyncio.Task[None]] = set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

        async def watch() -> None:
            told.append(await receive())
            over.set()

        task = asyncio.get_running_loop().create_task(watch())
        watching.add(task)
        if fails:
            raise ValueError("a bug of ours")
        await answering(b"x")(scope, receive, send)

    async with serving(app) as served, served.line() as line:
        line.say(HELLO)
        async with asyncio.timeout(BOUND):
            await over.wait()
    assert told == [{"type": "http.disconnect"}]


async def test_a_slow_reader_holds_the_application_and_nothing_fills_up() -> None:
    sent = 0
    piece = bytes(65536)

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1024):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            sent += len(piece)
        await send({"type": "http.response.body"})

    async with serving(app) as served, served.line() as line:
        line.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
        line.say(LAST)
        before = -1
        while before != sent or not sent:
            before = sent
            for _ in range(200):
                await asyncio.get_running_loop().run_in_executor(None, list)
        assert sent < 40 << 20
        line.writer.transport.resume_reading()  # pyright: ignore[reportAttributeAccessIssue]
        assert (await line.until_closed()).endswith(b"0\r\n\r\n")
    assert sent == 64 << 20
