"""The contract of `core.backend.Backend`, for every backend that we ship."""

import asyncio
import logging
from collections.abc import AsyncGenerator

import pytest

from inferd.backends import kinds
from inferd.core.answer import Answer, collect
from inferd.core.errors import (
    BackendDenied,
    BackendFailed,
    BackendLimited,
    BackendOverloaded,
    BackendRefused,
    BackendTimeout,
    BackendUnavailable,
    ModelNotFound,
    NodeError,
    UnsupportedTask,
)
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Finish, Result
from inferd.core.tasks import check, example, missing_files
from tests.backends.fakes import SECRET, FakeUpstream
from tests.backends.subjects import CALLING, SUBJECTS, Subject
from tests.http1.upstream import BOUND

STREAMS = [False, True]


@pytest.fixture(params=sorted(SUBJECTS))
async def subject(request: pytest.FixtureRequest) -> AsyncGenerator[Subject]:
    async with asyncio.timeout(BOUND), SUBJECTS[request.param]() as subject:
        yield subject


@pytest.fixture(params=CALLING)
async def calling(request: pytest.FixtureRequest) -> AsyncGenerator[Subject]:
    async with asyncio.timeout(BOUND), SUBJECTS[request.param]() as subject:
        yield subject


def upstream_of(subject: Subject) -> FakeUpstream:
    assert subject.upstream is not None
    return subject.upstream


async def chunks_of(answer: Answer) -> list[Chunk]:
    try:
        return [chunk async for chunk in answer]
    finally:
        answer.close()


async def result_of(subject: Subject, request: InferenceRequest) -> Result:
    answer = await subject.backend.infer(request)
    try:
        return await collect(answer)
    finally:
        answer.close()


def test_every_kind_is_a_subject() -> None:
    assert kinds() == sorted(SUBJECTS)


async def test_1_every_task_on_offer_runs(subject: Subject) -> None:
    offered = await subject.backend.capabilities()
    assert offered.models
    assert all(model.tasks for model in offered.models)
    for model in offered.models:
        for task in sorted(model.tasks):
            if missing_files(task, ()):
                continue
            inputs, _ = check(task, example(task), {})
            asked = InferenceRequest(id="r", task=task, model=model.id, inputs=inputs)
            assert (await result_of(subject, asked)).finish


async def test_1_a_name_is_an_id_an_alias_or_the_default(subject: Subject) -> None:
    offered = await subject.backend.capabilities()
    model = next(model for model in offered.models if "chat" in model.tasks)
    for name in (model.id, *model.aliases, ""):
        assert offered.find("chat", name) == model.id


@pytest.mark.parametrize("stream", STREAMS)
async def test_2_an_answer_ends_with_exactly_one_finish(subject: Subject, stream: bool) -> None:
    chunks = await chunks_of(await subject.backend.infer(subject.ask(stream=stream)))
    assert [type(chunk) for chunk in chunks].count(Finish) == 1
    assert isinstance(chunks[-1], Finish)
    if stream:
        assert len(chunks) > 2


async def test_3_the_folded_stream_is_the_whole_answer(subject: Subject) -> None:
    whole = await result_of(subject, subject.ask())
    folded = await result_of(subject, subject.ask(stream=True))
    assert folded == whole
    assert whole.usage.input_tokens > 0
    assert whole.usage.output_tokens > 0
    if subject.quotes:
        assert whole.text == "one two three"


async def test_4_an_unknown_model_is_not_found(subject: Subject) -> None:
    with pytest.raises(ModelNotFound):
        await result_of(subject, subject.ask(model="nobody/has-this"))


async def test_4_an_unsupported_task_is_refused_without_traffic(subject: Subject) -> None:
    with pytest.raises(UnsupportedTask):
        await result_of(subject, subject.ask(task="time-travel"))
    if subject.upstream is not None:
        assert subject.upstream.received == []


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, BackendUnavailable),
        (403, BackendDenied),
        (404, ModelNotFound),
        (408, BackendTimeout),
        (429, BackendLimited),
        (500, BackendFailed),
        (502, BackendFailed),
        (503, BackendOverloaded),
        (504, BackendTimeout),
    ],
)
async def test_5_an_upstreams_status_becomes_ours(
    calling: Subject, status: int, expected: type[NodeError], stream: bool
) -> None:
    upstream = upstream_of(calling)
    upstream.mode, upstream.status = "status", status
    with pytest.raises(expected) as failed:
        await result_of(calling, calling.ask(stream=stream))
    assert failed.value.retry_after == 7
    assert "trace" not in str(failed.value)
    # What was turned away isn't paid for; what failed says who failed, and how.
    assert failed.value.was_refused == ((status < 500 and status != 408) or status == 503)
    if status >= 500:
        assert calling.backend.name in failed.value.message
        assert f"(HTTP {status})" in failed.value.message


async def test_5_a_reason_that_quotes_our_credential_is_told_without_it(calling: Subject) -> None:
    upstream = upstream_of(calling)
    upstream.mode, upstream.status = "status", 422
    with pytest.raises(BackendRefused) as failed:
        await result_of(calling, calling.ask())
    assert SECRET not in str(failed.value)
    assert "[hidden]" in str(failed.value)


async def test_7_a_listing_without_measure_is_a_failure(calling: Subject) -> None:
    upstream_of(calling).mode = "long"
    with pytest.raises(BackendFailed, match="longer than 16 MiB"):
        await calling.backend.capabilities()


