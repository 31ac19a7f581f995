"""Every failure has a status, and each API tells it in its own shape."""

import re
from pathlib import Path

import pytest

from inferd.core.errors import ALL_KINDS, ErrorKind, NodeError
from inferd.frontends._http.errors import STATUS, Unexpected, headers_of, status_of
from tests.frontends.fakes import FakeBackend, fails
from tests.frontends.nodes import open_node

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
SPEC = {"task": "text-generation", "payload": {"prompt": "Hi"}}
KINDS = [kind for kind in ErrorKind if kind is not ErrorKind.INTERNAL]


def failure(kind: ErrorKind) -> NodeError:
    return ALL_KINDS[kind]("it went wrong", hint="mend it", retry_after=1.5)


def test_every_kind_of_error_has_a_status() -> None:
    assert set(STATUS) == set(ErrorKind)
    assert {status_of(failure(kind)) for kind in KINDS} == {
        400, 401, 403, 404, 413, 429, 502, 503, 504, 508,
    }  # fmt: skip
    assert status_of(Unexpected()) == 500


def test_the_page_of_the_api_has_every_status() -> None:
    page = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text()
    rows = dict(re.findall(r"^\| (\d{3}) \| (.+) \|$", page, re.MULTILINE))
    for kind, status in STATUS.items():
        assert f"`{kind.value}`" in rows[str(status)]


def test_waiting_is_told_in_whole_seconds_and_never_as_none() -> None:
    assert ("Retry-After", "2") in headers_of(failure(ErrorKind.RATE_LIMITED))
    error = ALL_KINDS[ErrorKind.RATE_LIMITED]("slow down", retry_after=0.01)
    assert ("Retry-After", "1") in headers_of(error)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_task_api_tells_every_failure_in_the_original_keys(kind: ErrorKind) -> None:
    async with open_node(FakeBackend(fails(failure(kind)))) as node:
        answer = await node.client.post("/inference", json=SPEC)
    assert answer.status_code == STATUS[kind]
    body = answer.json()
    assert body["reason"] == "it went wrong"
    assert (body["kind"], body["hint"]) == (kind.value, "mend it")
    assert body["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["retry-after"] == "2"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_openai_clients_are_told_every_failure_in_their_shape(
    kind: ErrorKind, stream: bool
) -> None:
    async with open_node(FakeBackend(fails(failure(kind)))) as node:
        answer = await node.client.post("/v1/chat/completions", json={**CHAT, "stream": stream})
    assert answer.status_code == STATUS[kind]
    error = answer.json()["error"]
    assert error.keys() >= {"message", "type", "param", "code"}
    assert error["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "body"),
    [("/inference", SPEC), ("/v1/chat/completions", CHAT), ("/v1/embeddings", {"input": "Hi"})],
)
async def test_a_fault_of_ours_is_a_500_without_its_insides(
    path: str, body: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_node(FakeBackend(fails(RuntimeError("the insides")))) as node:
        answer = await node.client.post(path, json=body)
        assert node.ledger.outcomes == ["internal"]
    assert answer.status_code == 500
    assert "insides" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert answer.headers["x-request-id"] in caplog.text


async def test_an_unknown_path_is_told_in_the_shape_of_its_api() -> None:
    async with open_node(FakeBackend(fails(failure(ErrorKind.INTERNAL.BACKEND_FAILED)))) as node:
        task = await node.client.get("/nothing")
        openai = await node.client.get("/v1/nothing")
        near = await node.client.get("/v1x")
    assert (task.status_code, openai.status_code, near.status_code) == (404, 404, 404)
    assert "openapi.json" in task.json()["hint"]
    assert "message" in openai.json()["error"]
    assert near.json()["error"] == "invalid request"


async def test_a_request_for_no_path_at_all_is_told_too() -> None:
    async with open_node() as node:
        answer = await node.say("OPTIONS * HTTP/1.1\nHost: {host}\nConnection: close\n\n")
    assert b" 404 " in answer.partition(b"\r\n")[0]
    assert b"invalid_request" in answer


NAMES = ["x" * 257, "a\nb", "a\rb", "a\u2028b", "\x1b[2J"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("path", "field", "body"),
    [
        ("/inference", "model_id", SPEC),
        ("/inference", "task", SPEC),
        ("/v1/chat/completions", "model", CHAT),
        ("/v1/embeddings", "model", {"input": "Hi"}),
        ("/admin/explain", "model", {}),
    ],
)
async def test_a_name_that_no_log_could_show_is_refused(
    name: str, path: str, field: str, body: dict[str, object]
) -> None:
    async with open_node(FakeBackend(fails(failure(ErrorKind.BACKEND_FAILED)))) as node:
        answer = await node.client.post(path, json={**body, field: name})
        asked = await node.client.head("/inference", params={"model_id": name})
        assert node.ledger.rows == []
    assert (answer.status_code, asked.status_code) == (400, 400)
    assert f"{field} must be printable text of 256 characters at most" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/inference", "HEAD, POST"),
        ("DELETE", "/models", "GET, HEAD"),
        ("GET", "/v1/chat/completions", "POST"),
        ("OPTIONS", "/v1/models", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(method: str, path: str, allowed: str) -> None:
    async with open_node() as node:
        answer = await node.client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert ("error" in answer.json()["error"]) is False
