"""A look at a backend whose places are all taken: it is at work, and not gone."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import msgspec

from inferd.backends import open_kind
from inferd.core.backend import Backend
from inferd.core.request import InferenceRequest
from tests.backends.fake_ws import FakeSocketServer, listening
from tests.backends.fakes import SECRET
from tests.backends.subjects import MCP_PROGRAM, NODE, settings_of
from tests.clocks import HandClock
from tests.http1.upstream import BOUND

ASK = InferenceRequest(id="r", task="text-generation", inputs={"prompt": "one two"}, stream=True)
LIST = """if read line; then echo "$line"; sleep 60; else printf 'NAME\\none:1b\\n'; fi"""


@asynccontextmanager
async def tool(kind: str, options: Mapping[str, object], **more: object) -> AsyncGenerator[Backend]:
    settings = settings_of("far", timeout=BOUND, options=options, **more)
    async with (
        asyncio.timeout(BOUND),
        open_kind(kind, settings, node=NODE, clock=HandClock()) as backend,
    ):
        yield backend


async def test_of_a_server_all_of_whose_lines_are_taken() -> None:
    server = FakeSocketServer()
    async with (
        listening(server),
        tool("ws_node", {"connections": 1}, base_url=server.url, api_key=SECRET) as backend,
    ):
        before = await backend.capabilities()
        assert before != backend.assumed
        server.mode = "stall"
        answer = await backend.infer(msgspec.structs.replace(ASK, model="m"))
        assert await backend.capabilities() == before
        answer.close()


async def test_of_a_tool_that_is_called() -> None:
    options = {"command": [*MCP_PROGRAM], "tool": "hang", "arguments": {}, "concurrency": 1}
    async with tool("mcp_tool", options) as backend:
        before = await backend.capabilities()
        calling = asyncio.ensure_future(backend.infer(ASK))
        while not backend._calls:  # type: ignore[attr-defined]
            await asyncio.to_thread(list)
        assert await backend.capabilities() == before
        calling.cancel()
        await asyncio.wait([calling])


async def test_of_a_program_that_would_have_to_wait_for_its_turn_to_list() -> None:
    command = ["/bin/sh", "-c", LIST, "sh"]
    options = {"command": [*command, "{model}"], "listing": command, "grace": 0.1, "concurrency": 1}
    async with tool("cli_tool", options) as backend:
        before = await backend.capabilities()
        assert before.ids == {"one:1b"}
        asked = msgspec.structs.replace(ASK, model="one:1b", inputs={"prompt": "hello there\n"})
        answer = await backend.infer(asked)
        assert await backend.capabilities() == before
        answer.close()
