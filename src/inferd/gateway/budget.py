"""How many further attempts there may be, so that trouble isn't made worse by asking again."""

from collections.abc import Iterable

from inferd.telemetry.metrics import Family

_SLOT = 10.0
"""Seconds that are counted together; those before them count too."""


class Budget:
    """Retries and hedges, as a share of the requests of about the last 20 seconds.

    `burst` of them are allowed in that time however few requests there are.
    """

    __slots__ = (
        "_before",
        "_burst",
        "_share",
        "_spent",
        "_spent_before",
        "granted",
        "refused",
        "requests",
        "until",
    )

    def __init__(self, *, share: float = 0.1, burst: int = 32) -> None:
        self._share = share
        self._burst = burst
        self.requests = 0
        """Requests of this slot; whoever begins one adds to these by itself."""
        self.until = 0.0
        """When this slot ends: whoever comes later calls `turn` first."""
        self.granted = 0
        """Further attempts since the node began."""
        self.refused = 0
        """Further attempts that there was no room for."""
        self._before = self._spent = self._spent_before = 0

    @property
    def share(self) -> float:
        """Which part of the requests may be asked once more."""
        return self._share

    def turn(self, now: float) -> None:
        """Begin another slot."""
        is_next = now < self.until + _SLOT
        self._before = self.requests if is_next else 0
        self._spent_before = self._spent if is_next else 0
        self.requests = self._spent = 0
        self.until = now + _SLOT

    def spend(self, now: float) -> bool:
        """Take one further attempt out of it; say whether there was one."""
        if now >= self.until:
            self.turn(now)
        allowed = self._burst + self._share * (self.requests + self._before)
        if self._spent + self._spent_before + 1 > allowed:
            self.refused += 1
            return False
        self._spent += 1
        self.granted += 1
        return True

    def families(self) -> Iterable[Family]:
        """Yield the counts as metrics."""
        counts = {"granted": self.granted, "refused": self.refused}
        yield Family(
            "inferd_further_attempts",
            "counter",
            "Retries and hedges that the budget had room for, or had none.",
            [({"budget": word}, count) for word, count in counts.items()],
        )

    def __repr__(self) -> str:
        spent = self._spent + self._spent_before
        return f"<Budget {spent} spent on {self.requests + self._before} requests>"
