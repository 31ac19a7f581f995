"""What /mcp says of messages that aren't, and of those that come at the wrong time."""

import asyncio
import json
import logging
from typing import Any, cast

import pytest

from tests.frontends.fakes import HELLO, FakeBackend, hangs, says
from tests.frontends.mcp_clients import ROUTE
from tests.frontends.nodes import Node, open_node, soon
from tests.frontends.test_mcp import ACCEPT, HELLO_LEGACY, post

JSON = {"Content-Type": "application/json"}
PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
CALL = {
    "jsonrpc": "2.0",
    "id": 5,
    "method": "tools/call",
    "params": {"name": "route_inference_request", "arguments": ROUTE},
}
WRONG: list[tuple[object, object, str]] = [
    ([PING], None, "batch"),
    ([], None, "batch"),
    (None, None, "null"),
    ("ping", None, "text"),
    ({**PING, "id": 1.5}, None, "id must be"),
    ({**PING, "id": None}, None, "id must be"),
    ({**PING, "id": {"a": 1}}, None, "id must be"),
    ({**PING, "id": True}, None, "id must be"),
    ({"jsonrpc": "2.0", "id": 2}, 2, "method"),
    ({"id": "x", "method": "ping"}, "x", "jsonrpc"),
    ({**PING, "method": 7}, 2, "method"),
    ({**PING, "params": [1]}, 2, "params"),
    ({"jsonrpc": "2.0", "id": 2, "result": 1}, 2, "result"),
]
"""A body, the id that its refusal bears, and a word of it."""


async def opened(node: Node) -> str:
    session = (await post(node, HELLO_LEGACY)).headers["mcp-session-id"]
    known = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    await post(node, known, Mcp_Session_Id=session)
    return session


async def hang_up(node: Node, session: str, backend: FakeBackend) -> None:
    body = json.dumps(CALL)
    async with node.dial() as wire:
        await wire.send(
            f"POST /mcp HTTP/1.1\r\nHost: {node.host}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json, text/event-stream\r\nMcp-Session-Id: {session}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        await soon(backend.entered.wait())


async def test_a_second_request_with_a_running_ones_id_is_refused() -> None:
    backend = FakeBackend(hangs)
    async with open_node(backend) as node:
        session, other = await opened(node), await opened(node)
        first = asyncio.ensure_future(post(node, CALL, Mcp_Session_Id=session))
        await soon(backend.entered.wait())
        second = await post(node, CALL, Mcp_Session_Id=session)
        as_text = await post(node, {**PING, "id": "5"}, Mcp_Session_Id=session)
        elsewhere = await post(node, {**PING, "id": 5}, Mcp_Session_Id=other)
        cancel = {"method": "notifications/cancelled", "params": {"requestId": 5}}
        await post(node, {"jsonrpc": "2.0", **cancel}, Mcp_Session_Id=session)
        answered = await soon(first)
        again = await post(node, {**PING, "id": 5}, Mcp_Session_Id=session)
    refused = second.json()
    assert (second.status_code, refused["id"]) == (400, 5)
    assert refused["error"]["code"] == -32600
    assert refused["error"]["message"] == "id 5 is running"
    assert [as_text.status_code, elsewhere.status_code, again.status_code] == [400, 200, 200]
    assert '"code":-32800' in answered.text
    assert len(backend.requests) == 1


async def test_a_client_that_hangs_up_leaves_no_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = FakeBackend(hangs)
    async with open_node(backend) as node:
        session = await opened(node)
        # The node quietens the package; here everything that it says is heard.
        logging.getLogger("mcp").setLevel(logging.DEBUG)
        caplog.set_level(logging.DEBUG)
        await hang_up(node, session, backend)
        await soon(backend.freed.wait())
        await soon(node.ledger.news.wait())
        again = await post(node, {**PING, "id": 6}, Mcp_Session_Id=session)
        heard = list(caplog.records)
    assert again.status_code == 200
    loud = [row.getMessage() for row in heard if row.levelno > logging.INFO]
    assert loud == []
    assert not [row for row in heard if row.exc_info]


async def test_what_is_no_message_is_refused_in_our_words_in_both_generations() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        session = await opened(node)
        for headers in ({"Mcp-Session-Id": session}, {"MCP-Protocol-Version": "2026-07-28"}):
            for body, id_, word in WRONG:
                said = {**ACCEPT, **JSON, **headers}
                answer = await node.client.post("/mcp", content=json.dumps(body), headers=said)
                told = answer.json()
                assert (answer.status_code, told["id"]) == (400, id_), body
                assert told["error"]["code"] == -32600, body
                assert word in told["error"]["message"], body
                assert "pydantic" not in answer.text


async def test_an_unknown_version_is_told_with_the_known_ones() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        answer = await post(node, PING, MCP_Protocol_Version="1999")
    told = answer.json()
    assert (answer.status_code, told["id"]) == (400, 2)
    assert told["error"]["code"] == -32022
    assert "'1999'" in told["error"]["message"]
    assert told["error"]["data"]["supported"][-2:] == ["2025-11-25", "2026-07-28"]


async def test_another_content_type_is_refused_as_json_rpc() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        for version in ("2025-11-25", "2026-07-28"):
            headers = {**ACCEPT, "Content-Type": "text/plain", "MCP-Protocol-Version": version}
            answer = await node.client.post("/mcp", content=json.dumps(PING), headers=headers)
            assert answer.status_code == 415
            assert answer.json()["error"]["code"] == -32600
            assert "text/plain" in answer.json()["error"]["message"]


async def test_arguments_that_are_no_object_are_refused_with_the_reason() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        session = await opened(node)
        params = {"name": "get_supported_tasks", "arguments": [1]}
        answer = await post(node, {**CALL, "params": params}, Mcp_Session_Id=session)
    told = json.loads(answer.text.partition("data: ")[2])["error"]
    assert told["code"] == -32602
    assert told["message"] == "params.arguments must be an object"


@pytest.mark.parametrize("has_read", [True, False])
async def test_a_session_stays_whose_client_hangs_up_on_its_answer(has_read: bool) -> None:
    from inferd.frontends.mcp.rooms import Rooms

    heard, left = asyncio.Event(), asyncio.Event()

    async def serve(*_: object) -> None:
        heard.set()
        try:
            await asyncio.tasks.sleep(0)
            await asyncio.tasks.sleep(0)
        except asyncio.CancelledError:
            left.set()
            raise

    async with asyncio.TaskGroup() as tasks:
        rooms: Any = Rooms(cast("Any", None), tasks)
        rooms.serve = serve
        opening = asyncio.ensure_future(rooms.open(None, None, None, None, lambda: has_read))
        await soon(heard.wait())
        opening.cancel()
        await asyncio.wait([opening])
    assert left.is_set() != has_read
