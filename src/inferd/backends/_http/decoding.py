"""Whole answers that are read: how long they may be, and where it is done."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

JSON_BYTES = 32 << 20
"""Of an answer that is JSON to be read; one that is only passed on, or a file, may be longer."""

_ON_THE_LOOP = 128 << 10


async def decoded(decode: Callable[[], T], size_bytes: int) -> T:
    """Return what `decode` makes of an answer of that size, without holding everybody up for it."""
    return decode() if size_bytes <= _ON_THE_LOOP else await asyncio.to_thread(decode)
