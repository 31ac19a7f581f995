"""The end of `inferd mcp`'s input: what was asked is answered first, and then it ends."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import anyio
import httpx2
import mcp_types as types
import pytest
from mcp.shared.message import SessionMessage

from inferd.cli.client import Client as ToNode
from inferd.cli.line import Line
from inferd.cli.mcp import pass_on
from tests.frontends.fakes import HELLO, FakeBackend, says
from tests.frontends.mcp_clients import ROUTE
from tests.frontends.nodes import PATIENCE, open_node, soon
from tests.node.nodes import RunningNode

INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


def request(id: int, method: str, params: dict[str, Any]) -> SessionMessage:  # noqa: A002
    message = types.JSONRPCRequest(jsonrpc="2.0", id=id, method=method, params=params)
    return SessionMessage(message)


def note(method: str, params: dict[str, Any] | None = None) -> SessionMessage:
    return SessionMessage(types.JSONRPCNotification(jsonrpc="2.0", method=method, params=params))


async def answers_to(asked: Sequence[SessionMessage]) -> list[Any]:
    """Return what a running node answers to an input that holds this and ends."""
    source, read = anyio.create_memory_object_stream[Any](8)
    write, told = anyio.create_memory_object_stream[Any](8)
    with source, read, write, told:
        for message in asked:
            source.send_nowait(message)
        source.close()
        async with open_node(FakeBackend(says(*HELLO))) as node:
            base = f"http://{node.host}"
            async with httpx2.AsyncClient(base_url=base, timeout=PATIENCE) as http:
                line = Line(read, write)
                await soon(pass_on(ToNode(http, base), line.read, line.write))
        write.close()
        return [item.message async for item in told]


async def test_what_was_asked_before_the_end_is_answered() -> None:
    call = {"name": "route_inference_request", "arguments": ROUTE}
    answers = await answers_to(
        [
            request(1, "initialize", INITIALIZE),
            note("notifications/initialized"),
            request(2, "tools/call", call),
        ]
    )
    assert [answer.id for answer in answers] == [1, 2]
    assert answers[1].result["content"][0]["text"] == "Hello"


CALL = request(1, "tools/list", {})
LISTEN = request(1, "subscriptions/listen", {})
CANCEL = note("notifications/cancelled", {"requestId": 1})


@pytest.mark.parametrize(
    ("asked", "most_seconds"),
    [([CALL, CANCEL], PATIENCE), ([LISTEN], PATIENCE), ([CALL], 0)],
    ids=["cancelled", "listening", "too long"],
)
async def test_what_is_never_answered_is_not_waited_for(
    asked: list[SessionMessage], most_seconds: float
) -> None:
    source, read = anyio.create_memory_object_stream[Any](8)
    write, told = anyio.create_memory_object_stream[Any](8)
    with source, read, write, told:
        line = Line(read, write, most_seconds=most_seconds)
        for message in asked:
            source.send_nowait(message)
        source.close()
        assert len(await soon(_all(line))) == len(asked)


async def _all(line: Line) -> list[Any]:
    return [item async for item in line.read]


def test_it_ends_with_its_input_while_a_node_runs(shared_node: RunningNode) -> None:
    command = [sys.executable, "-m", "inferd", "mcp", "--home", str(shared_node.home)]
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}},
    ]
    lines = "".join(json.dumps(message) + "\n" for message in messages)
    ended = subprocess.run(
        command, input=lines, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [json.loads(line)["id"] for line in ended.stdout.splitlines()] == [1, 2]


@pytest.mark.extra
def test_it_leaves_quietly_when_it_is_told_to(shared_node: RunningNode) -> None:
    command = [sys.executable, "-m", "inferd", "mcp", "--home", str(shared_node.home)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}
        program.stdin.write(json.dumps(message) + "\n")
        program.stdin.flush()
        program.stdout.readline()
        program.send_signal(signal.SIGTERM)
        _, said = program.communicate(timeout=60)
    assert program.returncode == 130
    assert said == ""