@pytest.mark.parametrize("mode", ["hang", "stall"])
@pytest.mark.parametrize("stream", STREAMS)
async def test_5_silence_is_a_timeout(calling: Subject, mode: str, stream: bool) -> None:
    upstream = upstream_of(calling)
    upstream.mode = mode
    with pytest.raises(BackendTimeout):
        await result_of(calling, calling.ask(stream=stream))
    await upstream.server.until(lambda: upstream.server.open == 0)


@pytest.mark.parametrize("stream", STREAMS)
async def test_6_an_answer_cut_short_is_a_failure(calling: Subject, stream: bool) -> None:
    upstream_of(calling).mode = "cut"
    with pytest.raises(BackendFailed):
        await result_of(calling, calling.ask(stream=stream))


@pytest.mark.parametrize("mode", ["garbage", "page", "redirect"])
@pytest.mark.parametrize("stream", STREAMS)
async def test_7_garbage_is_a_failure(calling: Subject, mode: str, stream: bool) -> None:
    upstream_of(calling).mode = mode
    with pytest.raises(BackendFailed):
        await result_of(calling, calling.ask(stream=stream))
    with pytest.raises(BackendFailed):
        await calling.backend.capabilities()


async def test_8_a_refused_answer_is_not_kept(calling: Subject) -> None:
    upstream = upstream_of(calling)
    upstream.mode = "slow page"
    with pytest.raises(BackendFailed):
        await calling.backend.infer(calling.ask())
    await upstream.server.until(lambda: upstream.server.open == 0)


async def test_8_closing_early_frees_the_upstream(calling: Subject) -> None:
    upstream = upstream_of(calling)
    upstream.mode = "stall"
    answer = await calling.backend.infer(calling.ask(stream=True))
    await anext(answer)
    assert upstream.server.open == 1
    answer.close()
    answer.close()
    await upstream.server.until(lambda: upstream.server.open == 0)


@pytest.mark.parametrize("mode", ["hang", "stall"])
async def test_8_cancelling_frees_the_upstream(calling: Subject, mode: str) -> None:
    upstream = upstream_of(calling)
    upstream.mode = mode
    asking = asyncio.ensure_future(calling.backend.infer(calling.ask()))
    await upstream.server.until(lambda: len(upstream.received) == 1)
    asking.cancel()
    await asyncio.wait((asking,))
    assert asking.cancelled()
    await upstream.server.until(lambda: upstream.server.open == 0)


async def test_9_requests_in_flight_do_not_mix(subject: Subject) -> None:
    if subject.upstream is not None:
        subject.upstream.gate = asyncio.Event()
    texts = ["one two", "How do I install inferd?", "three four five"]
    alone = [] if subject.quotes else [await result_of(subject, subject.ask(t)) for t in texts]
    answers = [await subject.backend.infer(subject.ask(text, stream=True)) for text in texts]
    if subject.upstream is not None and subject.upstream.gate is not None:
        subject.upstream.gate.set()
    async with asyncio.TaskGroup() as tasks:
        reading = [tasks.create_task(collect(answer)) for answer in answers]
    for answer in answers:
        answer.close()
    said = [each.result().text for each in reading]
    assert said == (texts if subject.quotes else [result.text for result in alone])


async def test_10_a_deadline_in_the_past_reaches_nobody(subject: Subject) -> None:
    late = subject.ask(deadline=subject.clock.now() - 1)
    with pytest.raises(BackendTimeout):
        await subject.backend.infer(late)
    if subject.upstream is not None:
        assert subject.upstream.received == []


async def test_11_unknown_parameters_are_passed_on_or_owned_up_to(subject: Subject) -> None:
    answer = await subject.backend.infer(subject.ask(parameters={"spin": 7}))
    await chunks_of(answer)
    if subject.upstream is None:
        assert any("spin" in warning for warning in answer.served.warnings)
    else:
        assert b'"spin":7' in subject.upstream.received[-1].body


async def test_12_no_credential_appears(calling: Subject, caplog: pytest.LogCaptureFixture) -> None:
    upstream = upstream_of(calling)
    caplog.set_level(logging.DEBUG)
    said = [repr(calling.backend)]
    for mode in ("ok", "status", "garbage", "page", "cut"):
        upstream.mode = mode
        try:
            await result_of(calling, calling.ask())
        except NodeError as error:
            said += [str(error), repr(error), repr(error.details), error.hint]
    assert len(said) > 4
    assert SECRET not in "".join([*said, caplog.text])
    for request in upstream.received:
        carried = {name for name, value in request.headers.items() if SECRET in value}
        assert carried == {"authorization"}
        assert SECRET not in request.path + request.body.decode()


@pytest.mark.parametrize("kind", sorted(SUBJECTS))
async def test_13_leaving_closes_everything(kind: str) -> None:
    async with asyncio.timeout(BOUND), SUBJECTS[kind]() as subject:
        upstream = subject.upstream
        if upstream is not None:
            upstream.mode = "stall"
        answer = await subject.backend.infer(subject.ask(stream=True))
        await anext(answer)
        again = subject.ask()
        backend = subject.backend
    with pytest.raises(BackendUnavailable):
        await backend.infer(again)
    with pytest.raises(BackendUnavailable):
        await backend.capabilities()
    if upstream is not None:
        with pytest.raises(NodeError):
            await chunks_of(answer)
    answer.close()
