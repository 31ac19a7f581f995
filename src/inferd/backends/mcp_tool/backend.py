"""A task's request as a tool call, and the tool's result as the task's."""

import asyncio
import base64
import binascii
import math
import os
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
from mcp import Client
from mcp.shared.exceptions import MCPError

from inferd.backends import Settings, each
from inferd.backends.mcp_tool.line import Line
from inferd.backends.mcp_tool.options import Wanted, fill
from inferd.core.answer import Answer, Served
from inferd.core.backend import BackendType, Capabilities, Model, Traits
from inferd.core.clock import Clock
from inferd.core.content import Message
from inferd.core.errors import (
    BackendError,
    BackendFailed,
    BackendOverloaded,
    BackendRefused,
    BackendTimeout,
    BackendUnavailable,
    ModelNotFound,
    NodeError,
    UnsupportedTask,
)
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Finish, Media, TextDelta, Usage
from inferd.core.tasks import Output, encode_message
from inferd.wire import hf_tasks, json

_SHOWN = 300
_TOKEN_BYTES = 4


class McpToolBackend:
    """Calls its tool, once for each request."""

    kind = "mcp_tool"
    is_node = False
    wires = frozenset[str]()

    def __init__(self, settings: Settings, wanted: Wanted, line: Line, clock: Clock) -> None:
        self.name = settings.name
        self.tier = wanted.tier
        self.is_closed = False
        self._settings = settings
        self._wanted = wanted
        self._line = line
        self._hide = wanted.secrets.hide
        self._clock = clock
        self._places = asyncio.Semaphore(wanted.options.concurrency)
        self._waiting = 0
        self._calls = 0
        self.traits = Traits(
            type=BackendType.MCP,
            endpoint=wanted.url or os.path.basename(wanted.command[0]),
            protocols=frozenset({"mcp"}),
            streams=False,
        )
        about = {"about": f"The tool {wanted.options.tool} of {settings.name}."}
        names = tuple(settings.models) or (wanted.options.tool,)
        tasks = frozenset({wanted.task.name})
        models = tuple(Model(id=name, tasks=tasks, detail=about) for name in names)
        self.assumed = Capabilities(models=models)

    def __repr__(self) -> str:
        return f"<McpToolBackend {self.name} {'closed' if self.is_closed else 'open'}>"

    async def capabilities(self) -> Capabilities:
        if self._calls and not self.is_closed:
            # Many a server does one thing at a time: its calls tell how it fares.
            return self.assumed
        async with self._talk(None) as (client, _):
            names = await _tools_of(client)
        tool = self._wanted.options.tool
        if tool not in names:
            shown = self._hide(", ".join(sorted(names)))[:_SHOWN] or "none"
            raise BackendUnavailable(
                f"{self.name} has no tool called {tool}", hint=f"its tools are {shown}"
            )
        return self.assumed

    def infer(self, request: InferenceRequest) -> Coroutine[Any, Any, Answer]:
        if request.task != self._wanted.task.name:
            raise UnsupportedTask(f"{self.name} doesn't do {request.task}")
        return self._answer(request)

    async def _answer(self, request: InferenceRequest) -> Answer:
        model = self.assumed.find(request.task, request.model)
        if model is None:
            raise ModelNotFound(f"{self.name} has no model called {request.model}")
        arguments, untold = fill(self._wanted, await _given(request))
        sent_bytes = 0
        try:
            async with self._talk(request.deadline) as (client, seconds):
                sent_bytes = len(json.encode(arguments))
                result = await self._call(client, arguments, seconds)
            chunks = self._chunks(result)
        except NodeError as error:
            error.sent_bytes = sent_bytes
            raise
        finish = Finish(usage=_usage(request, chunks), model=model)
        if request.stream:
            chunks = [piece for chunk in chunks for piece in _pieces(chunk)]
        ignored = ", ".join(sorted(untold & request.parameters.keys()))
        warnings = (f"ignored: {ignored} ({self.name}'s tool has no place for it)",)
        served = Served(warnings=warnings if ignored else ())
        answer = Answer(each([*chunks, finish]), served=served)
        answer.sent_bytes = sent_bytes
        return answer

    async def _call(
        self, client: Client, arguments: dict[str, object], seconds: float
    ) -> types.CallToolResult:
        self._calls += 1
        try:
            tool = self._wanted.options.tool
            return await client.call_tool(tool, arguments, read_timeout_seconds=seconds)
        finally:
            self._calls -= 1

    @asynccontextmanager
    async def _talk(self, deadline: float | None) -> AsyncGenerator[tuple[Client, float]]:
        """Lend the client for one call, and the seconds that it may take.

        Raises:
            BackendError: Whatever went wrong with it.
        """
        if self.is_closed:
            raise BackendUnavailable(f"{self.name} is closed")
        until = math.inf if deadline is None else deadline - self._clock.now()
        seconds = min(self._settings.timeout, until)
        if seconds <= 0:
            raise BackendTimeout(f"no time was left to ask {self.name}")
        client: Client | None = None
        try:
            async with asyncio.timeout(seconds), self._place():
                client = await self._line.client()
                yield client, seconds
        except TimeoutError as error:
            raise BackendTimeout(f"{self.name} gave no answer within {seconds:g} s") from error
        except MCPError as error:
            raise self._told(client, error) from error
        except (RuntimeError, ValueError) as error:
            # What the package raises of a result that isn't one.
            raise BackendFailed(f"{self.name} answered nonsense") from error

    @asynccontextmanager
    async def _place(self) -> AsyncGenerator[None]:
        if self._places.locked() and self._waiting >= self._wanted.options.queue:
            raise BackendOverloaded(f"{self.name} is at its limit", retry_after=1)
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()

    def _told(self, client: Client | None, error: MCPError) -> BackendError:
        said = self._hide(error.message)[:_SHOWN]
        match error.code:
            case types.CONNECTION_CLOSED:
                if client is not None:
                    self._line.hang_up(client)
                if self._line.fault:
                    return BackendFailed(f"{self.name}: {self._line.fault}")
                return BackendUnavailable(f"{self.name} broke off")
            case types.REQUEST_TIMEOUT:
                return BackendTimeout(f"{self.name} gave no answer in time")
            case types.INVALID_PARAMS:
                return BackendRefused(f"{self.name} refused the call: {said}")
            case _:
                if client is not None:
                    # A session that its server has forgotten is told so in many ways.
                    self._line.hang_up(client)
                return BackendFailed(f"{self.name} failed: {said}")

    def _chunks(self, result: types.CallToolResult) -> list[Chunk]:
        texts = [each.text for each in result.content if isinstance(each, types.TextContent)]
        text = "\n".join(texts)
        if result.is_error:
            raise BackendRefused(f"{self.name} says that it failed: {self._hide(text)[:_SHOWN]}")
        media = next((found for each in result.content if (found := _media(each))), None)
        if media is not None and self._wanted.task.output in (Output.IMAGE, Output.AUDIO):
            return [media]
        value = result.structured_content
        if self._wanted.options.path:
            value = _at(self._wanted.options.path, _object(value, text), self.name)
        elif self._wanted.task.text_key:
            return [TextDelta(text)]
        elif value is None:
            value = _object(None, text)
        if isinstance(value, str) and self._wanted.task.text_key:
            return [TextDelta(value)]
        body = json.encode(value)
        decoded = hf_tasks.decode_result(self._wanted.task, "application/json", body)
        return [chunk for chunk in decoded if not isinstance(chunk, Finish)]


