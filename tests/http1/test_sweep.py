"""The one timer: whatever one of those it watches does, the others are told."""

import asyncio

import pytest

from inferd.http1.sweep import FOREVER, sweep
from tests.http1.raw import BOUND


class Due:
    """Is told at once, takes note, and may fail at it."""

    def __init__(self, *, fails: bool) -> None:
        self.deadline = 0.0
        self.told = 0
        self.twice = asyncio.Event()
        self._fails = fails

    def expired(self) -> None:
        self.told += 1
        if self._fails:
            raise RuntimeError("no deadline's fault")
        if self.told == 2:
            self.deadline = FOREVER
            self.twice.set()


async def test_one_s_fault_stops_no_other_deadline(caplog: pytest.LogCaptureFixture) -> None:
    faulty, others = Due(fails=True), [Due(fails=False) for _ in range(8)]
    for each in (faulty, *others):
        sweep().watch(each)
    try:
        async with asyncio.timeout(BOUND):
            for each in others:
                await each.twice.wait()
    finally:
        for each in (faulty, *others):
            sweep().forget(each)
    # Nor is it asked again at once: its fault would fill the log.
    assert faulty.told == 1
    assert len(caplog.records) == 1
