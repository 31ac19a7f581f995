"""`inferd mcp`: the protocol on standard input and output."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest

from inferd.cli.client import Client as ToNode
from inferd.node.node import running
from tests.frontends.fakes import HELLO, FakeBackend, hangs, says
from tests.frontends.mcp_clients import FIVE, GENERATIONS, ROUTE, text_of
from tests.frontends.nodes import PATIENCE, Node, open_node, soon
from tests.node.nodes import run_node

if TYPE_CHECKING:
    from mcp import Client


@asynccontextmanager
async def through(node: Node, generation: str) -> AsyncGenerator["Client"]:
    """A client whose messages the command passes on to a node."""
    from mcp import Client

    from inferd.cli.mcp import pass_on

    asked, read = anyio.create_memory_object_stream[Any](8)
    write, told = anyio.create_memory_object_stream[Any](8)

    @asynccontextmanager
    async def line() -> AsyncGenerator[Any]:
        yield told, asked

    base = f"http://{node.host}"
    with asked, read, write, told:
        async with (
            httpx2.AsyncClient(base_url=base, timeout=PATIENCE) as http,
            running(relay=pass_on(ToNode(http, base), read, write)),
            Client(line(), mode=generation, cache=None) as client,
        ):
            yield client


@GENERATIONS
async def test_messages_are_passed_on_to_the_running_node(generation: str) -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node, through(node, generation) as client:
        tools = (await client.list_tools()).tools
        result = await client.call_tool("route_inference_request", ROUTE)
        status = await client.read_resource("inferd://status")
    assert [tool.name for tool in tools][:5] == FIVE
    assert text_of(result) == "Hello"
    assert json.loads(status.contents[0].model_dump()["text"])["total_requests"] == 1


@pytest.mark.extra
@GENERATIONS
async def test_a_cancelled_call_is_cancelled_on_the_node(generation: str) -> None:
    backend = FakeBackend(hangs)
    async with open_node(backend) as node, through(node, generation) as client:
        call = asyncio.ensure_future(client.call_tool("route_inference_request", ROUTE))
        await soon(backend.entered.wait())
        call.cancel()
        await soon(backend.freed.wait())


async def _ask(home: Path, generation: str) -> list[Any]:
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters

    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "inferd", "mcp", "--home", str(home)],
        env={"HF_HUB_OFFLINE": "1", "INFERD_DISCOVERY__AUTO": "false"},
    )
    async with Client(command, mode=generation) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        asked = {"task": "text-classification", "model": "", "inputs": "I love it"}
        result = await client.call_tool("route_inference_request", asked)
        return [tools, result.structured_content, client.protocol_version]


@pytest.mark.extra
@pytest.mark.timeout(120)
@GENERATIONS
async def test_as_a_program_with_a_node_of_its_own(tmp_path: Path, generation: str) -> None:
    tools, answer, version = await _ask(tmp_path, generation)
    assert tools[:5] == FIVE
    assert answer["result"]["result"][0]["label"] == "positive"
    assert (version == "2026-07-28") == (generation != "legacy")


@pytest.mark.extra
@pytest.mark.timeout(120)
@GENERATIONS
async def test_as_a_program_beside_a_running_node(tmp_path: Path, generation: str) -> None:
    with run_node(tmp_path) as node:
        _, answer, _ = await _ask(tmp_path, generation)
        assert answer["node"] == node.id
    assert "text-classification" in (tmp_path / "log").read_text()
