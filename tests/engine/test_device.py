"""The device runs so many at once, queues so many more, and forgets who has left."""

import asyncio
import threading
from pathlib import Path

import pytest

from inferd.core.errors import BackendOverloaded, BackendUnavailable
from inferd.engine.embedded.device import Device, DeviceBusy, DeviceClosed, usable_cores


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


async def test_its_state_can_be_read() -> None:
    async with Device(3, name="gpu0") as device:
        assert repr(device) == "<Device gpu0 [3 threads: 0 running, 0 queued]>"


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
