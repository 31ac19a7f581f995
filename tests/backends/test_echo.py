"""What is peculiar to the echo: it takes its time, fails when told to, and marks what it makes."""

import asyncio

import pytest

from inferd.backends import Settings, open_kind
from inferd.core.answer import collect
from inferd.core.errors import BackendOverloaded, ErrorKind
from inferd.core.request import InferenceRequest
from inferd.core.result import TextDelta
from inferd.core.tasks import TASKS, Output
from inferd.wire import hf_tasks
from tests.backends.subjects import NODE
from tests.clocks import HandClock
from tests.http1.upstream import BOUND


def request_of(task: str) -> InferenceRequest:
    inputs = {field.name: field.example for field in TASKS[task].inputs}
    return InferenceRequest(id="r", task=task, inputs=inputs)


@pytest.mark.parametrize("task", sorted(TASKS))
async def test_every_task_has_a_result_that_its_wire_can_tell(task: str) -> None:
    settings = Settings(name="echo")
    async with open_kind("echo", settings, node=NODE, clock=HandClock()) as backend:
        result = await collect(await backend.infer(request_of(task)))
        again = await collect(await backend.infer(request_of(task)))
    assert result == again
    encoded = hf_tasks.encode_result(task, result)
    assert encoded.body
    marked = {Output.TEXT, Output.EMBEDDING, Output.SCORES}
    if TASKS[task].output not in marked:
        assert b'"echo":true' in encoded.body or encoded.filename.startswith("echo.")


async def test_each_chunk_waits_on_the_clock() -> None:
    clock = HandClock()
    settings = Settings(name="echo", options={"delay": 2.0})
    request = InferenceRequest(
        id="r", task="text-generation", inputs={"prompt": "a b"}, stream=True
    )
    async with (
        asyncio.timeout(BOUND),
        open_kind("echo", settings, node=NODE, clock=clock) as backend,
    ):
        answer = await backend.infer(request)
        first = asyncio.ensure_future(anext(answer))
        await asyncio.wait((first,), timeout=0)
        clock.turn(1.9)
        await asyncio.wait((first,), timeout=0.01)
        assert not first.done()
        clock.turn(0.2)
        assert await first == TextDelta("a ")
        answer.close()


async def test_it_fails_as_it_was_told() -> None:
    settings = Settings(name="echo", options={"fail_with": ErrorKind.BACKEND_OVERLOADED.value})
    async with open_kind("echo", settings, node=NODE, clock=HandClock()) as backend:
        with pytest.raises(BackendOverloaded):
            await backend.infer(request_of("chat"))


@pytest.mark.parametrize("options", [{"fail_with": "laziness"}, {"delay": -1}, {"sound": "loud"}])
async def test_options_that_it_does_not_know_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="backend e: options"):
        async with open_kind(
            "echo", Settings(name="e", options=options), node=NODE, clock=HandClock()
        ):
            pass
