"""When a backend that fails is left alone, tried again, and trusted."""

from enum import StrEnum
from math import log2

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_MOST_DOUBLINGS = 5
_WEIGHT = 0.1
"""How much one request counts in the share of failures."""
_DEGRADED = 0.15
_SLIGHT = 0.05
"""The share of failures below which being told that it is well is enough: half a minute after one
failure. One that fails whatever it is asked, and lists its models well, stays above."""
_FORGOTTEN = 0.02
_HALF_LIFE = 30.0
"""Seconds in which the share of failures halves while nothing happens."""
_DOUBLINGS_PER_SHARE = 6


class State(StrEnum):
    """A breaker's state, in the usual words."""

    CLOSED = "closed"
    """Requests pass."""
    OPEN = "open"
    """None should, until its time is up."""
    HALF_OPEN = "half-open"
    """One may, to try; the others keep away until it has ended."""


class Breaker:
    """The trouble one backend has had. Looked at only where there was some.

    A failure opens it for a second, longer for each in a row, or where much of what it was
    asked of late went wrong: half of it and the pause is 8 s from the start.

    `at` is when a request was given to its backend, on the node's clock. One that was given before
    the last failure says nothing of how it is since, however well it ends.
    """

    __slots__ = (
        "_share",
        "_share_at",
        "degraded_until",
        "failed_at",
        "failures",
        "since",
        "state",
        "trial",
        "until",
    )

    def __init__(self) -> None:
        self.state = State.CLOSED
        self.failures = 0
        """Failures in a row."""
        self.since = 0.0
        """When it opened, on the node's clock."""
        self.failed_at = 0.0
        """When it failed last, on the node's clock."""
        self.until = 0.0
        """When it may be tried again, on the node's clock; 0 while it is closed."""
        self.degraded_until = 0.0
        """Until when it has failed too often of late to be asked like its equals."""
        self.trial: float | None = None
        """When the request was given that is out to try it; None where none is."""
        self._share = 0.0
        self._share_at = 0.0

    @property
    def is_on_trial(self) -> bool:
        """Whether a request is out to try it."""
        return self.trial is not None

    @property
    def is_troubled(self) -> bool:
        """Whether there is anything left that a success would change."""
        return self.failures > 0 or self._share > 0

    def failed(self, now: float, retry_after: float | None) -> float:
        """Open it, and return for how many seconds."""
        share = self._faded(now)
        self._share, self._share_at = share + (1 - share) * _WEIGHT, now
        doublings = min(_MOST_DOUBLINGS, max(self.failures, int(share * _DOUBLINGS_PER_SHARE)))
        pause = max(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**doublings), retry_after or 0.0)
        self.failures += 1
        if self.state is not State.OPEN:
            self.since = now
        self.failed_at, self.until = now, now + pause
        self.state, self.trial = State.OPEN, None
        if self._share > _DEGRADED:
            self.degraded_until = now + _HALF_LIFE * log2(self._share / _DEGRADED)
        return pause

    def succeeded(self, at: float) -> bool:
        """Close it, if that is news; say whether that changes where its backend stands."""
        was = (self.state, self.degraded_until)
        if at > self.failed_at:
            self.state, self.failures, self.until, self.trial = State.CLOSED, 0, 0.0, None
        self._share *= 1 - _WEIGHT
        if self._share <= _DEGRADED:
            self.degraded_until = 0.0
        if self._share < _FORGOTTEN:
            self._share = 0.0
        return was != (self.state, self.degraded_until)

    def look(self, now: float) -> State:
        """Return its state now: open ends by itself, in half-open."""
        if self.state is State.OPEN and self.until <= now:
            self.state = State.HALF_OPEN
        return self.state

    def begins_trial(self, at: float) -> bool:
        """Note a request given to its backend; say whether it is the one that tries it."""
        if self.state is not State.HALF_OPEN or self.trial is not None:
            return False
        self.trial = at
        return True

    def passes_trial(self, at: float | None) -> bool:
        """Close it if the one that tries it is being answered; say whether it was that.

        Failures in a row are forgotten only when an answer has ended well.
        """
        if not self.ends_trial(at):
            return False
        self.state, self.until = State.CLOSED, 0.0
        return True

    def ends_trial(self, at: float | None) -> bool:
        """Note that a request said nothing about it; say whether it may be tried again.

        `at` is None for whichever tries it.
        """
        if self.trial is None or at not in (None, self.trial):
            return False
        self.trial = None
        return True

    def heals(self, now: float) -> bool:
        """Forget its trouble if little went wrong of late and nobody tries it; say whether it did.

        It is for one that says it is well, and that nobody asks for anything.
        """
        is_at_rest = self.look(now) is not State.OPEN and self.trial is None
        if not is_at_rest or self._faded(now) > _SLIGHT:
            return False
        self.state, self.failures, self.until = State.CLOSED, 0, 0.0
        self._share = self.degraded_until = 0.0
        return True

    def _faded(self, now: float) -> float:
        """Return the share of failures as it counts now."""
        return self._share * 2 ** ((self._share_at - now) / _HALF_LIFE)

    def __repr__(self) -> str:
        return f"<Breaker {self.state}, {self.failures} failures in a row>"
