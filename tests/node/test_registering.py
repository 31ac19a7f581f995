"""Backends that the operator registers over HTTP: what may be asked for, by whom."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx2
import msgspec
import pytest

from inferd.config.load import load
from inferd.node import registry
from tests.http1.upstream import Received, Upstream, Wire, serve
from tests.node.inside import served

JSON = "application/json"
SECRET = "of-an-admin-who-is-not-the-owner"
ADMIN = {"Authorization": f"Bearer {SECRET}"}
STRANGER = f"""
[auth]
shared_secrets = ["{SECRET}"]
[[policy.rules]]
principal = "secret:*"
actions = ["*"]
"""
BOUND = """
[[secrets]]
name = "up"
value = "words-that-nobody-may-see"
hosts = ["127.0.0.1"]
[[secrets]]
name = "elsewhere"
value = "words-for-somebody-else"
hosts = ["api.example"]
"""

REFUSED: list[tuple[dict[str, object], int, str]] = [
    ({"kind": "quantum"}, 422, "kinds that can be: openai"),
    ({"kind": "cli_tool"}, 422, "can't be registered over HTTP"),
    ({"kind": "local"}, 422, "can't be registered over HTTP"),
    ({"argv": ["sh"]}, 400, "unknown field"),
    ({"options": {"argv": ["sh"]}}, 422, "no option that may come over HTTP"),
    ({"options": {"headers": {"x": "file:/etc/passwd"}}}, 422, "no option that may"),
    ({"options": {"usage": "often"}}, 422, "Expected `bool`"),
    ({"api_key": "sk-something"}, 422, "secrets don't come over HTTP"),
    ({"api_key": "env:HOME"}, 422, "secrets don't come over HTTP"),
    ({"api_key": "secret:none"}, 403, "no [[secrets]] table lets"),
    ({"api_key": "secret:elsewhere"}, 403, "no [[secrets]] table lets"),
    ({"base_url": "file:///etc/passwd"}, 422, "http:// or https://"),
    ({"base_url": "http://me:pw@127.0.0.1/"}, 422, "user name or password"),
    ({"name": "Not A Name"}, 422, "lower-case letters"),
    ({"tier": "galaxy"}, 422, "'cloud'"),
    ({"timeout": -1}, 422, "timeout"),
    ({"tasks": ["text-to-image"]}, 422, "it does chat"),
    ({"tasks": ["paint"]}, 422, "a task is one of "),
    ({"models": ["a\r\nb"]}, 422, "printable text of 1 to 256"),
    ({"models": {"a": "b\x00"}}, 422, "printable text of 1 to 256"),
    ({"models": ["x" * 257]}, 422, "printable text of 1 to 256"),
    ({"models": [f"m{number}" for number in range(10_001)]}, 422, "10000 are the most"),
    ({"models": [""]}, 422, 'models.\\"\\": expected a text that isn\'t empty","hint'),
    ({"timeout": 1e300}, 422, "up to 86400 seconds"),
    ({"priority": 10**15}, 422, "from -1000000 to 1000000"),
    ({"priority": 10**30}, 422, "from -1000000 to 1000000"),
    ({"priority": -(10**15)}, 422, "from -1000000 to 1000000"),
    ({"protocols": ["grpc"]}, 422, "it speaks http"),
]
"""What is added to a sound wish, the status, and what is told."""


async def _answer(wire: Wire, received: Received) -> None:
    if received.path.endswith("/models"):
        body: object = {"object": "list", "data": [{"id": "acme/one", "object": "model"}]}
    else:
        message = {"role": "assistant", "content": "Hello."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = {"id": "c", "object": "chat.completion", "model": "acme/one", "choices": [choice]}
    await wire.answer(msgspec.json.encode(body), headers={"content-type": JSON})


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with serve(_answer) as found:
        yield found


def wish(upstream: Upstream, **more: object) -> dict[str, object]:
    return {"name": "up", "kind": "openai", "base_url": f"{upstream.url}/v1", **more}


async def add(
    client: httpx2.AsyncClient, what: Mapping[str, object], **headers: str
) -> httpx2.Response:
    return await client.post("/admin/backends", json=dict(what), headers=headers)


async def chat(client: httpx2.AsyncClient) -> int:
    body = {"model": "acme/one", "messages": [{"role": "user", "content": "Hi"}]}
    return (await client.post("/v1/chat/completions", json=body)).status_code


async def test_a_backend_comes_drains_and_goes(tmp_path: Path, upstream: Upstream) -> None:
    async with served(tmp_path) as (_, client):
        added = await add(client, wish(upstream))
        assert added.status_code == 201
        assert added.headers["location"] == "/admin/backends/up"
        assert added.json()["backend"]["status"] == "healthy"
        assert await chat(client) == 200

        drained = await client.post("/admin/backends/up/drain")
        assert (drained.status_code, drained.json()["draining"]) == (200, True)
        assert await chat(client) != 200
        await client.post("/admin/backends/up/resume")
        assert await chat(client) == 200

        shown = (await client.get("/admin/backends/up")).json()
        assert shown["metrics"]["successes"] == 2
        assert (await client.post("/admin/backends/up/check")).status_code == 200
        gone = await client.request("DELETE", "/admin/backends/up")
        assert gone.json() == {"name": "up", "cut": 0, "note": ""}
        assert (await client.get("/admin/backends/up")).status_code == 404
        assert (await client.request("DELETE", "/admin/backends/up")).status_code == 404
        assert await chat(client) == 404


async def test_backends_are_listed_by_type_status_and_task(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with served(tmp_path) as (_, client):
        await add(client, wish(upstream))

        async def names(query: str) -> list[str]:
            found = await client.get(f"/admin/backends?{query}")
            return [each["id"] for each in found.json()["backends"]]

        assert await names("type=api&status=healthy&task=chat") == ["up"]
        assert await names("type=gpu") == await names("status=offline") == []
        assert await names("task=text-to-image") == []
        for query in ("type=quantum", "status=tired"):
            answer = await client.get(f"/admin/backends?{query}")
            assert answer.status_code == 422
            assert "is one of" in answer.json()["hint"]


async def test_the_lines_that_are_told_keep_it(tmp_path: Path, upstream: Upstream) -> None:
    more = {"models": {'a "quoted" one': "acme/one"}, "tasks": ["chat"], "priority": 3}
    async with served(tmp_path) as (_, client):
        told = (await add(client, wish(upstream, **more, tier="team", timeout=7.5))).json()["toml"]
    (tmp_path / "inferd.toml").write_text(told)
    (kept,) = load(environ={}, cwd=tmp_path).config.backends
    assert (kept.name, kept.base_url, kept.priority) == ("up", f"{upstream.url}/v1", 3)
    assert (kept.models, kept.tasks) == (more["models"], ("chat",))
    assert (kept.tier, kept.timeout) == ("team", 7.5)


async def test_what_cannot_be_meant_or_may_not_be_is_refused(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with served(tmp_path, toml=BOUND) as (node, client):
        for more, status, told in REFUSED:
            answer = await add(client, {**wish(upstream), **more})
            assert (answer.status_code, told in answer.text) == (status, True), (more, answer.text)
            assert not len(node.gateway.pool)


async def test_a_name_comes_once(tmp_path: Path, upstream: Upstream) -> None:
    async with served(tmp_path) as (_, client):
        assert (await add(client, wish(upstream))).status_code == 201
        again = await add(client, wish(upstream))
        assert again.status_code == 409
        assert "called up already" in again.json()["reason"]


async def test_there_is_an_end_to_how_many_there_may_be(
    tmp_path: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MOST_REGISTERED", 2)
    async with served(tmp_path) as (node, client):
        for name in ("one", "two"):
            assert (await add(client, wish(upstream, name=name))).status_code == 201
        more = await add(client, wish(upstream, name="three"))
        assert (more.status_code, "remove some first" in more.text) == (409, True)
        assert len(node.roster) == 2


async def test_an_explanation_for_no_backend_is_refused_like_a_request(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with served(tmp_path) as (_, client):
        await add(client, wish(upstream))
        asked = {"task": "chat", "backend": "attic"}
        answer = await client.post("/admin/explain", json=asked)
        assert (answer.status_code, "may ask for: up" in answer.text) == (400, True)


async def test_a_secret_goes_only_where_the_file_binds_it(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with served(tmp_path, toml=BOUND) as (_, client):
        added = await add(client, wish(upstream, api_key="secret:up"))
        assert added.status_code == 201
        assert "words-that" not in added.text
        for path in ("/status", "/admin/backends"):
            assert "words-that" not in (await client.get(path)).text
    assert upstream.received[0].headers["authorization"] == "Bearer words-that-nobody-may-see"


async def test_who_is_not_the_owner_stays_on_the_internet(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with served(tmp_path, toml=STRANGER) as (node, client):
        for url in (upstream.url, "http://localhost:1", "http://[::ffff:10.0.0.1]:1"):
            answer = await add(client, wish(upstream, base_url=url), **ADMIN)
            assert (answer.status_code, "of the internet" in answer.text) == (403, True)
        near = await add(client, wish(upstream, tier="local"), **ADMIN)
        assert (near.status_code, "only the local owner" in near.text) == (403, True)
        assert not upstream.connections
        owner = {"Authorization": f"Bearer {node.owner_token}"}
        assert (await add(client, wish(upstream), **owner)).status_code == 201


async def test_a_name_that_moves_to_a_private_address_is_not_followed(
    tmp_path: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def trusting(host: str, port: int, allows: object) -> str:
        return "1.1.1.1"

    monkeypatch.setattr(registry, "allowed_address", trusting)
    async with served(tmp_path, toml=STRANGER) as (_, client):
        added = await add(client, wish(upstream), **ADMIN)
        told = added.json()["backend"]
        assert (told["status"], told["tier"]) == ("offline", "cloud")
        assert "private or reserved range" in told["reason"]
    assert not upstream.connections
