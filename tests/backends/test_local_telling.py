"""What the embedded models say of a request: that it waits, that they load, that they run."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from inferd.backends import Settings
from inferd.backends.local import LocalBackend, Options
from inferd.core.answer import collect
from inferd.core.progress import Stage, Tell
from inferd.core.request import InferenceRequest
from inferd.core.tasks import check, task_named
from inferd.engine.embedded import catalogue, weights
from inferd.engine.embedded.device import Device
from tests.clocks import HandClock
from tests.http1.upstream import BOUND

LONG = "I like apples. You hate them! She sings, he doesn't; so it goes on and on. " * 8000
ALL = ["loading", "running"]


class Words:
    """What was said, in order."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.ahead = 0
        self.runs = asyncio.Event()

    def __call__(self, stage: Stage, /, *, ahead: int = 0) -> None:
        # A backend may say the same thing twice; whoever listens is told once.
        if stage not in self.said:
            self.said.append(stage.value)
        self.ahead = ahead or self.ahead
        if stage is Stage.RUNNING:
            self.runs.set()


@pytest.fixture
async def device() -> AsyncGenerator[Device]:
    if not weights.is_present(weights.built_folder(), *catalogue.DOCS.files):
        pytest.skip("the embedded models are not built: run `make setup`")
    async with asyncio.timeout(BOUND), Device(1) as device:
        yield device


def local(device: Device) -> LocalBackend:
    return LocalBackend(Settings(name="local"), Options(), device, HandClock())


def asked(task: str, payload: dict[str, object], tell: Tell) -> InferenceRequest:
    inputs, read = check(task, payload, {})
    name = task_named(task).name
    return InferenceRequest(id="r", task=name, inputs=inputs, parameters=read, tell=tell)


async def said(backend: LocalBackend, task: str, payload: dict[str, object]) -> list[str]:
    words = Words()
    await collect(await backend.infer(asked(task, payload, words)))
    return words.said


@pytest.mark.parametrize(
    ("task", "payload"),
    [
        ("feature-extraction", {"inputs": "one"}),
        ("feature-extraction", {"inputs": ["one", "two"]}),
        ("sentence-similarity", {"source_sentence": "a", "sentences": ["b"]}),
        ("text-classification", {"inputs": "good"}),
        ("tabular-classification", {"features": [[5.1, 3.5, 1.4, 0.2]]}),
        ("chat", {"messages": "What is inferd?"}),
    ],
)
async def test_a_model_is_loaded_by_the_first_who_asks_and_says_so(
    device: Device, task: str, payload: dict[str, object]
) -> None:
    backend = local(device)
    assert await said(backend, task, payload) == ALL
    assert await said(backend, task, payload) == ["running"]


async def test_each_model_is_loaded_for_itself(device: Device) -> None:
    backend = local(device)
    assert await said(backend, "feature-extraction", {"inputs": "one"}) == ALL
    # The head of the sentiment model is read beside the sentence model, which is there.
    assert await said(backend, "text-classification", {"inputs": "good"}) == ALL
    assert await said(backend, "tabular-classification", {"features": [[5, 3, 1, 0]]}) == ALL
    assert await said(backend, "sentence-similarity", {
        "source_sentence": "a", "sentences": ["b"],
    }) == ["running"]  # fmt: skip


async def test_who_waits_learns_how_many_are_before_them(device: Device) -> None:
    backend = local(device)
    first = Words()
    long = asked("feature-extraction", {"inputs": LONG}, first)
    calls = [asyncio.ensure_future(backend.infer(long))]
    await first.runs.wait()
    assert first.said == ALL
    waiting = [Words() for _ in range(2)]
    for words in waiting:
        request = asked("feature-extraction", {"inputs": ["one", "two"]}, words)
        calls.append(asyncio.ensure_future(backend.infer(request)))
    await asyncio.wait(calls[1:])
    assert [words.said for words in waiting] == [["queued", "running"]] * 2
    assert [words.ahead for words in waiting] in ([0, 1], [1, 2])
    assert not calls[0].done()
    calls[0].cancel()
    await asyncio.wait(calls)
    await device.run(pow, 2, 2)
    assert (device.running, device.queued) == (0, 0)
