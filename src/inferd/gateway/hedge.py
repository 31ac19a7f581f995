"""A second backend asked when the first is late: whoever begins to answer first is taken."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from inferd.core.answer import Answer
from inferd.core.errors import NodeError

Asking = Coroutine[Any, Any, Answer]
Ending = Answer | BaseException
"""How one was answered, or failed; CancelledError is for who was given up."""


async def race(
    first: Asking, late: Coroutine[Any, Any, None], second: Callable[[], Asking | None]
) -> list[Ending]:
    """Ask, and ask somebody else too if nothing has come when `late` returns.

    `second` is called then, and may say that there is nobody. One that fails leaves the race to
    the other; one that wins ends it, and the other is cancelled and has freed everything before
    this returns how each ended. Leaving early frees both.
    """
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(first)]
    timer = loop.create_task(late)
    is_over = False
    try:
        await asyncio.wait((*tasks, timer), return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done() and (other := second()) is not None:
            tasks.append(loop.create_task(other))
        running = set(tasks)
        while running and not any(map(_decides, tasks)):
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        is_over = True
    finally:
        await _stop([timer, *tasks])
        endings = [_ending(task) for task in tasks]
        if not is_over:
            for ending in endings:
                if isinstance(ending, Answer):
                    ending.close()
    return endings


def _decides(task: asyncio.Task[Answer]) -> bool:
    """Whether nobody need be waited for any longer: it answered, or failed as none should."""
    return task.done() and not isinstance(_ending(task), NodeError)


def _ending(task: asyncio.Task[Answer]) -> Ending:
    if task.cancelled():
        return asyncio.CancelledError()
    return task.exception() or task.result()


async def _stop(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel what runs, and wait until it has freed what it held."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)
