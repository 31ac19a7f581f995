"""Where outcomes go: the ledger with its memory, and loops that don't die in silence."""

import asyncio
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from inferd.core.records import Row
from inferd.node.home import Home
from inferd.node.node import running
from inferd.node.records import Records
from inferd.storage.ledger import Ledger
from tests.clocks import HandClock

DAY = 86_400.0


def row(at: float) -> Row:
    return Row(
        at=at, id="r", principal="owner", task="chat", model="m", backend="local", node="n",
        source="local", input_tokens=1, output_tokens=2, units=1, seconds=0.1, outcome="ok",
    )  # fmt: skip


async def test_the_first_rows_of_a_run_make_room_for_themselves(tmp_path: Path) -> None:
    home, clock = Home(tmp_path), HandClock(wall=100 * DAY)
    old = Ledger(home.ledger)
    old.write([row(5 * DAY), row(95 * DAY)])
    old.close()
    records = Records(home, clock, keep_days=30, access=False)
    task = asyncio.get_running_loop().create_task(records.run())
    records.settled(row(100 * DAY))
    await records.flush()
    sums = await records.totals(["principal"], 0.0, "")
    assert sums[0].requests == 2
    task.cancel()
    await asyncio.wait([task])


async def test_rows_are_written_once_though_old_ones_cannot_be_deleted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home, clock = Home(tmp_path), HandClock(wall=100 * DAY)
    old = Ledger(home.ledger)
    old.write([row(5 * DAY)])
    old.close()
    with closing(sqlite3.connect(home.ledger)) as connection:
        connection.execute(
            "CREATE TRIGGER kept BEFORE DELETE ON requests BEGIN SELECT RAISE(FAIL, 'no'); END"
        )
    records = Records(home, clock, keep_days=30, access=False)
    task = asyncio.get_running_loop().create_task(records.run())
    records.settled(row(100 * DAY))
    for _ in range(3):
        await records.flush()
    assert (await records.totals(["principal"], 50 * DAY, ""))[0].requests == 1
    assert caplog.text.count("old rows stay") == 1
    task.cancel()
    await asyncio.wait([task])


async def test_a_row_that_comes_after_the_end_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = Records(Home(tmp_path), HandClock(), keep_days=30, access=False)
    task = asyncio.get_running_loop().create_task(records.run())
    await asyncio.wait([asyncio.get_running_loop().create_task(_turn())])
    task.cancel()
    await asyncio.wait([task])
    records.settled(row(1.0))
    assert "a record for the ledger came after its end" in caplog.text


async def test_totals_count_rows_that_still_wait(tmp_path: Path) -> None:
    records = Records(Home(tmp_path), HandClock(), keep_days=30, access=False)
    task = asyncio.get_running_loop().create_task(records.run())
    records.settled(row(1_000_000.0))
    assert (await records.totals(["model"], 0.0, ""))[0].output_tokens == 2
    task.cancel()
    await asyncio.wait([task])


async def test_a_loop_that_dies_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async def dies() -> None:
        raise RuntimeError("no reason")

    with caplog.at_level(logging.CRITICAL):
        async with running(prober=dies()):
            while not caplog.records:
                await asyncio.wait([asyncio.get_running_loop().create_task(_turn())])
    assert "prober loop has died" in caplog.text


async def _turn() -> None:
    """One turn of the event loop."""
