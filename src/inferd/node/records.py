"""Where every request's outcome goes: the ledger, the audit log, the access log."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from inferd.core.clock import Clock
from inferd.core.errors import NodeError
from inferd.core.records import Forward, Row
from inferd.node.home import Home
from inferd.storage.audit import Audit
from inferd.storage.batch import Batch
from inferd.storage.ledger import Ledger, Total
from inferd.telemetry.logs import log_requests
from inferd.telemetry.metrics import Reading

logger = logging.getLogger(__name__)

_DAY = 86_400.0


class Records:
    """The gateway's recorder. It takes records at once; `run` writes them."""

    def __init__(self, home: Home, clock: Clock, *, keep_days: float | None, access: bool) -> None:
        """`keep_days` None keeps no ledger; `access` logs a line a request."""
        self._clock = clock
        self._keep_days = keep_days
        self._access = access
        self._pruned_at = 0.0
        self._ledger = Ledger(home.ledger)
        # One thread: SQLite is used from one at a time, and each file's lines stay in order.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="records")
        audit = Audit(home.audit)
        self._rows = Batch[Row]("ledger", self._write_rows, clock, self._thread)
        self._lines = Batch[Row]("access log", log_requests, clock, self._thread)
        self._forwards = Batch[Forward]("audit log", audit.write, clock, self._thread)
        self.readings = [
            Reading(
                f"inferd_{what}_dropped",
                "counter",
                f"{about} that were lost: too many waited to be written.",
                lambda batch=batch: batch.dropped,
            )
            for what, about, batch in (
                ("ledger_rows", "Ledger rows", self._rows),
                ("access_log_lines", "Access log lines", self._lines),
                ("audit_lines", "Audit lines", self._forwards),
            )
        ]
        """What monitoring is told; the server adds its own."""

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
        """Write until cancelled; then write what is left, and close."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for batch in (self._rows, self._lines, self._forwards):
                    tasks.create_task(batch.run())
        finally:
            for batch in (self._rows, self._lines, self._forwards):
                batch.close()
            self._thread.submit(self._ledger.close)
            self._thread.shutdown()

    async def flush(self) -> None:
        """Write what is waiting now."""
        for batch in (self._rows, self._lines, self._forwards):
            await batch.flush()

    async def totals(self, by: Sequence[str], since: float, principal: str) -> list[Total]:
        """Add up the ledger's rows since a time, those still waiting included.

        Only those of `principal` count, if it isn't empty.
        """
        await self._rows.flush()
        loop = asyncio.get_running_loop()
        ask = partial(self._ledger.totals, by, since=since, principal=principal)
        return await loop.run_in_executor(self._thread, ask)

    async def find(self, request_id: str, since: float, principal: str) -> Row | None:
        """Return the ledger's newest row of that id since a time, one still waiting included.

        Only one of `principal` counts, if it isn't empty.
        """
        await self._rows.flush()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._thread, self._ledger.find, request_id, since, principal
        )

    def _write_rows(self, rows: list[Row]) -> None:
        """Write rows; with the first of a day, forget what is too old. Runs in the thread."""
        self._ledger.write(rows)
        now = self._clock.wall()
        if self._keep_days is not None and now - self._pruned_at > _DAY:
            self._pruned_at = now
            try:
                self._ledger.prune(now - self._keep_days * _DAY)
            # The rows are written: raising would have them written again.
            except NodeError as error:
                logger.warning("old rows stay in the ledger until tomorrow: %s", error)
