"""The page "Route explain": the sentence, every candidate, the twins, and the real request."""

import html
import re
import shlex
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2

from inferd.core.backend import Model
from inferd.core.errors import BackendUnavailable
from inferd.core.request import Tier
from tests.frontends.fakes import HELLO, FakeBackend, fails, says
from tests.frontends.nodes import Node, open_node

SECRET = {"Authorization": "Bearer s"}
CHAT = frozenset({"chat"})


def backend(name: str, *models: str, tier: Tier = Tier.LOCAL) -> FakeBackend:
    offered = tuple(Model(id=model, tasks=CHAT) for model in models)
    return FakeBackend(says(*HELLO), name, tier=tier, models=offered)


@asynccontextmanager
async def three(**options: object) -> AsyncGenerator[Node]:
    """Run a node with a near place, a far one that has the same, and one that lacks it."""
    backends = (
        backend("near", "big"),
        backend("far", "big", tier=Tier.CLOUD),
        backend("other", "small"),
    )
    async with open_node(*backends, **options) as node:  # pyright: ignore[reportArgumentType]
        yield node


async def visit(node: Node, **query: str) -> str:
    answer = await node.client.get("/explain", params=query, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text[:300]
    node.client.cookies.clear()
    return answer.text


def words(page: str) -> str:
    main = page[page.index("<main") : page.index("</main>")]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


async def test_who_would_answer_and_who_would_carry_on() -> None:
    async with three() as node:
        said = words(await visit(node, task="chat", model="big"))
    assert "near would answer It comes first of the 2 places that pass every gate." in said
    assert "If it failed, far would carry on." in said
    assert "Chosen" in said
    assert "Next in line" in said
    assert "other fake no · not checked" in said
    assert "Refused: no such model It has no model called big for chat." in said
    assert "The rule that lets you in Allowed by" in said


async def test_nowhere_says_why_and_what_to_do() -> None:
    async with three() as node:
        said = words(await visit(node, task="chat", model="nobody-has-this"))
    assert (
        "Nowhere, because no backend here runs nobody-has-this for chat ‘inferd models’ lists"
        in said
    )
    assert "`" not in said


async def test_it_opens_on_chat() -> None:
    async with three() as node:
        page = await visit(node)
    assert '<option value="chat" selected>' in page
    assert "near would answer" in words(page)


async def test_how_far_words_may_travel_narrows_the_choice() -> None:
    async with three() as node:
        page = await visit(node, task="chat", model="big", within="local")
    assert "near would answer" in words(page)
    assert "It is the only place that passes every gate." in words(page)
    assert 'value="local" checked' in page


async def test_the_same_question_elsewhere_is_quoted() -> None:
    async with three() as node:
        page = await visit(node, task="chat", model="it's; rm -rf <b>", within="team")
    assert "--why 'it'\"'\"'s; rm -rf <b>' --task chat" in words(page)
    assert "<b>" not in page[page.index("data-twins") : page.index("data-copy")]


async def test_odd_questions_are_answered() -> None:
    async with three() as node:
        for query in ({"model": "\0"}, {"task": "juggling"}, {"strategy": "x", "within": "moon"}):
            assert "Route explain" in await visit(node, **query)
        said = words(await visit(node, backend="attic"))
    assert "Nowhere, because there is no backend called attic here" in said


async def test_a_guest_asks_for_itself_only() -> None:
    async with three(secrets=["s"]) as node:
        node.client.headers.update(SECRET)
        page = await visit(node, task="chat", model="big", **{"as": "owner"})
        links = (await node.client.get("/more")).text
    assert 'value="owner"' not in page
    assert re.search(r'value="secret:\w+" selected', page)
    assert 'href="/explain"' not in links


async def test_a_place_that_fails_is_told_of() -> None:
    broken = FakeBackend(
        fails(BackendUnavailable("away")), "near", models=(Model(id="big", tasks=CHAT),)
    )
    ask = {"model": "big", "messages": [{"role": "user", "content": "hi"}]}
    async with open_node(broken, backend("far", "big")) as node:
        await node.client.post("/v1/chat/completions", json=ask)
        said = words(await visit(node, task="chat", model="big"))
    assert "far would answer" in said
    assert "near fake yes yes yes no · not checked Asked last: not well Away." in said


def twin(page: str, name: str) -> str:
    found = re.search(rf'<pre [^>]*id="twin-{name}"[^>]*>([^<]*)</pre>', page)
    assert found is not None
    return html.unescape(found[1])


def request_of(command: str) -> tuple[str, dict[str, str], str]:
    """Read a curl command as a shell does: its URL, its headers and its body."""
    words = shlex.split(command.removeprefix("$ ").replace("\\\n", " "))
    assert words[0] == "curl"
    options = list(zip(words[2::2], words[3::2], strict=True))
    headers = dict(value.split(": ") for name, value in options if name == "-H")
    return words[1], headers, next(value for name, value in options if name == "-d")


async def test_the_request_that_is_shown_works_as_it_stands() -> None:
    async with three() as node:
        page = await visit(node, task="chat", model="big", within="local")
        url, headers, body = request_of(twin(page, "http"))
        assert "Authorization" not in headers
        async with httpx2.AsyncClient() as stranger:
            answer = await stranger.post(url, headers=headers, content=body)
    assert answer.status_code == 200, answer.text
    assert [one["backend"] for one in answer.json()["candidates"] if one["order"]] == ["near"]


async def test_the_request_that_is_shown_has_a_secret_where_the_node_wants_one() -> None:
    async with three(secrets=["s"]) as node:
        node.client.headers.update(SECRET)
        page = await visit(node, task="chat", model="big")
        url, headers, _ = request_of(twin(page, "http"))
        assert headers["Authorization"] == "Bearer $INFERD_TOKEN"
        assert url == f"http://{node.host}/admin/explain"


async def test_the_command_asks_what_the_page_asked() -> None:
    async with three() as node:
        page = await visit(node, task="chat", backend="far")
    assert shlex.split(twin(page, "cli").replace("\\\n", " ")) == [
        "$", "inferd", "models", "--why", "", "--task", "chat", "--backend", "far"
    ]  # fmt: skip