async def _tools_of(client: Client) -> set[str]:
    names: set[str] = set()
    cursor: str | None = None
    for _ in range(100):
        page = await client.list_tools(cursor=cursor)
        names.update(tool.name for tool in page.tools)
        cursor = page.next_cursor
        if cursor is None:
            break
    return names


async def _given(request: InferenceRequest) -> dict[str, object]:
    """Return a request's fields, parameters and files by name; files are base64."""
    given: dict[str, object] = {**request.parameters, **request.inputs}
    for name, value in given.items():
        if isinstance(value, tuple):
            given[name] = [
                encode_message(item) if isinstance(item, Message) else item for item in value
            ]
    for file in request.files:
        data = b"".join([piece async for piece in file.read()])
        given[file.field] = base64.b64encode(data).decode("ascii")
    return given


def _usage(request: InferenceRequest, chunks: list[Chunk]) -> Usage:
    """Return what it took: a tool doesn't say, so that tokens are a text's bytes by four."""
    texts = [chunk.text for chunk in chunks if isinstance(chunk, TextDelta)]
    if not texts:
        return Usage(units=1)
    asked = sum(len(text) for text in _texts([*request.inputs.values()]))
    return Usage(
        input_tokens=max(1, asked // _TOKEN_BYTES),
        output_tokens=max(1, sum(map(len, texts)) // _TOKEN_BYTES),
    )


def _texts(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case Message():
            return [value.text]
        case list() | tuple():
            return [text for each in value for text in _texts(each)]
        case _:
            return []


def _pieces(chunk: Chunk) -> list[Chunk]:
    """Return a text word by word: who streams reads on as it comes, though it comes at once."""
    if not isinstance(chunk, TextDelta):
        return [chunk]
    words = chunk.text.split(" ")
    return [*(TextDelta(f"{word} ") for word in words[:-1]), TextDelta(words[-1])]


def _media(content: object) -> Media | None:
    if not isinstance(content, types.ImageContent | types.AudioContent):
        return None
    try:
        data = base64.b64decode(content.data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BackendFailed("the tool's file isn't base64") from error
    return Media(data=data, content_type=content.mime_type)


def _object(structured: object, text: str) -> object:
    return json.answer(text.encode()) if structured is None else structured


def _at(path: str, value: object, name: str) -> object:
    for part in path.split("."):
        match value:
            case Mapping() if part in value:
                value = value[part]
            case list() if part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            case _:
                raise BackendFailed(f"{name}'s answer has nothing at {path}")
    return value
