"""The one timer that enforces every deadline of a loop."""

import asyncio
import logging
from typing import Protocol
from weakref import WeakKeyDictionary

FOREVER = float("inf")

_INTERVAL = 0.1
_AGAIN_SECONDS = 10.0

logger = logging.getLogger(__name__)


class Watched(Protocol):
    """What has a `deadline` on the loop's clock, and is told once when it has passed."""

    deadline: float

    def expired(self) -> None:
        """Do what is due. Set `deadline` first: it is told again while that has passed."""
        ...


class Sweep:
    """Looks at everything it watches ten times a second; asleep while that is nothing.

    Moving a deadline is an assignment, so that neither a request nor a chunk costs a timer.
    """

    __slots__ = ("_loop", "_timer", "_watched")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, watched: Watched) -> None:
        """Begin to look at `watched`."""
        self._watched.add(watched)
        if self._timer is None:
            self._timer = self._loop.call_later(_INTERVAL, self._look)

    def forget(self, watched: Watched) -> None:
        """Look at it no longer."""
        self._watched.discard(watched)

    def _look(self) -> None:
        now = self._loop.time()
        for late in [each for each in self._watched if each.deadline <= now]:
            try:
                late.expired()
            except Exception:
                # One's fault is no reason to let the others wait for ever.
                logger.exception("a deadline's work failed")
                if late.deadline <= now:
                    late.deadline = now + _AGAIN_SECONDS
        self._timer = self._loop.call_later(_INTERVAL, self._look) if self._watched else None


_sweeps: WeakKeyDictionary[asyncio.AbstractEventLoop, Sweep] = WeakKeyDictionary()


def sweep() -> Sweep:
    """Return the running loop's."""
    loop = asyncio.get_running_loop()
    found = _sweeps.get(loop)
    if found is None:
        found = _sweeps[loop] = Sweep(loop)
    return found
