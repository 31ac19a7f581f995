"""A server of the brief's WebSocket protocol, on the `websockets` library, that echoes."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.backends.fakes import MODEL, SECRET

Message = dict[str, Any]


class FakeSocketServer:
    """Answers by echoing, until it is told to misbehave.

    `mode` is `ok`, `hang` (never answers), `stall` (silent in the middle), `cut` (gone in the
    middle), `garbage`, `error`, `leak` and `wrong` (errors that show our key), `mute` (no
    first message), or `going` (says that it stops).
    """

    def __init__(self, *, is_inferd: bool = True) -> None:
        self.is_inferd = is_inferd
        """Whether it tells `details` to who asks for them."""
        self.mode = "ok"
        self.status = HTTPStatus.OK
        self.words = "secret trace\n"
        self.url = ""
        self.asked: list[Message] = []
        self.opened = 0
        self.open = 0
        self.gone = asyncio.Event()
        """Set whenever a client has left."""
        self.sockets: set[ServerConnection] = set()

    def judge(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.status is not HTTPStatus.OK:
            response = connection.respond(self.status, self.words)
            response.headers["Retry-After"] = "7"
            return response
        if request.headers.get("Authorization") != f"Bearer {SECRET}":
            return connection.respond(HTTPStatus.UNAUTHORIZED, "who are you?\n")
        return None

    async def handle(self, socket: ServerConnection) -> None:
        self.opened += 1
        self.open += 1
        self.sockets.add(socket)
        try:
            if self.mode == "mute":
                await socket.wait_closed()
            await self.tell(socket, "connection", status="connected", client_id="x")
            async for text in socket:
                await self.answer(socket, json.loads(text))
        except ConnectionClosed:
            pass
        finally:
            self.open -= 1
            self.sockets.discard(socket)
            self.gone.set()

    async def tell(self, socket: ServerConnection, kind: str, **more: object) -> None:
        await socket.send(json.dumps({"type": kind, "timestamp": 1.0, **more}))

    async def answer(self, socket: ServerConnection, asked: Message) -> None:
        if asked["type"] == "status":
            report = {"supported_tasks": ["chat", "text-generation", "text-to-image", "new-one"]}
            await self.tell(socket, "status", detail_level="full", backend_status=report)
            return
        self.asked.append(asked)
        own = {"request_id": asked["request_id"]}
        named = {"model": asked["model"], "task": asked["task"]}
        if self.mode in ("leak", "wrong"):
            assert socket.request is not None
            told = f"bad credential {socket.request.headers['Authorization']}"
            details = {"kind": "backend_failed", "message": told, "hint": told}
            more = {"details": details} if self.is_inferd else {}
            if self.mode == "wrong":
                await self.tell(socket, "error", message=told)
            else:
                await self.tell(socket, "inference_error", **own, error=told, **more)
            return
        if self.mode == "error":
            details = {"kind": "backend_overloaded", "message": "busy", "retry_after": 3}
            more = {"details": details} if self.is_inferd else {}
            await self.tell(socket, "inference_error", **own, error="busy", **more)
            return
        await self.tell(socket, "inference_started", **own, **named)
        await self.tell(socket, "event", topic="status", data={})
        match self.mode:
            case "hang":
                await socket.wait_closed()
            case "garbage":
                await socket.send("{not json")
            case "going":
                await socket.close(1001)
            case _:
                await self.echo(socket, asked, own, named)

    async def echo(
        self, socket: ServerConnection, asked: Message, own: Message, named: Message
    ) -> None:
        inputs = asked["inputs"]
        text = inputs if isinstance(inputs, str) else inputs[-1]["content"]
        words = text.split(" ")
        count = len(words)
        ignored = [f"{name} was ignored" for name in asked["parameters"]]
        details: Message = {
            "input_tokens": count,
            "output_tokens": count,
            "model": MODEL,
            "node": "far",
        }
        details["warnings"] = ignored
        more = {"details": details} if self.is_inferd and asked.get("details") else {}
        if not asked["stream"]:
            if self.mode in ("stall", "cut"):
                await self.middle(socket)
            result = {"generated_text": text}
            await self.tell(socket, "inference_result", **own, result=result, **named, **more)
            return
        for index, word in enumerate(words):
            chunk = word if not index else f" {word}"
            await self.tell(socket, "inference_chunk", **own, chunk=chunk, index=index)
            await self.middle(socket)
        await self.tell(socket, "inference_complete", **own, **more)

    async def middle(self, socket: ServerConnection) -> None:
        if self.mode == "cut":
            socket.transport.abort()
        if self.mode in ("stall", "cut"):
            await socket.wait_closed()

    async def until_empty(self) -> None:
        async with asyncio.timeout(10):
            while self.open:
                self.gone.clear()
                await self.gone.wait()

    @property
    def received(self) -> list[Message]:
        return self.asked


@asynccontextmanager
async def listening(server: FakeSocketServer) -> AsyncGenerator[FakeSocketServer]:
    """Let it be asked, at its `url`."""
    async with serve(
        server.handle, "127.0.0.1", 0, process_request=server.judge, compression=None
    ) as listener:
        [socket, *_] = listener.sockets
        server.url = f"http://127.0.0.1:{socket.getsockname()[1]}"
        yield server
        with suppress(TimeoutError):
            await server.until_empty()
