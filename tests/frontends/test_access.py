"""Requests that never reach the gateway leave a line, and no secret in it."""

import logging

import pytest

from inferd.core.errors import BackendRefused, ErrorKind
from inferd.frontends._http.access import log_refusal
from inferd.frontends._http.settings import HttpSettings
from tests.frontends.fakes import HELLO, FakeBackend, fails, says
from tests.frontends.nodes import open_node

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
SECRET = "s3cret-words"
SHOWN = {"Authorization": f"Bearer {SECRET}", "X-Request-Id": "r1"}


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "inferd.access"]


@pytest.fixture(autouse=True)
def _listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "inferd.access")


@pytest.mark.parametrize(
    ("method", "path", "headers", "line"),
    [
        ("GET", "/models", {"X-Request-Id": "r1"}, "GET /models: 401 unauthenticated"),
        ("GET", "/status", SHOWN, "GET /status: 403 permission_denied"),
        ("GET", "/no/where?q=words", SHOWN, "GET /no/where: 404 invalid_request"),
        ("POST", "/inference", SHOWN, "POST /inference: 415 invalid_request"),
        ("PUT", "/inference", SHOWN, "PUT /inference: 405 invalid_request"),
        ("GET", "/", {**SHOWN, "Host": "evil.example"}, "GET /: 421 invalid_request"),
        ("GET", "/v1/models", {**SHOWN, "Origin": "https://x.y"},
         "GET /v1/models: 403 permission_denied"),
        ("GET", "/a%0Ab%20c%C3%A9", SHOWN, "GET /a%0Ab%20c%C3%A9: 404 invalid_request"),
    ],
)  # fmt: skip
async def test_a_refused_request_leaves_one_line(
    caplog: pytest.LogCaptureFixture, method: str, path: str, headers: dict[str, str], line: str
) -> None:
    async with open_node(secrets=[SECRET]) as node:
        await node.client.request(method, path, headers=headers)
    assert lines(caplog) == [f"r1 127.0.0.1 {line}"]


async def test_a_long_body_and_an_unreadable_spec_leave_their_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_node(settings=HttpSettings(max_body_bytes=100)) as node:
        await node.client.post("/v1/embeddings", json={"input": "x" * 200})
        await node.client.post("/inference", json=[])
    long, spec = lines(caplog)
    assert long.endswith("POST /v1/embeddings: 413 payload_too_large")
    assert spec.endswith("POST /inference: 400 invalid_request")


async def test_what_reaches_the_gateway_is_the_gateways_to_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for behaviour in (says(*HELLO), fails(BackendRefused("no")), fails(RuntimeError("no"))):
        async with open_node(FakeBackend(behaviour)) as node:
            await node.client.post("/v1/chat/completions", json=CHAT)
            await node.client.get("/models")
            assert len(node.ledger.rows) == 1
    assert lines(caplog) == []


async def test_the_lines_can_be_switched_off(caplog: pytest.LogCaptureFixture) -> None:
    async with open_node(settings=HttpSettings(access_log=False)) as node:
        await node.client.get("/nothing")
    assert lines(caplog) == []


def test_a_line_is_short_printable_and_never_two(caplog: pytest.LogCaptureFixture) -> None:
    kind = ErrorKind.INVALID_REQUEST.value
    path = "/\udc80\r\n\u2028" + "x" * 9999
    log_refusal({"client": None, "method": "G\nT" * 99, "path": path}, "r1", 0, kind)
    [line] = lines(caplog)
    assert line.startswith("r1 - G%0AT")
    assert line.endswith("…: - invalid_request")
    assert len(line) < 400
    assert line.isprintable()


async def test_who_guesses_at_secrets_is_told_to_wait() -> None:
    async with open_node(secrets=[SECRET]) as node:
        tried = [
            await node.client.get("/v1/models", headers={"Authorization": f"Bearer guess{number}"})
            for number in range(31)
        ]
        health = await node.client.get("/healthz", headers={"Authorization": "Bearer guess99"})
    assert [answer.status_code for answer in tried] == [401] * 30 + [429]
    assert tried[-1].headers["Retry-After"] == "2"
    assert "wrong credentials" in tried[-1].json()["error"]["message"]
    assert health.status_code == 200
