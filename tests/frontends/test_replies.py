"""Both exchanges say the same lines of the same reply."""

from collections.abc import Awaitable, Callable, Mapping

import pytest
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from inferd.core.request import OWNER, Principal
from inferd.frontends._http.asgi_exchange import AsgiExchange
from inferd.frontends._http.context import Context
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.guard import Guard, Shape
from inferd.frontends._http.native_exchange import NativeExchange
from inferd.frontends._http.settings import HttpSettings
from inferd.http1.server.asgi import AsgiHandler
from inferd.http1.server.connection import Connection
from inferd.wire.context import Context as Asked
from inferd.wire.openai_chat import encode_error
from tests.http1.house import house
from tests.http1.raw import talk

# Neither exchange looks into it to reply.
CONTEXT: Context = None  # pyright: ignore[reportAssignmentType]
ASK = b"GET /%b HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: mine\r\n\r\n"

Reply = Callable[[Exchange], Awaitable[None]]


class Decided:
    """What the native way would have decided from the head."""

    context = CONTEXT
    headers = Headers()
    method = "GET"
    most_bytes = 1000
    path = "/native"
    principal: Principal = OWNER

    def __init__(self) -> None:
        self.parameters: Mapping[str, str] = {}

    def directions(self) -> Asked:
        raise NotImplementedError


async def lines_of(reply: Reply) -> tuple[list[bytes], list[bytes]]:
    """Return the lines of a reply as each way says it, and its body as the last."""

    async def native(connection: Connection) -> None:
        await reply(NativeExchange(Decided(), connection, "mine"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await reply(AsgiExchange(CONTEXT, OWNER, scope, receive, send))

    asgi = AsgiHandler(Guard(app, HttpSettings(), [Shape("/", encode_error)]))
    said: list[list[bytes]] = []
    async with house(acts={"/native": native, "/asgi": asgi}) as one:
        for way in (b"native", b"asgi"):
            async with talk(one.port) as line:
                line.send(ASK % way)
                await line.answered(1)
                head, _, body = bytes(line.came).partition(b"\r\n\r\n")
            first, *lines = head.split(b"\r\n")
            lines = [each for each in lines if not each.startswith(b"date: ")]
            said.append([first, *sorted(lines), body])
        assert one.faults == []
    return said[0], said[1]


@pytest.mark.parametrize("status", [200, 202, 404, 503])
@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("X-Inference-Source", "backend"), ("Link", "</a>; rel=next")),
        (("Cache-Control", "max-age=5"),),
        (("Content-Security-Policy", "default-src 'self'"), ("cache-control", "no-cache")),
        (("X-Inference-Warning", "no\r\nSet-Cookie: a=b"), ("X-Inference-Warning", "é")),
    ],
)
async def test_a_reply(status: int, headers: tuple[tuple[str, str], ...]) -> None:
    async def reply(exchange: Exchange) -> None:
        await exchange.reply(b"hello", content_type="text/plain", status=status, headers=headers)

    native, asgi = await lines_of(reply)
    assert native == asgi
    assert native[-1] == b"hello"


@pytest.mark.parametrize("body", [b"", b'{"a": 1}', b"x" * 100_000])
@pytest.mark.parametrize("said", [b"", b"x-inference-backend: a\r\nx-inference-usage: 1\r\n"])
@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"content-type: application/json\r\n",
        b"content-type: a/b; c=d\r\nx-thing: a, b\r\nx-thing: c: d\r\n",
        b"cache-control: no-cache\r\ncontent-type: text/event-stream\r\n",
        b"content-security-policy: default-src 'self'\r\n",
    ],
)
async def test_a_reply_in_finished_lines(said: bytes, block: bytes, body: bytes) -> None:
    async def reply(exchange: Exchange) -> None:
        await exchange.reply_with(200, said, block, body)

    native, asgi = await lines_of(reply)
    assert native == asgi
    assert native[-1] == body
