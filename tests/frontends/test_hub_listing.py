"""GET /models over a Hub on loopback: pages, then 429, then down."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import pytest

from inferd.core.backend import Model
from inferd.core.request import Tier
from inferd.core.tasks import TASKS
from inferd.hub import Settings, open_hub
from tests.clocks import HandClock
from tests.frontends.fakes import HELLO, FakeBackend, hangs, says
from tests.frontends.nodes import OWNER_TOKEN, Node, open_node
from tests.hub.standin import MODES_THAT_FAIL, Mode, StandIn, many, model, stand_in

pytestmark = pytest.mark.extra

TASK = "text-generation"
TOKEN = "hf_secretsecretsecret"


@asynccontextmanager
async def opened(
    upstream: StandIn, clock: HandClock, *backends: FakeBackend
) -> AsyncGenerator[Node]:
    settings = Settings(endpoint=upstream.url, token=TOKEN, timeout=5, patience=5)
    async with open_hub(settings, clock=clock) as hub, open_node(*backends, hub=hub) as node:
        yield node


async def ask(node: Node, query: str = "") -> httpx2.Response:
    return await node.client.get(f"/models?task={TASK}&include_remote=true{query}")


async def test_pages_by_link() -> None:
    with stand_in(many(25)) as upstream:
        async with opened(upstream, HandClock(), FakeBackend(says(*HELLO))) as node:
            url, seen, links = f"/models?task={TASK}&limit=10&search=model", list[str](), 0
            while url:
                answer = await node.client.get(url)
                assert answer.status_code == 200
                seen += [row["id"] for row in answer.json()]
                assert answer.headers["x-hf-cache"] == "fresh"
                url = answer.links.get("next", {}).get("url", "")
                links += bool(url)
                assert url.count("cursor=") == bool(url)
            assert (len(seen), len(set(seen)), links) == (25, 25, 2)
            whole = await ask(node)
    assert whole.headers["x-total-count"] == "26"
    assert whole.json()[0]["verdict"]["label"] == "Runs here"
    row = whole.json()[1]
    assert row["verdict"]["where"] == "no"
    assert (row["library"], row["parameters"], row["size_bytes"]) == (
        "transformers", 500_000_000, 1_000_000_000,
    )  # fmt: skip


async def test_then_it_is_limited_then_down_and_the_old_list_is_shown() -> None:
    clock = HandClock()
    with stand_in(many(25)) as upstream:
        async with opened(upstream, clock) as node:
            fresh = await ask(node)
            told: tuple[tuple[Mode, str], ...] = (("limited", "HTTP 429"), ("down", "HTTP 503"))
            for mode, words in told:
                clock.turn(700)
                upstream.mode = mode
                answer = await ask(node)
                assert answer.status_code == 200
                assert answer.json() == fresh.json()
                assert answer.headers["x-hf-cache"] == "stale"
                assert words in answer.headers["x-hf-error"]
                assert int(answer.headers["x-hf-age"]) >= 700


@pytest.mark.parametrize("mode", MODES_THAT_FAIL)
async def test_with_nothing_to_show_the_failure_is_the_answer(mode: Mode) -> None:
    with stand_in() as upstream:
        upstream.mode = mode
        async with opened(upstream, HandClock()) as node:
            answer = await ask(node)
            again = await ask(node)
    told = answer.json()
    assert answer.status_code == again.status_code == (429 if mode == "limited" else 502)
    assert told["error"] == "hf_api_failed"
    assert "Hugging Face" in told["reason"]
    assert told["hint"]
    assert TOKEN not in answer.text + str(answer.headers)
    if mode == "limited":
        assert told["hint"] == (
            "Hugging Face rate limit hit. Wait a bit and retry or set HF_TOKEN."
        )
        assert answer.headers["retry-after"] == "30"
    assert len(upstream.asked) == 1


async def test_what_the_node_has_itself_is_shown_though_the_hub_fails() -> None:
    with stand_in() as upstream:
        upstream.mode = "limited"
        async with opened(upstream, HandClock(), FakeBackend(says(*HELLO))) as node:
            answer = await ask(node)
            none = await ask(node, "&search=nothing")
            quiet = await ask(node, "&include_hub=false")
    assert answer.status_code == none.status_code == 200
    assert [row["id"] for row in answer.json()] == ["tiny"]
    assert none.json() == []
    assert (answer.headers["x-hf-cache"], "429" in answer.headers["x-hf-error"]) == ("none", True)
    assert "x-hf-error" not in quiet.headers
    assert answer.headers["x-hf-retry-after"] == "30"
    assert "x-hf-retry-after" not in quiet.headers


async def test_only_who_runs_the_node_is_told_how_to_mend_it() -> None:
    settings = Settings(endpoint="http://127.0.0.1:9", timeout=5, patience=5)
    own = FakeBackend(says(*HELLO))
    async with (
        open_hub(settings, clock=HandClock()) as hub,
        open_node(own, hub=hub, secrets=["s"]) as node,
    ):
        pages = [
            await node.client.get(
                f"/?task={TASK}&ask=hub", headers={"Authorization": f"Bearer {key}"}
            )
            for key in (OWNER_TOKEN, "s")
        ]
    told, quiet = (page.text.partition('class="hub"')[2][:600] for page in pages)
    assert "hub.endpoint" in told
    assert "hub.endpoint" not in quiet
    assert "The list comes back by itself." in quiet


async def test_a_search_is_the_hub_s_to_answer() -> None:
    with stand_in([*many(5), model("acme/lama-7b")]) as upstream:
        async with opened(upstream, HandClock()) as node:
            found = (await ask(node, "&search=LAMA")).json()
    assert [row["id"] for row in found] == ["acme/lama-7b"]
    assert "search=lama" in upstream.asked[0]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("&sort=size", "sort must be one of"),
        ("&gated=perhaps", "gated must be true or false"),
        ("&runnable=2", "runnable must be true or false"),
        (f"&search={'x' * 201}", "search may have 200"),
        (f"&cursor={'x' * 1001}", "cursor may have 1000"),
    ],
)
async def test_a_filter_that_cannot_be_read_is_refused(query: str, words: str) -> None:
    async with open_node() as node:
        answer = await ask(node, query)
    assert answer.status_code == 422
    assert words in answer.json()["reason"]


async def test_the_tasks_are_counted_and_nobody_is_asked() -> None:
    with stand_in(many(25)) as upstream:
        async with opened(upstream, HandClock(), FakeBackend(says(*HELLO))) as node:
            before = (await node.client.get("/models")).json()
            assert upstream.asked == []
            await ask(node)
            after = (await node.client.get("/models")).json()
    assert "sentiment-analysis" in before["available_tasks"]
    assert {each["name"] for each in before["tasks"]} == TASKS.keys()
    counts = [
        (each["models"], each["runnable"])
        for told in (before, after)
        for each in told["tasks"]
        if each["name"] == TASK
    ]
    assert counts == [(1, 1), (26, 1)]


async def test_a_caller_who_leaves_leaves_the_others_their_answer() -> None:
    with stand_in(many(5)) as upstream:
        upstream.mode = "silent"
        async with opened(upstream, HandClock()) as node, node.dial() as wire:
            await wire.send(f"GET /models?task={TASK} HTTP/1.1\r\nHost: {node.host}\r\n\r\n")
            while not upstream.asked:
                assert (await node.client.get("/healthz")).status_code == 200
            wire.hang_up()
            answer = await ask(node, "&limit=5")
    assert answer.status_code == 502
    assert len(upstream.asked) == 1


async def test_a_dead_remote_is_not_waited_for() -> None:
    remote = FakeBackend(
        hangs, "forge", tier=Tier.TEAM, is_node=True, models=(), open_tasks=frozenset(TASKS)
    )
    local = Model(id="here", tasks=frozenset({TASK}))
    with stand_in(many(25)) as upstream:
        async with opened(
            upstream, HandClock(), remote, FakeBackend(hangs, models=(local,))
        ) as node:
            for member in node.gateway.pool:
                member.error = "said nothing within 5 s" if member.name == "forge" else ""
            rows = (await ask(node)).json()
    assert len(rows) == 26
    assert remote.requests == []
    assert rows[1]["verdict"]["reason"].endswith("forge isn’t answering just now.")
