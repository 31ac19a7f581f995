"""Who may open a WebSocket: as for HTTP, and stricter with browsers."""

import asyncio
from collections.abc import Mapping

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from inferd.core.request import Action
from inferd.frontends._http.settings import HttpSettings
from inferd.frontends.websocket.settings import SocketSettings
from inferd.gateway.admission.policy import Rule
from tests.clocks import HandClock
from tests.frontends.browsers import Browser
from tests.frontends.fakes import HELLO, FakeBackend, hangs, says
from tests.frontends.nodes import Node, Way, open_node, soon
from tests.frontends.sockets import dial

KEY = "a-shared-secret"
BEARER = {"Authorization": f"Bearer {KEY}"}
ASK = {"model": "tiny", "inputs": "Hi", "request_id": "r1"}
BOTH = pytest.mark.parametrize("way", [Way.NATIVE, Way.UVICORN])
WAYS = pytest.mark.parametrize(
    "way", [Way.NATIVE, pytest.param(Way.UVICORN, marks=pytest.mark.extra)]
)


async def refused(
    node: Node, headers: Mapping[str, str] | None = None, client_id: str = "me"
) -> tuple[int, bytes]:
    with pytest.raises(InvalidStatus) as caught:
        async with dial(node, client_id, headers=headers):
            raise AssertionError("let in")
    response = caught.value.response
    return response.status_code, bytes(response.body or b"")


@BOTH
async def test_without_a_credential_nobody_is_let_in(way: Way) -> None:
    async with open_node(FakeBackend(says(*HELLO)), secrets=[KEY], way=way) as node:
        status, body = await refused(node)
        assert status == 401
        assert b"Authorization: Bearer" in body
        assert (await refused(node, {"Authorization": "Bearer wrong"}))[0] == 401
        async with dial(node, headers=BEARER) as talker:
            [*_, told] = await talker.ask(**ASK)
            assert told["type"] == "inference_result"


@WAYS
async def test_other_pages_and_hosts_are_kept_out(way: Way) -> None:
    async with open_node(FakeBackend(says(*HELLO)), way=way) as node:
        assert (await refused(node, {"Origin": "https://evil.example"}))[0] == 403
        assert (await refused(node, {"Origin": f"http://{node.host}"}))[0] == 401
        assert (await refused(node, {"Origin": "null"}))[0] == 403
        # What a browser alone can say, and a listed page: neither is the owner.
        assert (await refused(node, {"Sec-Fetch-Site": "cross-site"}))[0] == 401
        assert (await refused(node, {"X-Forwarded-For": "203.0.113.9"}))[0] == 401
        assert (await refused(node, {"X-Inference-Tier": "moon"}))[0] == 400
        assert (await refused(node, client_id="a%20b"))[0] == 400
        assert (await refused(node, client_id="x" * 129))[0] == 400
        async with node.dial() as wire:
            await wire.send(_handshake("evil.example"))
            assert b" 421 " in await wire.until(b"\r\n")


async def test_a_listed_page_has_no_session_here() -> None:
    settings = HttpSettings(cors_origins=("https://app.example",))
    async with open_node(FakeBackend(says(*HELLO)), settings=settings) as node:
        status, _ = await refused(node, {"Origin": "https://app.example"})
        assert status == 401


@WAYS
async def test_a_page_of_this_node_speaks_with_its_session(way: Way) -> None:
    async with open_node(FakeBackend(says(*HELLO)), way=way) as node, Browser(node) as browser:
        await browser.visit("/")
        cookie = {"Cookie": f"{browser.name}={browser.cookie}"}
        own = {"Origin": f"http://{node.host}"}
        async with dial(node, headers=cookie | own) as talker:
            [*_, told] = await talker.ask(**ASK)
            assert told["type"] == "inference_result"
        for elsewhere in ({"Origin": "http://localhost:1"}, {"Origin": "null"}):
            assert (await refused(node, cookie | elsewhere))[0] == 403
        assert (await refused(node, cookie | {"Sec-Fetch-Site": "same-site"}))[0] == 401


async def test_a_plain_request_is_told_to_upgrade_and_other_paths_have_no_websocket() -> None:
    async with open_node(FakeBackend(says(*HELLO)), secrets=[KEY]) as node:
        assert (await node.client.get("/ws/me")).status_code == 401
        answer = await node.client.get("/ws/me", headers=BEARER)
        assert answer.status_code == 426
        assert answer.json()["hint"]
        async with node.dial() as wire:
            await wire.send(_handshake("localhost").replace("/ws/me", "/inference"))
            assert b" 404 " in await wire.until(b"\r\n")


async def test_one_caller_has_so_many_and_others_have_their_own() -> None:
    sockets = SocketSettings(connections=2)
    async with (
        open_node(FakeBackend(hangs), secrets=[KEY, "b"], sockets=sockets) as node,
        dial(node, headers=BEARER),
        dial(node, headers=BEARER) as second,
    ):
        status, body = await refused(node, BEARER)
        assert status == 429
        assert b"close one" in body
        async with dial(node, headers={"Authorization": "Bearer b"}):
            pass
        await second.line.close()
        await soon(_let_in(node))


async def _let_in(node: Node) -> None:
    """Try until the place that was left has been given back."""
    while True:
        try:
            async with dial(node, headers=BEARER):
                return
        except InvalidStatus:
            await asyncio.get_running_loop().run_in_executor(None, list)


async def test_what_the_rules_do_not_allow_is_refused_within() -> None:
    rules = [Rule(principal="secret:*", actions=(Action.LIST,))]
    async with (
        open_node(FakeBackend(says(*HELLO)), secrets=[KEY], rules=rules) as node,
        dial(node, headers=BEARER) as talker,
    ):
        [*_, told] = await talker.ask(**ASK, details=True)
        assert told["details"]["kind"] == "permission_denied"
    rules = [Rule(principal="secret:*", actions=(Action.INFER,))]
    async with (
        open_node(FakeBackend(says(*HELLO)), secrets=[KEY], rules=rules) as node,
        dial(node, headers=BEARER) as talker,
    ):
        for topics in (["status"], ["inference", "queue"]):
            await talker.say(type="subscribe", topics=topics)
            assert (await talker.hear())["type"] == "error"
        await talker.say(type="subscribe", topics=["inference"])
        assert (await talker.hear())["type"] == "subscribed"


async def test_a_credential_that_is_taken_away_ends_its_websocket() -> None:
    backend = FakeBackend(hangs)
    async with open_node(backend, secrets=[KEY]) as node, dial(node, headers=BEARER) as talker:
        await talker.say(type="inference", **ASK)
        await soon(backend.entered.wait())
        credentials = node.credentials
        credentials._holders.clear()  # pyright: ignore[reportPrivateUsage]
        credentials.version += 1
        await talker.say(type="ping")
        code, reason = await talker.closed()
        assert (code, bool(reason)) == (1008, True)
        await soon(backend.freed.wait())


async def test_a_silent_websocket_is_looked_at_each_minute() -> None:
    clock = HandClock()
    async with (
        open_node(FakeBackend(hangs), secrets=[KEY], clock=clock) as node,
        dial(node, headers=BEARER) as talker,
    ):
        node.credentials._holders.clear()  # pyright: ignore[reportPrivateUsage]
        for _ in range(12):
            await soon(clock.has_sleepers())
            clock.turn(5.0)
            await asyncio.get_running_loop().run_in_executor(None, list)
        assert (await talker.closed())[0] == 1008
        with pytest.raises(ConnectionClosed):
            await talker.say(type="ping")


def _handshake(host: str) -> str:
    return (
        f"GET /ws/me HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
