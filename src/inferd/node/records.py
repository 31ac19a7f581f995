"""Where every request's outcome goes: the ledger, the audit log, the access log."""

import asyncio
import logging

from inferd.core.clock import Clock
from inferd.core.records import Forward, Row
from inferd.node.home import Home
from inferd.storage.audit import Audit
from inferd.storage.batch import Batch
from inferd.storage.ledger import Ledger
from inferd.telemetry.logs import log_all

logger = logging.getLogger("inferd.access")

_DAY = 86_400.0


class Records:
    """The gateway's recorder. It takes records at once; `run` writes them."""

    def __init__(self, home: Home, clock: Clock, *, keep_days: float | None, access: bool) -> None:
        """`keep_days` None keeps no ledger; `access` logs a line a request."""
        self._clock = clock
        self._keep_days = keep_days
        self._access = access
        self._ledger = Ledger(home.ledger)
        self._rows = Batch[Row]("ledger", self._ledger.write, clock)
        self._lines = Batch[Row]("access log", _log, clock)
        self._forwards = Batch[Forward]("audit log", Audit(home.audit).write, clock)

    def settled(self, row: Row) -> None:
        """Take a request's row."""
        if self._keep_days is not None:
            self._rows.add(row)
        if self._access:
            self._lines.add(row)

    def forwarded(self, line: Forward) -> None:
        """Take an attempt at another node."""
        self._forwards.add(line)

    async def run(self) -> None:
        """Write, and once a day forget what is old, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._rows.run())
                tasks.create_task(self._lines.run())
                tasks.create_task(self._forwards.run())
                tasks.create_task(self._forget())
        finally:
            self._ledger.close()

    async def flush(self) -> None:
        """Write what is waiting now."""
        await self._rows.flush()
        await self._lines.flush()
        await self._forwards.flush()

    async def _forget(self) -> None:
        while self._keep_days is not None:
            await self._clock.sleep(_DAY)
            before = self._clock.wall() - self._keep_days * _DAY
            await asyncio.to_thread(self._ledger.prune, before)


def _log(rows: list[Row]) -> None:
    """Write an access log's lines."""
    log_all(logger, [(row.at, _line(row)) for row in rows])


def _line(row: Row) -> str:
    where = f"{row.source} {row.backend}".strip() or "nowhere"
    what = f"{row.id} {row.principal} {row.task} {row.model or '-'}"
    return f"{what} on {where}: {row.outcome} in {row.seconds * 1000:.0f} ms"
