"""/mcp on a real socket: who may, sessions, leaving, progress, and what changes."""

import asyncio
import json

import httpx2
import pytest

from inferd.core.backend import Model
from inferd.gateway.routing.member import Member
from tests.clocks import HandClock
from tests.frontends.fakes import HELLO, FakeBackend, hangs, hangs_mid_stream, says
from tests.frontends.mcp_clients import ALICE, BOB, GENERATIONS, ROUTE, bearer, open_client
from tests.frontends.nodes import OWNER_TOKEN, PATIENCE, Node, open_node, soon

HELLO_LEGACY = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


async def post(node: Node, body: object, **headers: str) -> httpx2.Response:
    said = {**ACCEPT, **{name.replace("_", "-"): text for name, text in headers.items()}}
    return await node.client.post("/mcp", json=body, headers=said)


async def test_a_session_is_nobody_elses() -> None:
    async with open_node(FakeBackend(says(*HELLO)), secrets=[ALICE, BOB]) as node:
        opened = await post(node, HELLO_LEGACY, **bearer(ALICE))
        session = opened.headers["mcp-session-id"]
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        own = await post(node, ping, Mcp_Session_Id=session, **bearer(ALICE))
        stolen = await post(node, ping, Mcp_Session_Id=session, **bearer(BOB))
        gone = await node.client.delete(
            "/mcp", headers={"Mcp-Session-Id": session, **bearer(ALICE)}
        )
        after = await post(node, ping, Mcp_Session_Id=session, **bearer(ALICE))
    assert [own.status_code, stolen.status_code] == [200, 404]
    assert [gone.status_code, after.status_code] == [200, 404]


@pytest.mark.extra
async def test_nobody_opens_sessions_without_end() -> None:
    from inferd.frontends.mcp.rooms import MOST_SESSIONS

    async with open_node(FakeBackend(says(*HELLO)), secrets=[ALICE, BOB]) as node:
        opened = [
            (await post(node, HELLO_LEGACY, **bearer(ALICE))).status_code
            for _ in range(MOST_SESSIONS + 1)
        ]
        other = await post(node, HELLO_LEGACY, **bearer(BOB))
    assert opened == [200] * MOST_SESSIONS + [503]
    assert other.status_code == 200


async def test_it_is_as_closed_as_every_other_way_in() -> None:
    async with open_node(FakeBackend(says(*HELLO)), secrets=[ALICE]) as node:
        unknown = await post(node, HELLO_LEGACY)
        wrong = await post(node, HELLO_LEGACY, **bearer("guessed"))
        owner = bearer(OWNER_TOKEN)
        foreign = await post(node, HELLO_LEGACY, Origin="https://evil.example", **owner)
        rebound = await post(node, HELLO_LEGACY, Host="evil.example", **owner)
        huge = await node.client.post(
            "/mcp", content=b" " * (20 << 20) + b"  ", headers={**ACCEPT, **owner}
        )
        many = await node.client.post(
            "/mcp", content=b"[" + b"[]," * 300_000 + b"[]]", headers={**ACCEPT, **owner}
        )
        listening = await node.client.get("/mcp")
    refused = [unknown, wrong, listening]
    assert [answer.status_code for answer in refused] == [401] * 3
    assert [answer.status_code for answer in (foreign, rebound)] == [403, 421]
    assert [answer.status_code for answer in (huge, many)] == [413, 413]
    for answer in (*refused, foreign, rebound, huge, many):
        assert answer.json()["jsonrpc"] == "2.0"
        assert answer.json()["error"]["data"]["request_id"]


async def test_what_isnt_json_is_refused_in_the_protocols_words() -> None:
    bodies = [b"", b"{", b"\xff", b'{"id":NaN}', b'{"id":"\\ud800"}', b'{"id":' + b"[" * 2000]
    async with open_node(FakeBackend(says(*HELLO))) as node:
        for body in bodies:
            for version in ("2025-11-25", "2026-07-28", "1999-01-01"):
                headers = {**ACCEPT, "MCP-Protocol-Version": version}
                answer = await node.client.post("/mcp", content=body, headers=headers)
                assert answer.status_code == 400
                assert answer.json()["error"]["code"] == -32700


