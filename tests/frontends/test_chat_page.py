"""The chat page as the server draws it: who could answer, and what reads without a script."""

import html
import json
import re
from typing import Any

import pytest

from inferd.core.backend import Model
from inferd.core.request import Action, Tier
from inferd.gateway.admission.policy import Rule
from tests.frontends.fakes import HELLO, FakeBackend, says
from tests.frontends.nodes import Node, open_node

SECRET = {"Authorization": "Bearer s"}
QUOTER = Model(id="inferd-docs", tasks=frozenset({"chat"}))
HOSTILE = '"><script>alert(1)</script>{{7*7}}'
_DATA = re.compile(r'<script type="application/json" id="page-data">(.*?)</script>', re.DOTALL)


def place(name: str, *models: str, tier: Tier = Tier.LOCAL) -> FakeBackend:
    offered = tuple(Model(id=each, tasks=frozenset({"chat"})) for each in models)
    return FakeBackend(
        says(*HELLO), name, models=offered, tier=tier, is_node=tier is not Tier.LOCAL
    )


def quoter() -> FakeBackend:
    return FakeBackend(says(*HELLO), "local", models=(QUOTER,))


async def visit(node: Node, path: str = "/chat", status: int = 200, **query: str) -> str:
    answer = await node.client.get(path, params=query, headers={"Accept": "text/html"})
    assert answer.status_code == status, answer.text[:300]
    return answer.text


def told(page: str) -> Any:
    """Return what the page's script is given."""
    found = _DATA.search(page)
    assert found is not None
    return json.loads(found[1])


async def test_every_place_of_a_model_is_told_with_its_tier() -> None:
    forge = place("forge", "acme/big", tier=Tier.TEAM)
    async with open_node(quoter(), place("gpu", "acme/big"), forge) as node:
        data = told(await visit(node))
    assert data["can_chat"] is True
    [big] = [row for row in data["rows"] if row["id"] == "acme/big"]
    assert [(run["backend"], run["tier"]) for run in big["runs"]] == [
        ("gpu", "local"),
        ("forge", "team"),
    ]
    assert set(big["runs"][0]) == {"backend", "source", "tier", "usable", "reason"}


async def test_where_only_the_quoter_answers_the_page_opens_and_knows_it() -> None:
    async with open_node(quoter()) as node:
        page = await visit(node)
    assert "No model here can chat yet" not in page
    assert not re.search(r"<div class=\"chat\"[^>]* hidden", page)
    assert told(page)["can_chat"] is True
    assert told(page)["only_quotes"] is True


async def test_a_node_without_any_chat_model_promises_none() -> None:
    async with open_node() as node:
        page = await visit(node)
    assert "No model here can chat yet" in page
    assert re.search(r"<div class=\"chat\"[^>]* hidden", page)
    assert told(page)["can_chat"] is False


async def test_without_a_script_one_question_is_asked_by_a_form() -> None:
    async with open_node(place("gpu", "acme/big")) as node:
        page = await visit(node, q="What is a cat?")
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)
        assert csrf is not None
        assert 'action="/try"' in page
        assert ">What is a cat?</textarea>" in page
        fields = {
            "csrf": csrf[1],
            "task": "chat",
            "model": "acme/big",
            "field.messages": "What is a cat?",
        }
        answer = await node.client.post("/try", data=fields)
    assert answer.status_code == 200
    assert "Hello" in answer.text


async def test_words_in_the_address_are_words() -> None:
    async with open_node(place("gpu", HOSTILE)) as node:
        page = await visit(node, q=HOSTILE, model=HOSTILE)
    assert "<script>alert" not in page
    assert [html.unescape(each) for each in re.findall(r"<option[^>]*>([^<]*)", page)] == [HOSTILE]
    assert told(page)["rows"][0]["id"] == HOSTILE


@pytest.mark.parametrize(
    ("actions", "status"), [((Action.LIST,), 403), ((Action.INFER,), 200)], ids=str
)
async def test_it_is_for_who_may_ask(actions: tuple[str, ...], status: int) -> None:
    rules = [Rule(principal="secret:*", actions=actions)]
    async with open_node(place("gpu", "acme/big"), secrets=["s"], rules=rules) as node:
        node.client.headers.update(SECRET)
        await visit(node, status=status)


async def test_a_place_that_policy_hides_is_not_named() -> None:
    rules = [Rule(principal="secret:*", tier=Tier.LOCAL)]
    cloud = place("far", "acme/big", tier=Tier.CLOUD)
    async with open_node(place("gpu", "acme/big"), cloud, secrets=["s"], rules=rules) as node:
        node.client.headers.update(SECRET)
        data = told(await visit(node))
    assert "far" not in json.dumps(data["rows"])
