"""A second backend asked when the first is late: whoever begins to answer first is taken."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from inferd.core.answer import Answer
from inferd.core.errors import NodeError

Asking = Coroutine[Any, Any, Answer]
Ending = Answer | BaseException
"""How one was answered, or failed; CancelledError is for who was given up."""

_leaving: set[asyncio.Task[Answer]] = set()
"""Who was given up and isn't done: an event loop by itself may lose a task that nobody holds."""


class StillLeaving(asyncio.CancelledError):
    """For who was given up and still frees what it holds: nobody waits for that."""

    def __init__(self, task: asyncio.Task[Answer]) -> None:
        super().__init__()
        self._task = task

    def then(self, call: Callable[[], None]) -> None:
        """Have something called once it has freed everything."""
        self._task.add_done_callback(lambda _task: call())


async def race(
    first: Asking, late: Coroutine[Any, Any, None], second: Callable[[], Asking | None]
) -> list[Ending]:
    """Ask, and ask somebody else too if nothing has come when `late` returns.

    `second` is called then, and may say that there is nobody. One that fails leaves the race to
    the other; one that wins ends it, and the other is cancelled. Returned is how each ended, with
    StillLeaving for a loser that doesn't free everything at once. Leaving early frees both.
    """
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(first)]
    timer = loop.create_task(late)
    try:
        await asyncio.wait((*tasks, timer), return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done() and (other := second()) is not None:
            tasks.append(loop.create_task(other))
        running = set(tasks)
        while running and not any(map(_decides, tasks)):
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        if running:
            _give_up(running)
            # It has a turn to end in, and no more: the winner's caller waits.
            await asyncio.wait(running, timeout=0)
    except BaseException:
        _give_up(tasks)
        if running := [task for task in tasks if not task.done()]:
            await asyncio.wait(running)
        raise
    finally:
        timer.cancel()
    return [_ending(task) if task.done() else StillLeaving(task) for task in tasks]


def _decides(task: asyncio.Task[Answer]) -> bool:
    """Whether nobody need be waited for any longer: it answered, or failed as none should."""
    return task.done() and not isinstance(_ending(task), NodeError)


def _ending(task: asyncio.Task[Answer]) -> Ending:
    if task.cancelled():
        return asyncio.CancelledError()
    return task.exception() or task.result()


def _give_up(tasks: Iterable[asyncio.Task[Answer]]) -> None:
    """Cancel them, and free what one has been answered, now or when it comes all the same."""
    for task in tasks:
        if task.done():
            _free(task)
        else:
            task.cancel()
            _leaving.add(task)
            task.add_done_callback(_free)


def _free(task: asyncio.Task[Answer]) -> None:
    _leaving.discard(task)
    ending = _ending(task)
    if isinstance(ending, Answer):
        ending.close()