@GENERATIONS
async def test_cancelling_a_call_frees_the_backend(generation: str) -> None:
    backend = FakeBackend(hangs)
    async with open_node(backend) as node, open_client(node, generation) as client:
        call = asyncio.ensure_future(client.call_tool("route_inference_request", ROUTE))
        await soon(backend.entered.wait())
        call.cancel()
        await soon(backend.freed.wait())
        await soon(node.ledger.news.wait())
        again = await client.call_tool("get_backend_status", {})
    assert not again.is_error
    assert [row.outcome for row in node.ledger.rows] == ["aborted"]


async def test_a_client_that_leaves_frees_the_backend_in_a_session_too() -> None:
    backend = FakeBackend(hangs)
    async with open_node(backend) as node:
        session = (await post(node, HELLO_LEGACY)).headers["mcp-session-id"]
        known = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await post(node, known, Mcp_Session_Id=session)
        params = {"name": "route_inference_request", "arguments": ROUTE}
        body = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params})
        async with node.dial() as wire:
            await wire.send(
                f"POST /mcp HTTP/1.1\r\nHost: {node.host}\r\nContent-Type: application/json\r\n"
                f"Accept: application/json, text/event-stream\r\nMcp-Session-Id: {session}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}"
            )
            await soon(backend.entered.wait())
        await soon(backend.freed.wait())
        await soon(node.ledger.news.wait())
    assert [row.outcome for row in node.ledger.rows] == ["aborted"]


@GENERATIONS
async def test_progress_is_told_to_who_asks(generation: str) -> None:
    clock, heard = HandClock(), asyncio.Queue[tuple[float, str | None]]()
    backend = FakeBackend(hangs_mid_stream)

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        heard.put_nowait((progress, message))

    async with open_node(backend, clock=clock) as node, open_client(node, generation) as client:
        call = asyncio.ensure_future(
            client.call_tool("text_generation", {"prompt": "Hi"}, progress_callback=listen)
        )
        told: list[tuple[float, str | None]] = []
        async with asyncio.timeout(PATIENCE):
            while len(told) < 2 or "writing" not in (told[-1][1] or ""):
                await clock.has_sleepers()
                clock.turn(1.0)
                while not heard.empty():
                    told.append(heard.get_nowait())
                await asyncio.tasks.sleep(0)
        call.cancel()
        await soon(backend.freed.wait())
    assert [progress for progress, _ in told] == sorted({progress for progress, _ in told})
    assert backend.requests[0].stream


async def test_a_change_of_what_can_be_run_is_told_to_both_generations() -> None:
    clock = HandClock()
    backend = FakeBackend(says(*HELLO))
    heard = asyncio.Event()

    async def hear(message: object) -> None:
        if type(message).__name__ == "ToolListChangedNotification":
            heard.set()

    async with (
        open_node(backend, clock=clock) as node,
        open_client(node, "legacy", message_handler=hear) as old,
        open_client(node, "2026-07-28") as new,
        new.listen(tools_list_changed=True) as subscription,
    ):
        assert "fill_mask" not in [tool.name for tool in (await old.list_tools()).tools]
        masks = Model(id="bert", tasks=frozenset({"fill-mask"}))
        node.gateway.pool.add(
            Member(FakeBackend(says(*HELLO), "other", models=(masks,)), priority=0)
        )
        async with asyncio.timeout(PATIENCE):
            while not heard.is_set():
                await clock.has_sleepers()
                clock.turn(2.0)
                await asyncio.tasks.sleep(0)
            event = await anext(aiter(subscription))
        tools = [tool.name for tool in (await new.list_tools()).tools]
    assert type(event).__name__ == "ToolsListChanged"
    assert "fill_mask" in tools


async def test_who_only_listens_holds_up_no_stop() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        session = (await post(node, HELLO_LEGACY)).headers["mcp-session-id"]
        said = {"Accept": "text/event-stream", "Mcp-Session-Id": session}
        async with (
            node.client.stream("GET", "/mcp", headers=said) as listening,
            open_client(node, "2026-07-28") as client,
            client.listen(tools_list_changed=True) as subscription,
        ):
            assert listening.status_code == 200
            node.gateway.pool.events.close()
            assert [event async for event in subscription] == []
            await soon(listening.aread())
