"""What is peculiar to the embedded models: threads, missing files, and what they can't do."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from inferd.backends import Settings, open_kind
from inferd.backends.local import LocalBackend, Options
from inferd.backends.local.offers import TASKS
from inferd.core.answer import collect
from inferd.core.backend import Backend
from inferd.core.errors import (
    BackendFailed,
    BackendOverloaded,
    BackendUnavailable,
    InvalidRequest,
    PayloadTooLarge,
)
from inferd.core.request import InferenceRequest, Tier
from inferd.core.result import Result
from inferd.core.tasks import check, task_named
from inferd.engine.embedded import catalogue, weights
from inferd.engine.embedded.device import Device
from tests.backends.subjects import NODE
from tests.clocks import HandClock
from tests.http1.upstream import BOUND


@pytest.fixture
async def backend() -> AsyncGenerator[Backend]:
    if not weights.is_present(weights.built_folder(), *catalogue.DOCS.files):
        pytest.skip("the embedded models are not built: run `make setup`")
    settings = Settings(name="local", options={"threads": 2})
    async with (
        asyncio.timeout(BOUND),
        open_kind("local", settings, node=NODE, clock=HandClock()) as backend,
    ):
        yield backend


def asked(task: str, payload: dict[str, object], **parameters: object) -> InferenceRequest:
    inputs, read = check(task, payload, parameters)
    return InferenceRequest(id="r", task=task_named(task).name, inputs=inputs, parameters=read)


async def result_of(backend: Backend, request: InferenceRequest) -> Result:
    return await collect(await backend.infer(request))


async def test_vectors_come_packed_and_counted(backend: Backend) -> None:
    texts = [f"text number {number}" for number in range(70)]
    result = await result_of(backend, asked("feature-extraction", {"inputs": texts}))
    assert result.embeddings is not None
    assert (result.embeddings.count, result.embeddings.dimension) == (70, 384)
    assert result.usage.units == 70
    assert result.usage.input_tokens == sum(5 for _ in texts)
    one = await result_of(backend, asked("feature-extraction", {"inputs": texts[69]}))
    assert one.embeddings is not None
    assert len(one.embeddings.data) == 4 * 384
    assert result.finish.model == catalogue.MINILM.id


async def test_callers_at_once_each_get_the_vector_they_would_get_alone(backend: Backend) -> None:
    requests = [
        asked("feature-extraction", {"inputs": f"text number {number}"}) for number in range(30)
    ]
    alone = [await result_of(backend, request) for request in requests]
    calls = [asyncio.ensure_future(result_of(backend, request)) for request in requests]
    await asyncio.wait(calls, timeout=0)
    calls[20].cancel()
    await asyncio.wait(calls)
    for number, (call, before) in enumerate(zip(calls, alone, strict=True)):
        if number == 20:
            assert call.cancelled()
            continue
        after = call.result()
        assert after.embeddings is not None
        assert before.embeddings is not None
        assert [*memoryview(after.embeddings.data).cast("f")] == pytest.approx(
            [*memoryview(before.embeddings.data).cast("f")], abs=1e-3
        )
        assert after.usage == before.usage


async def test_each_task_answers_in_its_pipelines_shape(backend: Backend) -> None:
    requests = {
        "sentiment": asked("sentiment-analysis", {"prompt": "I love this!"}, top_k=1),
        "similarity": asked(
            "sentence-similarity", {"sentence": "a cat", "sentences": ["a kitten"]}
        ),
        "ranking": asked("text-ranking", {"query": "cat", "texts": ["a", "kitten"]}, top_n=1),
        "zero-shot": asked(
            "zero-shot-classification", {"prompt": "It rains.", "candidate_labels": "weather, tax"}
        ),
        "answer": asked("question-answering", {"question": "Who?", "context": "Ann came."}),
        "answers": asked(
            "question-answering", {"question": "Who?", "context": "Ann and Bo came."}, top_k=2
        ),
        "iris": asked("tabular-classification", {"features": [[5.1, 3.5, 1.4, 0.2]]}),
    }
    values = {name: (await result_of(backend, each)).value for name, each in requests.items()}
    assert values["sentiment"] == [{"label": "positive", "score": pytest.approx(0.9, abs=0.2)}]
    assert values["similarity"] == [pytest.approx(0.7, abs=0.3)]
    assert values["ranking"] == [{"index": 1, "score": pytest.approx(0.7, abs=0.3)}]
    zero_shot, answer, answers, iris = (
        values[name] for name in ("zero-shot", "answer", "answers", "iris")
    )
    assert isinstance(zero_shot, dict)
    assert zero_shot["labels"] == ["weather", "tax"]
    assert isinstance(answer, dict)
    assert answer.keys() == {"answer", "score", "start", "end"}
    assert isinstance(answers, list)
    assert len(answers) == 2
    assert isinstance(iris, list)
    assert (iris[0]["label"], iris[0]["class_id"]) == ("setosa", 0)


async def test_what_quotes_does_not_sample_and_says_so(backend: Backend) -> None:
    request = asked("chat", {"messages": "What is inferd?"}, temperature=0.5)
    answer = await backend.infer(request)
    assert answer.served.warnings == (
        "ignored: temperature (inferd-docs quotes, it doesn't sample)",
    )
    answer.close()


@pytest.mark.parametrize(
    "request_",
    [
        asked("feature-extraction", {"inputs": "a"}, dimensions=7),
        asked("tabular-classification", {"features": [[1.0, 2.0]]}),
        asked("text-ranking", {"query": " ", "texts": ["a"]}),
        asked("zero-shot-classification", {"prompt": "a", "candidate_labels": ["b"]},
              hypothesis_template="no place"),
    ],
)  # fmt: skip
async def test_bad_input_is_the_callers_to_mend(
    backend: Backend, request_: InferenceRequest
) -> None:
    with pytest.raises(InvalidRequest):
        await backend.infer(request_)


async def test_models_say_what_people_ask_about_them(backend: Backend) -> None:
    offered = await backend.capabilities()
    assert [model.id for model in offered.models] == [model.id for model in catalogue.MODELS]
    assert offered.tasks == TASKS
    assert offered.find("feature-extraction", "minilm") == catalogue.MINILM.id
    assert offered.models[0].detail["dimension"] == 384
    assert offered.models[0].detail["max_tokens_per_request"] == 200_000
    assert offered.models[0].detail["max_labels_per_request"] == 1000
    assert offered.models[1].detail["max_rows_per_request"] == 100_000
    assert all(model.detail["licence"] for model in offered.models)
    assert (backend.tier, backend.is_node) == (Tier.LOCAL, False)


async def test_without_its_files_it_says_what_to_run(tmp_path: Path) -> None:
    settings = Settings(name="local", options={"folder": str(tmp_path)})
    async with open_kind("local", settings, node=NODE, clock=HandClock()) as backend:
        assert backend.assumed.models == ()
        for asking in (
            backend.capabilities(),
            backend.infer(asked("feature-extraction", {"inputs": "a"})),
        ):
            with pytest.raises(BackendUnavailable) as missing:
                await asking
            assert "make setup" in missing.value.hint


class Held:
    """A device whose threads are all busy until it is told."""

    def __init__(self, device: Device) -> None:
        self.free = threading.Event()
        self.busy = [
            asyncio.ensure_future(device.run(self.free.wait, BOUND)) for _ in range(device.threads)
        ]


async def test_a_full_queue_asks_to_come_back_and_a_cancel_makes_room() -> None:
    async with asyncio.timeout(BOUND), Device(1, queue_limit=1) as device:
        backend = LocalBackend(Settings(name="local"), Options(), device, HandClock())
        request = asked("sentence-similarity", {"sentence": "a", "sentences": ["b"]})
        held = Held(device)
        await asyncio.wait(held.busy, timeout=0)
        queued = asyncio.ensure_future(backend.infer(request))
        await asyncio.wait((queued,), timeout=0.01)
        assert device.queued == 1
        with pytest.raises(BackendOverloaded) as full:
            await backend.infer(request)
        assert full.value.retry_after
        queued.cancel()
        await asyncio.wait((queued,))
        assert device.queued == 0
        held.free.set()
        await asyncio.wait(held.busy)


async def test_a_fault_of_the_runtime_is_no_traceback(
    backend: Backend, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in catalogue.DOCS.files:
        (tmp_path / name).write_bytes(b"[]")
    settings = Settings(name="local", options={"folder": str(tmp_path)})
    async with open_kind("local", settings, node=NODE, clock=HandClock()) as broken:
        with pytest.raises(BackendFailed, match="the node's log says why"):
            await broken.infer(asked("feature-extraction", {"inputs": "a"}))
    assert "local failed" in caplog.text


@pytest.mark.parametrize(
    ("task", "more"),
    [("sentiment-analysis", {}), ("zero-shot-classification", {"candidate_labels": ["a", "b"]})],
)
async def test_what_reads_only_the_beginning_says_so(
    backend: Backend, task: str, more: dict[str, object]
) -> None:
    answer = await backend.infer(asked(task, {"prompt": "terrible " * 5000, **more}))
    answer.close()
    assert answer.served.warnings == ("read only the first 4,096 tokens of the text",)
    answer = await backend.infer(asked(task, {"prompt": "terrible", **more}))
    answer.close()
    assert answer.served.warnings == ()


LONG = "The keeper wrote down the weather. " * 20_000
"""A minute of one core."""

LONG_WORK = [
    asked("feature-extraction", {"inputs": LONG}),
    asked("feature-extraction", {"inputs": [LONG[:4000]] * 150}),
    asked("sentence-similarity", {"sentence": "a", "sentences": [LONG[:300]] * 2000}),
    asked("text-ranking", {"query": "a", "texts": [LONG[:300]] * 2000}),
    asked("zero-shot-classification",
          {"prompt": LONG, "candidate_labels": [f"label {number}" for number in range(1000)]}),
    asked("sentiment-analysis", {"prompt": LONG}),
    asked("question-answering", {"question": "Who wrote?", "context": LONG[:400_000]}),
    asked("chat", {"messages": LONG}),
]  # fmt: skip


@pytest.mark.parametrize("long", LONG_WORK, ids=lambda request: request.task)
async def test_long_work_holds_nobody_up_and_ends_once_nobody_wants_it(
    long: InferenceRequest,
) -> None:
    async with asyncio.timeout(BOUND), Device(1) as device:
        backend = LocalBackend(Settings(name="local"), Options(), device, HandClock())
        calls = [asyncio.ensure_future(backend.infer(long)) for _ in range(2)]
        await asyncio.wait(calls, timeout=0.1)
        short = await result_of(backend, asked("feature-extraction", {"inputs": "x"}))
        assert short.embeddings is not None
        assert not any(call.done() for call in calls)
        calls[0].cancel()
        await asyncio.wait([calls[0]])
        calls[1].cancel()
        await asyncio.wait(calls)
        await device.run(pow, 2, 2)
        assert (device.running, device.queued) == (0, 0)


async def test_leaving_ends_long_work() -> None:
    async with asyncio.timeout(BOUND):
        async with Device(2) as device:
            backend = LocalBackend(Settings(name="local"), Options(), device, HandClock())
            calls = [asyncio.ensure_future(backend.infer(LONG_WORK[0])) for _ in range(3)]
            await asyncio.wait(calls, timeout=0.1)
        await asyncio.wait(calls)
        assert all(isinstance(call.exception(), BackendUnavailable) for call in calls)


@pytest.mark.parametrize(
    "request_",
    [
        asked("feature-extraction", {"inputs": ["a"] * 2001}),
        asked("feature-extraction", {"inputs": LONG * 2}),
        asked("feature-extraction", {"inputs": [LONG] * 2}),
    ],
)
async def test_more_than_one_request_may_ask_is_too_large(
    backend: Backend, request_: InferenceRequest
) -> None:
    with pytest.raises(PayloadTooLarge) as refusal:
        await backend.infer(request_)
    assert refusal.value.hint


async def test_a_value_error_of_the_runtime_is_not_the_callers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in catalogue.DOCS.files:
        (tmp_path / name).symlink_to(weights.built_folder() / name)
    (tmp_path / weights.PASSAGE_VECTORS).unlink()
    (tmp_path / weights.PASSAGE_VECTORS).write_bytes(b"[]")
    settings = Settings(name="local", options={"folder": str(tmp_path)})
    async with open_kind("local", settings, node=NODE, clock=HandClock()) as broken:
        with pytest.raises(BackendFailed):
            await broken.infer(asked("chat", {"messages": "What is inferd?"}))
    assert "ValueError" in caplog.text


def test_nothing_heavy_is_imported_before_the_first_request() -> None:
    code = (
        "import sys, inferd.backends.local as m; print({'numpy', 'onnxruntime'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
