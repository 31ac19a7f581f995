"""What is found on this machine, in a whole node: whom it serves, and that nobody waits for it."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from inferd.core.request import Tier
from inferd.discovery import Discoverer, Offer, Servers, Taken
from inferd.node import finding
from inferd.node.finding import FoundBackends
from tests.clocks import HandClock
from tests.discovery.standins import OLLAMA, at
from tests.http1.upstream import BOUND, Received, Wire, serve
from tests.node.inside import served

SECRET = "a-shared-secret-77"
ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "llama3.2:3b",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "from ollama"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
ASK = {"model": "llama3.2:3b", "messages": [{"role": "user", "content": "hello"}]}
RULE = """
[[policy.rules]]
principal = "secret:*"
backends = ["ollama"]
"""


async def ollama(wire: Wire, request: Received) -> None:
    answers = {**OLLAMA, "/v1/chat/completions": ANSWER}
    if request.path in answers:
        await wire.answer(json.dumps(answers[request.path]).encode())
    else:
        await wire.answer(b"404 page not found", status=404, content_type="text/plain")


@pytest.mark.parametrize("toml", ["", RULE], ids=["unnamed", "named"])
async def test_what_is_found_serves_the_owner_until_a_rule_names_it(
    tmp_path: Path, toml: str
) -> None:
    environ = {"INFERENCE_SHARED_SECRET": SECRET}
    async with (
        asyncio.timeout(BOUND),
        served(tmp_path, environ, toml=toml) as (node, client),
        serve(ollama) as upstream,
        asyncio.TaskGroup() as tasks,
    ):
        servers = Servers(node=node.id, own=frozenset(), servers=[at("ollama", upstream.port)])
        clock = HandClock()
        looker = Discoverer([servers], FoundBackends(node.roster), clock, interval=60, is_on=True)
        running = tasks.create_task(looker.run())
        await clock.has_sleepers()
        owner = {"authorization": f"Bearer {node.owner_token}"}
        other = {"authorization": f"Bearer {SECRET}"}
        mine = await client.post("/v1/chat/completions", json=ASK, headers=owner)
        assert mine.json()["choices"][0]["message"]["content"] == "from ollama"
        theirs = await client.post("/v1/chat/completions", json=ASK, headers=other)
        assert theirs.status_code == (200 if toml else 403), theirs.text
        listed = (await client.get("/v1/models", headers=other)).text
        assert ("llama3.2:3b" in listed) == bool(toml)
        assert looker.found[0].backend == "ollama"
        running.cancel()


async def test_what_is_gone_is_let_go(tmp_path: Path) -> None:
    clock = HandClock()
    async with (
        asyncio.timeout(BOUND),
        served(tmp_path) as (node, _),
        asyncio.TaskGroup() as tasks,
    ):
        async with serve(ollama) as upstream:
            servers = Servers(node="", own=frozenset(), servers=[at("ollama", upstream.port)])
            taker = FoundBackends(node.roster)
            looker = Discoverer([servers], taker, clock, interval=60, is_on=True)
            running = tasks.create_task(looker.run())
            await clock.has_sleepers()
            member = node.roster.member("ollama")
            assert (member.is_found, member.backend.tier) == (True, Tier.LOCAL)
        for _ in range(2):
            clock.turn(60)
            await clock.has_sleepers()
        while "ollama" in node.roster:
            await asyncio.to_thread(os.sched_yield)
        assert node.gateway.pool.find("ollama") is None
        running.cancel()


class Hanging:
    """A look that never ends."""

    def __init__(self, *_: object, **__: object) -> None:
        self.began = asyncio.Event()
        LOOKS.append(self)

    async def __call__(self, taken: Sequence[Taken]) -> Sequence[Offer]:
        self.began.set()
        await asyncio.Event().wait()
        return ()


LOOKS: list[Hanging] = []


async def test_nothing_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Servers", "HostedApis", "Programs", "Hardware"):
        monkeypatch.setattr(finding, name, Hanging)
    LOOKS.clear()
    environ = {"INFERD_DISCOVERY__AUTO": "true"}
    async with asyncio.timeout(BOUND), served(tmp_path, environ) as (node, client):
        for look in LOOKS:
            await look.began.wait()
        for path in ("/healthz", "/backends", "/status", "/admin/discovery"):
            answer = await client.get(path)
            assert answer.status_code == 200, path
        told = (await client.get("/admin/discovery")).json()
        assert told == {"on": True, "looked_seconds_ago": None, "found": []}
        assert node.discovery.looked_at is None


async def test_a_look_may_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Servers", "HostedApis", "Hardware"):
        monkeypatch.setattr(finding, name, looks_nowhere)
    async with asyncio.timeout(BOUND), served(tmp_path) as (_, client):
        told = (await client.post("/admin/discovery")).json()
    assert (told["on"], told["looked_seconds_ago"]) == (False, 0)
    assert {"cli:claude", "cli:codex", "cli:gemini"} <= {each["id"] for each in told["found"]}


def looks_nowhere(*_: object, **__: object) -> object:
    return nothing


async def nothing(taken: Sequence[Taken]) -> Sequence[Offer]:
    return ()
