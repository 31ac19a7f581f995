"""Which provider is asked, and how long what the Hub says of them is believed."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator

import pytest

from inferd.backends.huggingface import mappings
from inferd.core.errors import (
    BackendFailed,
    BackendOverloaded,
    ModelNotFound,
    NodeError,
    UnsupportedTask,
)
from inferd.core.request import InferenceRequest
from tests.backends.fake_hub import PNG, FakeHub, Row, row
from tests.backends.hub_requests import ANY, ask, folded
from tests.backends.subjects import Subject, hub
from tests.http1.upstream import BOUND

SUMMARY = [{"summary_text": "short"}]


@pytest.fixture
def upstream() -> FakeHub:
    return FakeHub()


@pytest.fixture
async def subject(upstream: FakeHub) -> AsyncGenerator[Subject]:
    async with asyncio.timeout(BOUND), hub(upstream) as subject:
        yield subject


def summary(name: str = ANY) -> InferenceRequest:
    return ask("summarization", model=name, prompt="long")


def serve(upstream: FakeHub, **rows: Row) -> None:
    upstream.mappings[ANY] = {name.replace("_", "-"): each for name, each in rows.items()}
    upstream.answer(f"/hf-inference/models/{ANY}", SUMMARY)


# Who


async def test_the_first_that_is_live_and_that_we_can_ask_is_asked(
    upstream: FakeHub, subject: Subject
) -> None:
    upstream.mappings[ANY] = {
        "wavespeed": row("text-to-image"),
        "fal-ai": row("text-to-image", status="staging"),
        "nscale": row("text-to-image", "flux"),
        "together": row("text-to-image", "other"),
    }
    picture = {"data": [{"b64_json": base64.b64encode(PNG).decode()}]}
    upstream.answer("/nscale/v1/images/generations", picture)
    answer = await subject.backend.infer(ask("text-to-image", model=ANY, prompt="a cat"))
    answer.close()
    assert answer.served.warnings == ()
    assert [request.path for request in upstream.asked] == ["/router/nscale/v1/images/generations"]


@pytest.mark.parametrize(("status", "says"), [("staging", "tests only"), ("error", "last check")])
async def test_a_doubtful_provider_is_owned_up_to(
    upstream: FakeHub, subject: Subject, status: str, says: str
) -> None:
    serve(upstream, hf_inference=row("summarization", ANY, status))
    answer = await subject.backend.infer(summary())
    answer.close()
    assert says in answer.served.warnings[0]


@pytest.mark.parametrize(
    ("rows", "task", "name", "expected", "says"),
    [
        ({}, "summarization", ANY, ModelNotFound, "no inference provider serves acme/any"),
        (
            {"together": row("conversational")},
            "summarization",
            ANY,
            UnsupportedTask,
            "served for chat, not for summarization",
        ),
        (
            {"wavespeed": row("image-to-image"), "fal-ai": row("image-to-image")},
            "image-to-image",
            ANY,
            UnsupportedTask,
            "by wavespeed, fal-ai, whose API this node doesn't speak (for image-to-image it can "
            "ask hf-inference, together: choose a model that one of them serves)",
        ),
        (
            {"together": row("text-to-image")},
            "text-to-image",
            f"{ANY}:nscale",
            ModelNotFound,
            "nscale doesn't serve acme/any (served by together)",
        ),
        (
            {"acme-video": row("text-to-video")},
            "text-to-image",
            ANY,
            UnsupportedTask,
            "served for text-to-video",
        ),
    ],
)
async def test_nobody_to_ask_says_why_and_what_to_do(
    upstream: FakeHub,
    subject: Subject,
    rows: dict[str, Row],
    task: str,
    name: str,
    expected: type[NodeError],
    says: str,
) -> None:
    upstream.mappings[ANY] = rows
    with pytest.raises(expected) as failed:
        await subject.backend.infer(ask(task, model=name, prompt="a"))
    assert says in str(failed.value)
    assert failed.value.retryable
    assert upstream.asked == []


async def test_the_operators_provider_is_asked_unless_the_caller_names_another(
    upstream: FakeHub,
) -> None:
    serve(upstream, replicate=row("summarization"), hf_inference=row("summarization", ANY))
    async with asyncio.timeout(BOUND), hub(upstream, options={"provider": "replicate"}) as subject:
        with pytest.raises(UnsupportedTask, match="replicate"):
            await folded(subject, summary())
        assert (await folded(subject, summary(f"{ANY}:auto"))).text == "short"
        looked_up = len(upstream.looked_up)
        assert (await folded(subject, summary(f"{ANY}:hf-inference"))).text == "short"
        assert len(upstream.looked_up) == looked_up


async def test_a_continuation_is_chat_where_the_provider_only_chats(
    upstream: FakeHub, subject: Subject
) -> None:
    request = InferenceRequest(
        id="r", task="text-generation", model="acme/one", inputs={"prompt": "a b"},
        parameters={"max_new_tokens": 9, "return_full_text": True},
    )  # fmt: skip
    assert (await folded(subject, request)).text == "a ba b"
    (sent,) = upstream.asked
    assert sent.path == "/router/v1/chat/completions"
    assert json.loads(sent.body)["max_tokens"] == 9


# What the Hub said is remembered


async def test_the_hub_is_asked_once_in_a_while(upstream: FakeHub, subject: Subject) -> None:
    serve(upstream, hf_inference=row("summarization", ANY))
    for seconds, asked in ((0, 1), (mappings.FRESH - 1, 1), (2, 2)):
        subject.clock.turn(seconds)
        await folded(subject, summary())
        assert len(upstream.looked_up) == asked


async def test_absence_is_believed_for_less_long(upstream: FakeHub, subject: Subject) -> None:
    for seconds, asked in ((0, 1), (mappings.FRESH_ABSENT - 1, 1), (2, 2)):
        subject.clock.turn(seconds)
        with pytest.raises(ModelNotFound, match="the Hub has no model acme/any"):
            await folded(subject, summary())
        assert len(upstream.looked_up) == asked


async def test_a_failure_of_the_hub_is_not_remembered(upstream: FakeHub, subject: Subject) -> None:
    serve(upstream, hf_inference=row("summarization", ANY))
    upstream.mode, upstream.status = "status", 429
    with pytest.raises(BackendOverloaded):
        await folded(subject, summary())
    upstream.mode = "ok"
    assert (await folded(subject, summary())).text == "short"


async def test_only_so_many_models_are_remembered(
    upstream: FakeHub, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mappings, "MOST_MODELS", 2)
    for name, asked in (("a/a", 1), ("a/b", 2), ("a/a", 2), ("a/c", 3), ("a/a", 3), ("a/b", 4)):
        with pytest.raises(ModelNotFound):
            await folded(subject, summary(name))
        assert len(upstream.looked_up) == asked


async def test_a_renamed_model_is_found(upstream: FakeHub, subject: Subject) -> None:
    serve(upstream, hf_inference=row("summarization", ANY))
    # The host that it names is of no account: the Hub itself is asked again.
    upstream.moved["old"] = f"https://evil.example/api/models/{ANY}?expand=x"
    assert (await folded(subject, summary("old"))).text == "short"
    assert [request.path.partition("?")[0] for request in upstream.looked_up] == [
        "/hub/api/models/old",
        f"/hub/api/models/{ANY}",
    ]


@pytest.mark.parametrize("location", ["", "/login", "/api/models/../x", "/api/models/old"])
async def test_another_redirect_is_not_followed(
    upstream: FakeHub, subject: Subject, location: str
) -> None:
    upstream.moved["old"] = location
    with pytest.raises(BackendFailed, match="sends its callers elsewhere"):
        await folded(subject, summary("old"))
    assert len(upstream.looked_up) == 1


@pytest.mark.parametrize(
    "odd", ["../../v1/x", "a/../b", "a?b", "a#b", "a b", "", "/a", "a/", "a//b", "é", "%2e"]
)
async def test_a_providers_name_for_a_model_never_changes_the_address(
    upstream: FakeHub, subject: Subject, odd: str
) -> None:
    serve(upstream, hf_inference=row("summarization", odd))
    with pytest.raises(ModelNotFound):
        await folded(subject, summary())
    assert upstream.asked == []


@pytest.mark.parametrize("mapping", [7, "x"])
async def test_a_mapping_of_another_shape_is_a_failure(
    upstream: FakeHub, subject: Subject, mapping: object
) -> None:
    upstream.mappings[ANY] = mapping  # pyright: ignore[reportArgumentType]
    with pytest.raises(BackendFailed):
        await folded(subject, summary())
