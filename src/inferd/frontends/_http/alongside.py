"""Work that runs while a block does."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager


@asynccontextmanager
async def alongside(work: Coroutine[object, object, None]) -> AsyncGenerator[None]:
    """Run `work` while the block runs; leaving the block cancels it.

    If `work` raises, the block is cancelled and the error comes out here. Errors of either come
    out bare: callers match on their types.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(work)
            yield
            task.cancel()
    except BaseExceptionGroup as group:
        first = group.exceptions[0]
        raise first from first.__cause__
