"""The device runs so many at once, queues so many more, forgets who has left, and batches."""

import asyncio
import threading
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from inferd.core.errors import BackendOverloaded, BackendUnavailable
from inferd.engine.embedded.device import (
    Device,
    DeviceBusy,
    DeviceClosed,
    Together,
    usable_cores,
)


class Gate:
    """A call that tells when it begins and returns when it is let."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()
        self.opened = threading.Event()

    def wait(self) -> str:
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self.opened.wait(5)
        return "through"


async def turn() -> None:
    """Let everything that is ready run once."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    loop.call_soon(done.set_result, None)
    await done


async def test_a_call_runs_in_another_thread_and_returns() -> None:
    async with Device(1) as device:
        assert await device.run(pow, 2, 10) == 1024
        assert await device.run(threading.get_ident) != threading.get_ident()


async def test_an_error_reaches_the_caller_and_frees_the_thread() -> None:
    async with Device(1) as device:
        with pytest.raises(ZeroDivisionError):
            await device.run(divmod, 1, 0)
        assert await device.run(pow, 2, 2) == 4
        assert device.running == 0


async def test_no_more_run_at_once_than_there_are_threads() -> None:
    async with Device(2) as device, asyncio.TaskGroup() as tasks:
        gates = [Gate() for _ in range(3)]
        calls = [tasks.create_task(device.run(gate.wait)) for gate in gates]
        await gates[0].begun.wait()
        await gates[1].begun.wait()
        assert (device.running, device.queued) == (2, 1)
        assert not gates[2].begun.is_set()
        gates[0].opened.set()
        await gates[2].begun.wait()
        assert calls[0].done()
        for gate in gates:
            gate.opened.set()
    assert [call.result() for call in calls] == ["through"] * 3


async def test_calls_begin_in_the_order_they_came() -> None:
    order: list[int] = []
    async with Device(1) as device, asyncio.TaskGroup() as tasks:
        gate = Gate()
        tasks.create_task(device.run(gate.wait))
        for number in range(5):
            tasks.create_task(device.run(order.append, number))
        await gate.begun.wait()
        gate.opened.set()
    assert order == [0, 1, 2, 3, 4]


async def test_a_full_queue_refuses() -> None:
    async with Device(1, queue_limit=1) as device, asyncio.TaskGroup() as tasks:
        gate = Gate()
        tasks.create_task(device.run(gate.wait))
        waiting = tasks.create_task(device.run(pow, 2, 2))
        await gate.begun.wait()
        with pytest.raises(DeviceBusy, match="1 calls already wait") as refusal:
            await device.run(pow, 2, 3)
        assert isinstance(refusal.value, BackendOverloaded)
        assert refusal.value.retry_after
        gate.opened.set()
    assert waiting.result() == 4


async def test_a_cancelled_call_in_the_queue_is_forgotten() -> None:
    ran: list[str] = []
    async with Device(1, queue_limit=1) as device, asyncio.TaskGroup() as tasks:
        gate = Gate()
        tasks.create_task(device.run(gate.wait))
        left = tasks.create_task(device.run(ran.append, "left"))
        await gate.begun.wait()
        assert device.queued == 1
        left.cancel()
        await turn()
        assert device.queued == 0
        tasks.create_task(device.run(ran.append, "came"))
        await turn()
        gate.opened.set()
    assert ran == ["came"]


async def test_a_call_cancelled_as_its_turn_comes_passes_the_turn_on() -> None:
    ran: list[str] = []
    async with Device(1) as device, asyncio.TaskGroup() as tasks:
        gate = Gate()
        first = tasks.create_task(device.run(gate.wait))
        left = tasks.create_task(device.run(ran.append, "left"))
        tasks.create_task(device.run(ran.append, "came"))
        await gate.begun.wait()
        first.add_done_callback(lambda _: left.cancel())
        gate.opened.set()
    assert ran in (["came"], ["left", "came"])
    assert (device.running, device.queued) == (0, 0)


async def test_a_cancelled_call_that_runs_keeps_its_thread_until_it_returns() -> None:
    async with Device(1) as device, asyncio.TaskGroup() as tasks:
        gate = Gate()
        call = tasks.create_task(device.run(gate.wait))
        await gate.begun.wait()
        call.cancel()
        after = tasks.create_task(device.run(pow, 2, 2))
        await turn()
        assert call.cancelled()
        assert (device.running, device.queued) == (1, 1)
        gate.opened.set()
    assert after.result() == 4


