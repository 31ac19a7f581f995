"""GET /metrics, read as Prometheus reads it."""

from collections.abc import Mapping

import httpx2
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from inferd.core.errors import BackendFailed
from inferd.gateway.tallies import OTHER, Tallies
from inferd.telemetry.metrics import Family, Histogram, as_openmetrics, as_prometheus
from tests.frontends.fakes import HELLO, FakeBackend, says
from tests.frontends.nodes import OWNER_TOKEN, open_node

OWNER = {"Authorization": f"Bearer {OWNER_TOKEN}"}


def values(text: str) -> Mapping[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of the older format, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def asked(client: httpx2.AsyncClient, **headers: str) -> str:
    reply = await client.get("/metrics", headers={**OWNER, **headers})
    assert reply.status_code == 200, reply.text
    return reply.text


def ask(model: str) -> dict[str, object]:
    return {"task": "text-generation", "model_id": model, "payload": {"prompt": "hello"}}


def labels(**given: str) -> frozenset[tuple[str, str]]:
    return frozenset(given.items())


async def test_requests_tokens_and_backends_are_counted() -> None:
    async with open_node(FakeBackend(says(*HELLO), "here")) as node:
        good = await node.client.post("/inference", json=ask("small"), headers=OWNER)
        bad = await node.client.post("/inference", json=ask("no/such"), headers=OWNER)
        assert (good.status_code, bad.status_code) == (200, 404), (good.text, bad.text)
        found = values(await asked(node.client))
    end = labels(task="text-generation", backend="here")
    assert found["inferd_requests_total", end | {("outcome", "ok")}] == 1
    lost = labels(task="text-generation", backend="", outcome="model_not_found")
    assert found["inferd_requests_total", lost] == 1
    assert found["inferd_request_seconds_count", end] == 1
    assert found["inferd_request_seconds_bucket", end | {("le", "+Inf")}] == 1
    assert found["inferd_time_to_first_byte_seconds_count", end] == 1
    for direction, count in (("input", 3), ("output", 2)):
        assert found["inferd_tokens_total", labels(direction=direction, model="tiny")] == count
    assert found["inferd_backend_up", labels(backend="here")] == 1
    assert found["inferd_backend_in_flight", labels(backend="here")] == 0
    assert found["inferd_build_info", labels(version="1.2.3")] == 1
    assert found["process_cpu_seconds_total", frozenset()] > 0
    assert found["process_resident_memory_bytes", frozenset()] > 1 << 20
    assert not [name for name, series in found if "no/such" in dict(series).values()]


async def test_openmetrics_is_spoken_where_it_is_accepted() -> None:
    async with open_node(FakeBackend(says(*HELLO), "here")) as node:
        reply = await node.client.get(
            "/metrics", headers={**OWNER, "Accept": "application/openmetrics-text;version=1.0.0"}
        )
    assert reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in openmetrics.text_string_to_metric_families(reply.text)}
    assert {"inferd_requests", "inferd_tokens", "inferd_build_info"} <= names


@pytest.mark.parametrize("credential", ["", "Bearer nobody", "Bearer one-shared-secret"])
async def test_only_who_may_see_usage_reads_it(credential: str) -> None:
    headers = {"Authorization": credential} if credential else {}
    async with open_node(FakeBackend(says(*HELLO)), secrets=["one-shared-secret"]) as node:
        reply = await node.client.get("/metrics", headers=headers)
    assert reply.status_code in (401, 403)


def test_labels_are_escaped_and_counts_add_up() -> None:
    odd = 'a "quoted"\\name\nin two lines'
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.add(value)
    families = [
        Family("x", "counter", "Counts.", [({"name": odd}, 3)]),
        Family("y_seconds", "histogram", "Times.", [({}, histogram)]),
    ]
    found = values(as_prometheus(families).decode())
    assert found["x_total", labels(name=odd)] == 3
    buckets = [found["y_seconds_bucket", labels(le=bound)] for bound in ("0.1", "1.0", "+Inf")]
    assert buckets == [2, 3, 4]
    assert found["y_seconds_sum", frozenset()] == pytest.approx(7.65)
    list(openmetrics.text_string_to_metric_families(as_openmetrics(families).decode()))


def test_however_many_models_there_are_few_have_a_label() -> None:
    tallies = Tallies()
    for number in range(1000):
        tallies.tokens(f"acme/{number}").read += 1
    tallies.tokens("").read += 1
    (family,) = (each for each in tallies.families() if each.name == "inferd_tokens")
    counts = {
        series["model"]: count for series, count in family.series if "input" in series.values()
    }
    assert len(counts) == 201
    assert counts[OTHER] == 801


def test_each_outcome_is_a_series_of_its_own() -> None:
    tally = Tallies().of("chat", "here")
    for _ in range(2):
        tally.ended(BackendFailed.kind.value)
    assert tally.others == {"backend_failed": 2}
