"""The page "Backends": what it says of each, of the last hour, and to whom."""

import html
import json
import re
from typing import Any

import msgspec

from inferd.core.backend import BackendType, Model
from inferd.core.errors import BackendUnavailable
from inferd.core.found import Found, Verdict
from inferd.core.request import Tier
from inferd.frontends.web import found_rows
from inferd.frontends.web.sparks import spark
from inferd.gateway.admission.policy import Rule
from tests.frontends.fakes import HELLO, FakeBackend, fails, says
from tests.frontends.nodes import Node, open_node

SECRET = {"Authorization": "Bearer s"}
ASK = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
CHAT = frozenset({"chat"})


async def visit(node: Node, status: int = 200, **query: str) -> str:
    answer = await node.client.get("/backends", params=query, headers={"Accept": "text/html"})
    assert answer.status_code == status, answer.text[:300]
    # What follows is a program's: it has no session, and so needs no token.
    node.client.cookies.clear()
    return answer.text


def words(page: str) -> str:
    main = page[page.index("<main") : page.index("</main>")]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


def data(page: str) -> Any:
    found = re.search(r'id="page-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


async def test_each_backend_s_state_and_what_it_did() -> None:
    broken = fails(BackendUnavailable("attic is away"))
    backends = (
        FakeBackend(says(*HELLO), "forge", tier=Tier.TEAM),
        FakeBackend(broken, "attic", models=(Model(id="far", tasks=CHAT),)),
    )
    async with open_node(*backends) as node:
        before = words(await visit(node))
        assert (await node.client.post("/v1/chat/completions", json=ASK)).status_code == 200
        await node.client.post("/v1/chat/completions", json={**ASK, "model": "far"})
        page = await visit(node)
    assert "All 2 answer." in before
    assert "Nothing was asked in the last hour." in before
    said = words(page)
    assert "1 of 2 answer; attic doesn’t." in said
    assert "attic here · fake Failing attic is away. Tried again in 1 s." in said
    assert "Backend failures 50 % backends failed 1 of 2" in said
    assert [line["name"] for line in data(page)["chart"]["series"]] == ["forge"]
    assert re.search(r'data-part="badge-backends">1 down<', page)


async def test_an_open_row_names_models_and_facts() -> None:
    async with open_node(FakeBackend(says(*HELLO), "forge")) as node:
        closed, opened = words(await visit(node)), words(await visit(node, open="forge"))
        assert "Breaker closed: it takes requests" not in closed
        assert "Breaker closed: it takes requests" in opened
        assert "1 model tiny Facts" in opened
        assert "Facts" not in words(await visit(node, open="<nobody>"))


async def test_it_is_for_those_who_may_see_usage_and_says_only_what_they_may_see() -> None:
    rules = [Rule(principal="secret:*", actions=("list", "usage"), models=("near",))]
    models = [Model(id=name, tasks=CHAT) for name in ("near", "other")]
    backends = [FakeBackend(says(*HELLO), m.id, models=(m,)) for m in models]
    async with open_node(*backends, secrets=["s"], rules=rules) as node:
        node.client.headers.update(SECRET)
        page = await visit(node)
    assert "near" in words(page)
    assert "other" not in words(page)
    assert "data-add" not in page
    async with open_node(*backends, secrets=["s"]) as node:
        node.client.headers.update(SECRET)
        await visit(node, status=403)
        assert 'href="/backends"' not in (await node.client.get("/more")).text


async def test_names_are_words_and_no_markup() -> None:
    evil = '"><img src=x onerror=alert(1)>{{7*7}}'
    broken = fails(BackendUnavailable(evil))
    model = Model(id=evil, tasks=CHAT)
    async with open_node(FakeBackend(broken, "one", models=(model,)), FakeBackend(broken)) as node:
        await node.client.post("/v1/chat/completions", json={**ASK, "model": evil})
        page = await visit(node, open="one")
    assert "<img" not in page
    assert evil in words(page)


def test_a_spark_has_lines_where_something_happened_and_dashes_elsewhere() -> None:
    drawn = spark([None, 1.0, 2.0, None, 3.0, None], "an hour")
    assert drawn.lines.count("M") == 1
    assert drawn.gaps.count("M") == 3
    assert drawn.last is not None
    assert spark([None, None], "none").lines == ""
    assert "nan" not in repr(spark([0.0, 0.0], "flat"))


def test_what_was_found_says_what_to_do() -> None:
    ollama = Found(
        id="ollama", name="Ollama", kind="openai", type=BackendType.API, verdict=Verdict.USABLE,
        reason="it answers", endpoint="http://127.0.0.1:11434", toml="[[backends]]",
        models=("a", "b", "c", "d", "e"),
    )  # fmt: skip
    (row,) = found_rows.rows([ollama])
    assert (row.act, row.mark, row.icon) == ("Use it", "ok", "server")
    assert row.why == "It answers. Models: a, b, c and 2 more."
    away = msgspec.structs.replace(ollama, id="vllm", name="vLLM", verdict=Verdict.NOT_THERE)
    ours = msgspec.structs.replace(ollama, id="backend:near", verdict=Verdict.IN_USE)
    shown, folded = found_rows.groups(found_rows.others([ollama, ours, away]))
    assert [each.id for each in shown.rows] == ["ollama"]
    assert folded.summary == "1 isn’t there: vLLM"


async def test_lines_of_one_tier_have_a_dash_each() -> None:
    names = ("a", "b", "c", "d", "e")
    models = [Model(id=name, tasks=CHAT) for name in names]
    backends = [FakeBackend(says(*HELLO), model.id, models=(model,)) for model in models]
    async with open_node(*backends) as node:
        for name in names:
            await node.client.post("/v1/chat/completions", json={**ASK, "model": name})
        page = await visit(node)
    assert [line["dash"] for line in data(page)["chart"]["series"]] == [0, 1, 2, 3, 4]
    assert "Backend failures 0 % backends failed none of 5" in words(page)
