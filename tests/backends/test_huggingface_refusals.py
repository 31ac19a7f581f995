"""How the Hub's providers say no, and what this node never does with a name or a token."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from inferd.backends import Settings, huggingface, open_kind
from inferd.core.errors import (
    BackendDenied,
    BackendFailed,
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    ModelNotFound,
    NodeError,
)
from inferd.core.request import InferenceRequest, Tier
from tests.backends.fake_hub import PNG, FakeHub
from tests.backends.hub_requests import PATH, Arriving, ask, ask_file, folded
from tests.backends.subjects import NODE, Subject, hub
from tests.clocks import HandClock
from tests.http1.upstream import BOUND

LABELS = [{"label": "cat", "score": 1.0}]


@pytest.fixture
def upstream() -> FakeHub:
    return FakeHub()


@pytest.fixture
async def subject(upstream: FakeHub) -> AsyncGenerator[Subject]:
    async with asyncio.timeout(BOUND), hub(upstream) as subject:
        yield subject


@pytest.mark.parametrize(
    ("status", "body", "expected", "says"),
    [
        (401, b'{"error": "Invalid credentials"}', BackendUnavailable, "api_key of huggingface"),
        (402, b'{"error": "exceeded your monthly credits"}', BackendDenied, "no credits"),
        (403, b'{"error": "Access to model is gated"}', BackendDenied, "gated"),
        (404, b'{"error": "Model not found"}', ModelNotFound, ""),
        (429, b'{"error": "too many"}', BackendOverloaded, "later"),
        (503, b'{"error": "loading", "estimated_time": 12.5}', BackendOverloaded, "loaded"),
        (504, b"<html>gateway</html>", BackendTimeout, "in time"),
        (500, b'{"error": "Traceback in /srv/app.py"}', BackendFailed, "HTTP 500"),
        (400, b"", NodeError, "HTTP 400"),
    ],
)
async def test_a_providers_refusal_is_one_of_ours(
    upstream: FakeHub,
    subject: Subject,
    status: int,
    body: bytes,
    expected: type[NodeError],
    says: str,
) -> None:
    upstream.failures[PATH] = (status, body)
    with pytest.raises(expected) as failed:
        await subject.backend.infer(ask("summarization", prompt="a"))
    assert says in str(failed.value)
    assert "/srv" not in str(failed.value)
    assert failed.value.retry_after == (12.5 if status == 503 else None)
    assert failed.value.sent_bytes > 0


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'[[{"label": "a", "sc', "application/json"),
        (b'{"labels": []}', "application/json"),
        (b'[{"label": "a", "score": "high"}]', "application/json"),
        (b'{"error": "CUDA out of memory"}', "application/json"),
        (b"<html>hello</html>", "text/html"),
        (b"", "application/json"),
        (b"\x89PNG", "image/png"),
    ],
)
async def test_nonsense_is_a_failure(
    upstream: FakeHub, subject: Subject, body: bytes, content_type: str
) -> None:
    upstream.answer(PATH, body, content_type)
    with pytest.raises(BackendFailed):
        await folded(subject, ask("text-classification", prompt="a"))


async def test_an_endless_result_is_a_failure(
    upstream: FakeHub, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inferd.backends.huggingface.backend.RESULT_BYTES", 1 << 20)
    upstream.answer(PATH, PNG + bytes(2 << 20), "image/png")
    with pytest.raises(BackendFailed, match="longer than 1 MiB"):
        await subject.backend.infer(ask("text-to-image", prompt="a"))
    await upstream.server.until(lambda: upstream.server.open == 0)


@pytest.mark.parametrize("mode", ["hang", "stall"])
async def test_cancelling_a_task_frees_the_provider(
    upstream: FakeHub, subject: Subject, mode: str
) -> None:
    upstream.mode = mode
    upstream.answer(PATH, LABELS)
    asking = asyncio.ensure_future(
        subject.backend.infer(ask_file("image-classification", Arriving()))
    )
    await upstream.server.until(lambda: len(upstream.received) == 1)
    asking.cancel()
    await asyncio.wait((asking,))
    assert asking.cancelled()
    await upstream.server.until(lambda: upstream.server.open == 0)


@pytest.mark.parametrize(
    "name",
    [
        "../../api/whoami",
        "acme/../../x",
        "acme/..",
        "acme/one?x=1",
        "acme/one#x",
        "acme/one/two",
        "acme//one",
        "/acme",
        "acme/one%2e",
        "acme/o ne",
        "acme/one\r\nx: y",
        "http://evil.example/x",
        "acme/one:../x",
        "acme/one:",
        "é/x",
        "a" * 300,
    ],
)
@pytest.mark.parametrize("task", ["chat", "summarization"])
async def test_a_name_never_changes_the_address(
    upstream: FakeHub, subject: Subject, name: str, task: str
) -> None:
    request = subject.ask(model=name) if task == "chat" else ask(task, model=name, prompt="a")
    with pytest.raises(ModelNotFound, match="has no model called"):
        await subject.backend.infer(request)
    assert upstream.received == []


async def test_without_a_token_nothing_is_asked(upstream: FakeHub) -> None:
    async with asyncio.timeout(BOUND), hub(upstream, api_key="") as subject:
        for asked in (
            subject.backend.infer(subject.ask()),
            subject.backend.infer(ask("summarization", prompt="a")),
            subject.backend.capabilities(),
        ):
            with pytest.raises(BackendUnavailable, match="HF_TOKEN"):
                await asked
    assert upstream.received == []


@pytest.mark.parametrize(
    "settings",
    [
        Settings(name="x", options={"provider": "../x"}),
        Settings(name="x", options={"bill_to": "a\r\nb: c"}),
        Settings(name="x", options={"router": "ftp://x"}),
        Settings(name="x", options={"colour": "red"}),
        Settings(name="x", base_url="https://mirror.example"),
    ],
)
async def test_settings_that_cannot_work_are_refused(settings: Settings) -> None:
    with pytest.raises(ValueError, match="backend x"):
        async with open_kind("huggingface", settings, node=NODE, clock=HandClock()):
            pass


async def test_words_go_to_the_cloud() -> None:
    settings = Settings(name="x", base_url=f"{huggingface.HUB}/")
    async with open_kind("huggingface", settings, node=NODE, clock=HandClock()) as backend:
        assert backend.tier is Tier.CLOUD
        assert backend.assumed.find("summarization", "any/model") == "any/model"
        with pytest.raises(BackendUnavailable):
            await backend.infer(InferenceRequest(id="r", task="chat", model="a/b"))
