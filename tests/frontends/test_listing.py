"""What the node tells of itself: models, forms, health, state, pages."""

import hashlib

import pytest

from inferd.core.backend import Model
from inferd.core.request import Tier
from inferd.core.tasks import TASKS
from inferd.gateway.admission.policy import Rule
from tests.frontends.fakes import HELLO, FakeBackend, says
from tests.frontends.nodes import Node, open_node

GUEST = f"secret:{hashlib.sha256(b's').hexdigest()[:8]}"

NASTY = Model(id="<script>alert(1)</script>", tasks=frozenset({"chat"}))
HUB = Model(
    id="org/big",
    tasks=frozenset({"text-generation"}),
    detail={"likes": 5, "downloads": 7, "trendingScore": 1.5, "gated": "manual"},
)


def two() -> tuple[FakeBackend, FakeBackend]:
    peer = FakeBackend(says(*HELLO), "peer", tier=Tier.TEAM, is_node=True, models=(HUB,))
    return FakeBackend(says(*HELLO), "here"), peer


async def test_the_tasks_are_listed() -> None:
    async with open_node() as node:
        tasks = (await node.client.get("/models")).json()["available_tasks"]
    assert "text-generation" in tasks
    assert tasks == sorted(tasks)


async def test_a_task_s_models_say_where_they_run() -> None:
    async with open_node(*two()) as node:
        local = (await node.client.get("/models?task=text-generation")).json()
        both = (await node.client.get("/models?task=text-generation&include_remote=true")).json()
        one = await node.client.get("/models?task=text-generation&include_remote=true&limit=1")
    assert local == both[:1] == one.json()
    assert local[0] == {
        "id": "tiny",
        "likes": None,
        "trendingScore": None,
        "downloads": None,
        "gated": "false",
        "tasks": ["text-generation"],
        "runs": [
            {"source": "local", "backend": "here", "tier": "local", "usable": True, "reason": ""}
        ],
        "size_bytes": None,
        "parameters": None,
        "library": None,
        "verdict": {"where": "local", "label": "Runs here", "reason": "", "more": 0},
    }
    assert (both[1]["likes"], both[1]["gated"], both[1]["runs"][0]["source"]) == (
        5, "manual", "remote",
    )  # fmt: skip


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "1.5", "", "٣"])
async def test_a_limit_out_of_range_is_refused(limit: str) -> None:
    async with open_node() as node:
        answer = await node.client.get(
            "/models", params={"task": "text-generation", "limit": limit}
        )
    assert answer.status_code == 422
    assert "from 1 to 1000" in answer.json()["reason"]


async def test_an_unknown_task_is_refused_with_the_known_ones() -> None:
    async with open_node() as node:
        answer = await node.client.get("/run?task=nothing")
    assert answer.status_code == 400
    assert "text-generation" in answer.json()["detail"]["supported_tasks"]


async def test_an_unknown_task_has_no_models_and_says_so_in_the_originals_words() -> None:
    async with open_node() as node:
        answer = await node.client.get("/models?task=text-generaton")
    assert answer.status_code == 400
    told = answer.json()
    assert told["error"] == "unsupported task 'text-generaton'"
    assert "text-generation" in told["supported"]
    assert "detail" not in told
    assert told["hint"] == "did you mean text-generation?"
    assert told["request_id"] == answer.headers["x-request-id"]


async def test_what_a_node_can_do_is_for_those_who_may() -> None:
    shown = {"Authorization": "Bearer s"}
    asked = [
        ("HEAD", "/inference", "infer"),
        ("GET", "/run?task=chat", "list"),
        ("GET", "/models", "list"),
        ("GET", "/models?task=chat", "list"),
    ]
    for method, path, action in asked:
        for granted, expected in ((action, 200), ("admin", 403)):
            rule = Rule(principal="secret:*", actions=(granted,))
            async with open_node(*two(), secrets=["s"], rules=[rule]) as node:
                answer = await node.client.request(method, path, headers=shown)
                assert answer.status_code == expected, (method, path, granted)


async def test_every_task_has_a_form() -> None:
    async with open_node() as node:
        for name in TASKS:
            form = (await node.client.get("/run", params={"task": name})).json()
            assert form["task"] == name
            assert form["schema"].keys() >= {
                "category", "label", "description", "inputs", "files", "advanced",
            }  # fmt: skip
        assert (await node.client.get("/run")).status_code == 422


async def test_anybody_may_ask_whether_the_process_serves() -> None:
    health = {"status": "ok", "device": "cpu"}
    whole = {**health, "node": "node-a", "name": "lab", "version": "1.2.3"}
    async with open_node(secrets=["s"]) as node:
        for shown, expected in (
            ({}, health),
            ({"Authorization": "Bearer wrong"}, health),
            ({"Authorization": "Bearer s"}, whole),
        ):
            answer = await node.client.get("/healthz", headers=shown)
            assert (answer.status_code, answer.json()) == (200, expected)
    async with open_node() as node:
        assert (await node.client.get("/healthz")).json() == whole
        answer = await node.client.get("/healthz", headers={"X-Forwarded-For": "192.0.2.7"})
        assert answer.json() == health


async def test_the_status_shows_every_backend() -> None:
    async with open_node(*two()) as node:
        await node.client.post("/inference", json={"task": "text-generation",
            "payload": {"prompt": "Hi"}})  # fmt: skip
        status = (await node.client.get("/status")).json()
    assert (status["node"], status["name"], status["version"]) == ("node-a", "lab", "1.2.3")
    assert status["uptime"] >= 0
    assert [
        (each["name"], each["metrics"]["successes"], each["metrics"]["in_flight"])
        for each in status["backends"]
    ] == [
        ("here", 1, 0),
        ("peer", 0, 0),
    ]


