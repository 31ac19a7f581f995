"""/status, /health, /ready, and the models that are put into memory."""

import asyncio
from pathlib import Path

import pytest

from inferd.core.backend import BackendType, Status
from inferd.engine.embedded import weights
from inferd.frontends.health.routes import verdict
from tests.http1.upstream import Received, Wire, serve
from tests.node.inside import served

FORWARDED = {"X-Forwarded-For": "192.0.2.7"}
ECHO = '[[backends]]\nname = "parrot"\nkind = "echo"\n'


async def test_the_status_has_the_briefs_keys_and_the_nodes_own(tmp_path: Path) -> None:
    async with served(tmp_path, toml=ECHO) as (node, client):
        await node.gateway.pool.refresh()
        status = (await client.get("/status")).json()
    assert status.keys() >= {
        "total_backends", "backends_by_type", "backends_by_status", "total_requests",
        "total_successful", "total_failed", "supported_tasks", "backends", "timestamp",
        "node", "name", "version", "device", "uptime",
    }  # fmt: skip
    assert status["backends_by_type"].keys() == {each.value for each in BackendType}
    assert status["backends_by_status"].keys() == {each.value for each in Status}
    (parrot,) = status["backends"]
    assert parrot.keys() >= {
        "id", "name", "type", "status", "endpoint", "tasks", "protocols", "metrics", "reason",
        "next",
    }  # fmt: skip
    assert parrot["metrics"].keys() >= {
        "requests", "success_rate", "avg_latency_ms", "queue_size", "models_loaded",
    }  # fmt: skip


async def test_health_is_one_object_and_short_to_strangers(tmp_path: Path) -> None:
    async with served(tmp_path, toml=ECHO) as (node, client):
        await node.gateway.pool.refresh()
        known = (await client.get("/health")).json()
        stranger = (await client.get("/health", headers=FORWARDED)).json()
    assert stranger == {"status": "healthy", "message": "Gateway is running"}
    assert known.keys() - stranger.keys() == {
        "version", "node", "name", "grpc_target", "backends",
    }  # fmt: skip
    assert (known["grpc_target"], known["backends"]) == (None, {"healthy": 1})


async def test_a_node_with_nothing_to_answer_is_unhealthy(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, client):
        answer = await client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"healthy": 2}, "healthy"),
        ({"initializing": 1}, "healthy"),
        ({"healthy": 1, "offline": 1}, "degraded"),
        ({"degraded": 1}, "degraded"),
        ({"offline": 1, "unhealthy": 1, "unknown": 1}, "unhealthy"),
        ({}, "unhealthy"),
    ],
)
def test_what_the_backends_statuses_come_to(counts: dict[str, int], expected: str) -> None:
    assert verdict(counts) == expected


async def test_a_node_is_ready_once_its_backends_were_asked(tmp_path: Path) -> None:
    may_answer, slow = asyncio.Event(), 'kind = "openai"\nbase_url = "{url}"\n'

    async def hold(wire: Wire, received: Received) -> None:
        await may_answer.wait()
        await wire.answer(b'{"data": []}', headers={"content-type": "application/json"})

    async with serve(hold) as upstream:
        toml = f'[[backends]]\nname = "slow"\n{slow.format(url=upstream.url)}'
        async with served(tmp_path, toml=toml) as (node, client):
            await upstream.until(lambda: bool(upstream.received))
            early = await client.get("/ready", headers=FORWARDED)
            assert (early.status_code, early.headers["retry-after"]) == (503, "1")
            may_answer.set()
            await node.gateway.pool.refresh()
            assert (await client.get("/ready", headers=FORWARDED)).json() == {"status": "ready"}
            # Who comes later doesn't make a node that serves one that doesn't.
            for member in node.gateway.pool:
                member.looks.at = None
            assert (await client.get("/ready")).status_code == 200


async def test_models_are_put_into_memory_and_taken_out(tmp_path: Path) -> None:
    if not weights.is_present(weights.built_folder(), weights.IRIS):
        pytest.skip("the models that come with inferd aren't built: make setup")
    async with served(tmp_path, {"INFERD_LOCAL__ENABLED": "true"}) as (_, client):

        async def resident() -> list[str]:
            models = (await client.get("/models/load")).json()["models"]
            return [each["model_id"] for each in models if each["loaded"]]

        async def loaded() -> int:
            (local,) = (await client.get("/status")).json()["backends"]
            return local["metrics"]["models_loaded"]

        assert (await resident(), await loaded()) == ([], 0)
        answer = await client.post("/models/load", json={"model_id": "iris", "hardware": "cpu"})
        assert (answer.json()["status"], answer.json()["backend"]) == ("loaded", "local")
        assert (await resident(), await loaded()) == (["iris"], 1)
        answer = await client.post("/models/unload", json={"model_id": "iris"})
        assert answer.json()["status"] == "unloaded"
        assert (await resident(), await loaded()) == ([], 0)


async def test_what_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, object], int, str]] = [
        ({"model_id": "gpt-9"}, 404, "Model not found: gpt-9"),
        ({"model_id": "echo"}, 422, "parrot loads echo itself"),
        ({"model_id": "echo", "options": {"bits": 4}}, 422, "no option called bits"),
        ({}, 400, "model_id"),
    ]
    async with served(tmp_path, toml=ECHO) as (_, client):
        for path in ("/models/load", "/models/unload"):
            for body, status, told in cases:
                answer = await client.post(path, json=body)
                assert (answer.status_code, told in answer.text) == (status, True), answer.text
