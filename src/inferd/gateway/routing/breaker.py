"""When a backend that fails is left alone, tried again, and trusted."""

from enum import StrEnum
from math import log2

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_MOST_DOUBLINGS = 5
_WEIGHT = 0.1
"""How much one request counts in the share of failures."""
_DEGRADED = 0.15
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
    """

    __slots__ = (
        "_share",
        "_share_at",
        "degraded_until",
        "failures",
        "is_on_trial",
        "since",
        "state",
        "until",
    )

    def __init__(self) -> None:
        self.state = State.CLOSED
        self.failures = 0
        """Failures in a row."""
        self.since = 0.0
        """When it opened, on the node's clock."""
        self.until = 0.0
        """When it may be tried again, on the node's clock; 0 while it is closed."""
        self.degraded_until = 0.0
        """Until when it has failed too often of late to be asked like its equals."""
        self.is_on_trial = False
        """Whether a request is out to try it."""
        self._share = 0.0
        self._share_at = 0.0

    @property
    def is_troubled(self) -> bool:
        """Whether there is anything left that a success would change."""
        return self.failures > 0 or self._share > 0

    def failed(self, now: float, retry_after: float | None) -> float:
        """Open it, and return for how many seconds."""
        share = self._share * 2 ** ((self._share_at - now) / _HALF_LIFE)
        self._share, self._share_at = share + (1 - share) * _WEIGHT, now
        doublings = min(_MOST_DOUBLINGS, max(self.failures, int(share * _DOUBLINGS_PER_SHARE)))
        pause = max(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**doublings), retry_after or 0.0)
        self.failures += 1
        if self.state is not State.OPEN:
            self.since = now
        self.until = now + pause
        self.state, self.is_on_trial = State.OPEN, False
        if self._share > _DEGRADED:
            self.degraded_until = now + _HALF_LIFE * log2(self._share / _DEGRADED)
        return pause

    def succeeded(self) -> bool:
        """Close it; say whether that changes where its backend stands."""
        was = (self.state, self.degraded_until)
        self.state, self.failures, self.until, self.is_on_trial = State.CLOSED, 0, 0.0, False
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

    def begins_trial(self) -> bool:
        """Note a request given to its backend; say whether it is the one that tries it."""
        if self.state is not State.HALF_OPEN or self.is_on_trial:
            return False
        self.is_on_trial = True
        return True

    def passes_trial(self) -> bool:
        """Close it because the one that tries it is being answered; say whether it was that.

        Failures in a row are forgotten only when an answer has ended well.
        """
        was, self.is_on_trial = self.is_on_trial, False
        if was:
            self.state, self.until = State.CLOSED, 0.0
        return was

    def ends_trial(self) -> bool:
        """Note that a request said nothing about it; say whether it may be tried again."""
        was, self.is_on_trial = self.is_on_trial, False
        return was

    def __repr__(self) -> str:
        return f"<Breaker {self.state}, {self.failures} failures in a row>"