async def explained(node: Node, question: object) -> tuple[int, list[str], str]:
    """Return the status, the backends in order, and everything that was said."""
    answer = await node.client.post("/admin/explain", json=question)
    rows = answer.json().get("candidates", [])
    return answer.status_code, [row["backend"] for row in rows], answer.text


async def test_a_question_about_a_route_is_answered_without_running_anything() -> None:
    backends = two()
    async with open_node(*backends) as node:
        status, order, _ = await explained(node, {"task": "text-generation", "model": "tiny"})
        _, remote, _ = await explained(node, {"task": "text-generation", "use_remote": True})
        _, _, near = await explained(node, {"task": "text-generation", "tier": "local"})
    assert status == 200
    assert order == ["here", "peer"]
    assert remote[0] == "peer"
    assert "outside the request's tier" in near
    assert [backend.requests for backend in backends] == [[], []]


@pytest.mark.parametrize(
    "question",
    [[], {"task": 1}, {"tier": "galaxy"}, {"task": "nothing"}, {"modle": "x"}, {"use_remote": "x"}],
)
async def test_a_question_that_cannot_be_read_is_refused(question: object) -> None:
    async with open_node() as node:
        assert (await explained(node, question))[0] == 400


async def test_the_operator_may_ask_on_behalf_of_others() -> None:
    async with open_node(*two()) as node:
        known = {"task": "text-generation", "model": "tiny", "asked_by": "owner"}
        assert (await explained(node, known))[0] == 200
        status, _, said = await explained(node, {**known, "asked_by": "secret:nobody"})
        assert status == 422
        assert "those who may ask here: owner" in said
        status, _, said = await explained(node, {**known, "strategy": "fastest"})
        assert (status, "least_loaded" in said) == (422, True)


async def test_an_answer_says_why_it_came_from_where_it_did_if_asked() -> None:
    async with open_node(*two()) as node:
        body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
        for stream in (False, True):
            asked = {**body, "stream": stream}
            plain = await node.client.post("/v1/chat/completions", json=asked)
            assert "x-inference-route" not in plain.headers
            headers = {"X-Inference-Explain": "true"}
            answer = await node.client.post("/v1/chat/completions", json=asked, headers=headers)
            said = answer.headers["x-inference-route"]
            assert f"{answer.headers['x-inference-backend']}; order=1" in said


async def test_the_operator_s_pages_need_the_operator() -> None:
    shown = {"Authorization": "Bearer s"}
    paths = [("GET", "/status"), ("POST", "/admin/explain"), ("GET", "/admin/usage")]
    async with open_node(secrets=["s"]) as node:
        for method, path in paths:
            answer = await node.client.request(method, path, headers=shown)
            assert answer.status_code == 403
            assert answer.json()["kind"] == "permission_denied"
    rule = Rule(principal="secret:*", actions=("usage",))
    async with open_node(secrets=["s"], rules=[rule]) as node:
        assert (await node.client.get("/admin/usage", headers=shown)).status_code == 200
        assert (await node.client.get("/status", headers=shown)).status_code == 403


@pytest.mark.parametrize(
    ("query", "by", "since"),
    [
        ("", ["principal", "model"], 0),
        ("?by=day,+model&since=1767225600.5", ["day", "model"], 1767225600.5),
        ("?by=day&since=2026-01-01T00:00:00Z", ["day"], 1767225600),
    ],
)
async def test_the_owner_sees_what_was_used(query: str, by: list[str], since: float) -> None:
    async with open_node() as node:
        answer = await node.client.get(f"/admin/usage{query}")
    totals = [{"group": by, "requests": 1, "since": since, "principal": ""}]
    assert answer.json() == {"by": by, "since": since, "totals": totals}


@pytest.mark.parametrize(
    ("query", "status", "whose"),
    [
        ("me", 200, GUEST),
        (GUEST, 200, GUEST),
        ("owner", 403, ""),
        ("", 403, ""),
    ],
)
async def test_anybody_sees_its_own_usage_and_no_other_s(
    query: str, status: int, whose: str
) -> None:
    shown = {"Authorization": "Bearer s"}
    async with open_node(secrets=["s"]) as node:
        answer = await node.client.get("/admin/usage", params={"principal": query}, headers=shown)
    assert answer.status_code == status
    if status == 200:
        assert [each["principal"] for each in answer.json()["totals"]] == [whose]


@pytest.mark.parametrize(
    "query", ["by=", "by=words", "by=model,words", "since=x", "since=-1", "since=nan", "since="]
)
async def test_usage_by_what_is_not_kept_is_refused(query: str) -> None:
    async with open_node() as node:
        answer = await node.client.get(f"/admin/usage?{query}")
    assert answer.status_code == 422
    assert answer.json()["reason"].startswith(query.partition("=")[0])


async def test_the_openapi_document_describes_every_path_and_refers_to_nothing_missing() -> None:
    async with open_node() as node:
        answer = await node.client.get("/openapi.json")
    document = answer.json()
    assert document["openapi"] == "3.1.0"
    assert document["paths"].keys() >= {
        "/", "/openapi.json", "/inference", "/models", "/run", "/healthz", "/status",
        "/admin/explain", "/admin/usage", "/v1/chat/completions", "/v1/embeddings", "/v1/models",
        "/v1/models/{id}",
    }  # fmt: skip
    schemas = document["components"]["schemas"]
    assert {f"{name}-payload" for name in TASKS} <= schemas.keys()
    for reference in answer.text.split('"$ref":"#/components/schemas/')[1:]:
        assert reference.partition('"')[0] in schemas
