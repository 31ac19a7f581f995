"""The date that every response carries."""

import socket
from collections.abc import Coroutine
from typing import Any

import pytest

from inferd.http1.server import lines
from inferd.http1.server.asgi import AsgiHandler
from inferd.http1.server.connection import Connection
from inferd.http1.server.server import Server
from tests.http1.serving import HELLO, Served, hello


async def test_every_response_has_the_date_of_its_second(monkeypatch: pytest.MonkeyPatch) -> None:
    async def native(connection: Connection) -> None:
        connection.send(200, b"x-native: 1\r\n", b"hello")

    class Native:
        is_worth_keeping = True

        def __call__(self, connection: Connection, /) -> Coroutine[Any, Any, None]:
            return native(connection)

    shown = "Sun, 06 Nov 1994 08:49:37 GMT"

    def formatdate(**_how: object) -> str:
        return shown

    monkeypatch.setattr(lines, "formatdate", formatdate)
    asgi = AsgiHandler(hello)
    server = Server(lambda head, _peer: Native() if head.path == "/native" else asgi)
    listener = socket.create_server(("127.0.0.1", 0))
    server.listen(listener)
    served = Served(server, listener)
    async with served.line() as line:
        for first in (HELLO, HELLO.replace(b"/hello", b"/native")):
            line.say(first)
            assert (await line.answer())[1]["date"] == shown
        before, shown = shown, "Sun, 06 Nov 1994 08:49:38 GMT"
        date = before
        while date == before:
            line.say(HELLO)
            date = (await line.answer())[1]["date"]
        assert date == shown
        line.say(b"GET / HTTP/9.9\r\n\r\n")
        status, headers, _ = await line.answer()
        assert (status, headers["date"]) == (505, shown)
    await served.server.stop("the test is over", 0)
