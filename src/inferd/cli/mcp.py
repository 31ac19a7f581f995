"""`inferd mcp`: the Model Context Protocol on standard input and output.

A client starts this program and speaks with it. Where a node runs here, or a URL names one, this
passes messages on to its /mcp; where none does, it opens a node of its own.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any, cast

import httpx2
import mcp_types as types
from mcp.client.streamable_http import streamable_http_client
from mcp.server.stdio import stdio_server
from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    NAME_BEARING_METHODS,
    encode_header_value,
)
from mcp.shared.message import ClientMessageMetadata, SessionMessage

from inferd.cli.client import Client, open_client
from inferd.cli.failure import Failure, tell
from inferd.cli.line import Line
from inferd.cli.settings import WHERE, Where
from inferd.frontends.mcp.lines import take_stdin

_LONGEST_EVENT = 64 << 20
_INTERRUPTED = 130
_STOPPING = (signal.SIGINT, signal.SIGTERM)
_Message = types.JSONRPCMessage


def mcp(*, where: Where = WHERE) -> None:
    """Serve the Model Context Protocol on standard input and output.

    The running node answers, or one that is made for this. It ends when its input does, once what
    was asked is answered, a minute later at most.

    Args:
        where: Which node.
    """
    # What goes wrong is told on the line itself; this program's own output is nobody's to read.
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    asyncio.run(_serve(where))


async def _serve(where: Where) -> None:
    serving = asyncio.current_task()
    assert serving is not None
    loop = asyncio.get_running_loop()
    for number in _STOPPING:
        loop.add_signal_handler(number, serving.cancel)
    lines = take_stdin()
    async with stdio_server(cast("Any", lines)) as (read, write):
        lines.refuse = write
        line = Line(read, write)
        try:
            await _answer(where, line.read, line.write)
            # From here on there is nothing to unwind, and a client that reads no more to wait for.
            for number in _STOPPING:
                loop.add_signal_handler(number, _leave, _INTERRUPTED)
            # The package writes until it is told that this was all.
            await write.aclose()
        except asyncio.CancelledError:
            _leave(_INTERRUPTED)
        except Failure as failure:
            tell(failure)
            _leave(failure.status)


def _leave(status: int) -> None:
    """End at once: the thread that waits for the client's next line can't be called back."""
    sys.stderr.flush()
    os._exit(status)


async def _answer(where: Where, read: Any, write: Any) -> None:
    async with open_client(where) as client:
        if client.node is not None:
            await client.node.mcp.serve(client.node.owner_token, read, write)
            return
        failed = False
        try:
            await pass_on(client, read, write)
        except* httpx2.HTTPError:
            failed = True
        if failed:
            hint = "start the node again, and this program too"
            raise Failure(f"{client.name} broke off", hint=hint)


async def pass_on(client: Client, read: Any, write: Any) -> None:
    """Pass on to the node what comes from `read`, and to `write` what the node says."""
    url = str(client.http.base_url.join("mcp"))
    line = streamable_http_client(url, http_client=client.http, max_sse_event_size=_LONGEST_EVENT)
    async with line as (answers, questions), asyncio.TaskGroup() as tasks:
        relay = _Relay()
        back = tasks.create_task(relay.back(answers, write))
        await relay.forth(read, questions, write)
        back.cancel()


class _Relay:
    """Messages passed on, with the headers that HTTP wants beside them."""

    def __init__(self) -> None:
        self._handshake: types.RequestId | None = None
        self._agreed = asyncio.Event()
        self._version = ""

    async def forth(self, read: Any, questions: Any, write: Any) -> None:
        """Pass on what the client asks until it has no more."""
        async for item in read:
            if isinstance(item, Exception):
                error = types.ErrorData(code=types.PARSE_ERROR, message="this isn't JSON-RPC")
                told = types.JSONRPCError(jsonrpc="2.0", id=None, error=error)
                await write.send(SessionMessage(told))
                continue
            headers = self._headers(item.message)
            await questions.send(
                SessionMessage(item.message, ClientMessageMetadata(headers=headers))
            )
            if self._handshake is not None:
                # What follows belongs to the session that this answer names.
                await self._agreed.wait()

    async def back(self, answers: Any, write: Any) -> None:
        """Pass on what the node says."""
        async for item in answers:
            if isinstance(item, Exception):
                continue
            self._learn(item.message)
            await write.send(SessionMessage(item.message))

    def _headers(self, message: _Message) -> dict[str, str]:
        if not isinstance(message, types.JSONRPCRequest):
            return {MCP_PROTOCOL_VERSION_HEADER: self._version} if self._version else {}
        if message.method == "initialize":
            self._handshake, self._version = message.id, ""
            self._agreed.clear()
            return {}
        params = message.params or {}
        stated = _meta(params).get(types.PROTOCOL_VERSION_META_KEY)
        if not isinstance(stated, str):
            return {MCP_PROTOCOL_VERSION_HEADER: self._version} if self._version else {}
        headers = {MCP_PROTOCOL_VERSION_HEADER: stated, MCP_METHOD_HEADER: message.method}
        name = params.get(NAME_BEARING_METHODS.get(message.method, ""))
        if isinstance(name, str):
            headers[MCP_NAME_HEADER] = encode_header_value(name)
        return headers

    def _learn(self, message: _Message) -> None:
        """Take note of the version that the node agreed to."""
        match message:
            case types.JSONRPCResponse(id=id, result=result) if id == self._handshake:
                self._version = str(result.get("protocolVersion", ""))
            case types.JSONRPCError(id=id) if id == self._handshake:
                pass
            case _:
                return
        self._handshake = None
        self._agreed.set()


def _meta(params: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = params.get("_meta")
    return meta if isinstance(meta, dict) else {}