async def test_closing_fails_who_waits_and_joins_who_runs() -> None:
    device = Device(1)
    async with asyncio.TaskGroup() as tasks:
        gate = Gate()
        running = tasks.create_task(device.run(gate.wait))
        waiting = asyncio.ensure_future(device.run(pow, 2, 2))
        await gate.begun.wait()
        closing = tasks.create_task(device.close())
        with pytest.raises(DeviceClosed) as refusal:
            await waiting
        assert isinstance(refusal.value, BackendUnavailable)
        assert not closing.done()
        gate.opened.set()
    assert running.result() == "through"
    with pytest.raises(DeviceClosed):
        await device.run(pow, 2, 2)
    assert not [thread for thread in threading.enumerate() if "inferd-cpu" in thread.name]
    assert "closed" in repr(device)
    await device.close()


class Walk:
    """Steps without an end, until they are told to; it says which it has begun."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()
        self.enough = threading.Event()
        self.gone = asyncio.Event()

    def steps(self) -> Generator[None, None, str]:
        try:
            while not self.enough.is_set():
                self._loop.call_soon_threadsafe(self.begun.set)
                yield
        finally:
            self._loop.call_soon_threadsafe(self.gone.set)
        return "arrived"


async def test_work_in_steps_returns_what_it_comes_to_or_raises() -> None:
    def fails() -> Generator[None, None, int]:
        yield
        return 1 // 0

    async with Device(1) as device:
        walk = Walk()
        walk.enough.set()
        assert await device.run_steps(walk.steps()) == "arrived"
        with pytest.raises(ZeroDivisionError):
            await device.run_steps(fails())
        assert (device.running, device.queued) == (0, 0)


async def test_work_in_steps_gives_way_to_whoever_waits() -> None:
    async with asyncio.timeout(5), Device(1) as device, asyncio.TaskGroup() as tasks:
        walks = [Walk(), Walk()]
        long = [tasks.create_task(device.run_steps(walk.steps())) for walk in walks]
        for walk in walks:
            await walk.begun.wait()
        assert await device.run(pow, 2, 2) == 4
        assert not any(each.done() for each in long)
        walks[0].enough.set()
        assert await long[0] == "arrived"
        walks[1].enough.set()


@pytest.mark.parametrize("others", [0, 2])
async def test_work_in_steps_ends_with_its_step_once_nobody_wants_it(others: int) -> None:
    async with asyncio.timeout(5), Device(1) as device, asyncio.TaskGroup() as tasks:
        walks = [Walk() for _ in range(1 + others)]
        long = [tasks.create_task(device.run_steps(walk.steps())) for walk in walks]
        for walk in walks:
            await walk.begun.wait()
        for each in long:
            each.cancel()
        await asyncio.wait(long)
        # Before anybody else comes: the thread would make way for them.
        for walk in walks:
            await walk.gone.wait()
        assert await device.run(pow, 2, 2) == 4
        assert (device.running, device.queued) == (0, 0)


async def test_closing_waits_for_no_more_than_a_step() -> None:
    async with asyncio.timeout(5):
        device = Device(1)
        walks = [Walk(), Walk()]
        long = [asyncio.ensure_future(device.run_steps(walk.steps())) for walk in walks]
        for walk in walks:
            await walk.begun.wait()
        await device.close()
        await asyncio.wait(long)
    assert all(isinstance(each.exception(), DeviceClosed) for each in long)


async def test_its_state_can_be_read() -> None:
    async with Device(3, name="gpu0") as device:
        assert repr(device) == "<Device gpu0 [3 threads: 0 running, 0 queued]>"


def doubled(things: Sequence[int]) -> list[int]:
    return [2 * thing for thing in things]


async def test_what_waits_is_done_together_each_with_its_share() -> None:
    calls: list[list[int]] = []

    def noted(things: Sequence[int]) -> list[int]:
        calls.append(list(things))
        return doubled(things)

    async with Device(2) as device, asyncio.TaskGroup() as tasks:
        together = Together(device, noted, most=3, most_size=100)
        gates = [Gate(), Gate()]
        for gate in gates:
            tasks.create_task(device.run(gate.wait))
            await gate.begun.wait()
        results = [tasks.create_task(together.run(number, size=10)) for number in range(8)]
        await turn()
        assert device.queued == 8
        gates[0].opened.set()
        await asyncio.wait(results)
        gates[1].opened.set()
    assert [result.result() for result in results] == [0, 2, 4, 6, 8, 10, 12, 14]
    assert calls == [[0, 1, 2], [3, 4, 5], [6], [7]]


async def test_no_more_is_done_together_than_a_thread_may_be_held_for() -> None:
    calls: list[int] = []

    def counted(things: Sequence[int]) -> list[int]:
        calls.append(len(things))
        return doubled(things)

    async with Device(1) as device, asyncio.TaskGroup() as tasks:
        together, gate = Together(device, counted, most=8, most_size=100), Gate()
        tasks.create_task(device.run(gate.wait))
        await gate.begun.wait()
        for number in range(4):
            tasks.create_task(together.run(number, size=40))
        await turn()
        gate.opened.set()
    assert calls == [2, 2]


async def test_only_what_is_about_as_large_is_done_together() -> None:
    calls: list[list[str]] = []

    def lengths(things: Sequence[str]) -> list[int]:
        calls.append(list(things))
        return [len(thing) for thing in things]

    async with Device(1) as device, asyncio.TaskGroup() as tasks:
        together = Together(device, lengths, most=8, most_size=100)
        gate = Gate()
        tasks.create_task(device.run(gate.wait))
        await gate.begun.wait()
        texts = ["a" * 10, "b" * 20, "c" * 12]
        results = [tasks.create_task(together.run(text, size=len(text))) for text in texts]
        await turn()
        gate.opened.set()
    assert [result.result() for result in results] == [10, 20, 12]
    assert [len(call) for call in calls] == [2, 1]


async def test_a_call_that_leaves_takes_none_of_its_mates_along() -> None:
    async with Device(1) as device, asyncio.TaskGroup() as tasks:
        together, gate = Together(device, doubled, most=8, most_size=100), Gate()
        tasks.create_task(device.run(gate.wait))
        await gate.begun.wait()
        results = [tasks.create_task(together.run(number, size=1)) for number in range(3)]
        await turn()
        results[1].cancel()
        await turn()
        assert device.queued == 2
        gate.opened.set()
    assert [result.cancelled() or result.result() for result in results] == [0, True, 4]


async def test_a_call_that_leaves_while_all_run_is_dropped_alone() -> None:
    gate = Gate()

    def waits(things: Sequence[int]) -> list[int]:
        gate.wait()
        return doubled(things)

    async with Device(1) as device, asyncio.TaskGroup() as tasks:
        together, first = Together(device, waits, most=8, most_size=100), Gate()
        tasks.create_task(device.run(first.wait))
        await first.begun.wait()
        results = [tasks.create_task(together.run(number, size=1)) for number in range(3)]
        await turn()
        first.opened.set()
        await gate.begun.wait()
        results[0].cancel()
        await turn()
        assert results[0].cancelled()
        gate.opened.set()
    assert [result.result() for result in results[1:]] == [2, 4]


def parts(things: Sequence[int]) -> list[int]:
    return [1 // thing for thing in things]


async def test_each_learns_its_own_error() -> None:
    async with Device(1) as device:
        together = Together(device, parts, most=8, most_size=100)
        gate = Gate()
        held = asyncio.ensure_future(device.run(gate.wait))
        await gate.begun.wait()
        results = [asyncio.ensure_future(together.run(number, size=1)) for number in (1, 0, 1)]
        await turn()
        gate.opened.set()
        await asyncio.wait([held, *results])
    assert results[0].result() == results[2].result() == 1
    assert isinstance(results[1].exception(), ZeroDivisionError)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": "nonsense"}, None),
        ({}, None),
    ],
)
def test_a_container_s_quota_bounds_the_cores(
    tmp_path: Path, files: dict[str, str], cores: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    unbounded = usable_cores(tmp_path / "none")
    assert usable_cores(tmp_path) == (unbounded if cores is None else cores)
    assert unbounded >= 1


def test_the_device_takes_the_usable_cores() -> None:
    assert Device().threads == usable_cores()
