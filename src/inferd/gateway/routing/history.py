"""How long a backend took and how often it failed: the last hour, in a fixed room."""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence

import msgspec

SPAN = 100.0
"""Seconds that one point stands for."""
POINTS = 36
"""Points that are kept: an hour of them."""
_LEAST = 0.0001
_PER_DOUBLING = 3
BOUNDS: tuple[float, ...] = tuple(_LEAST * 2 ** (step / _PER_DOUBLING) for step in range(70))
"""Seconds that part the counts, from 0.1 ms to 14 minutes, each a quarter above the one before."""


class Point(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What happened within a span; the times in milliseconds are None where nothing ended well."""

    requests: int = 0
    failures: int = 0
    median_ms: float | None = None
    p95_ms: float | None = None


NOTHING = Point()


class Spread:
    """Counts by how long something took, in this span and the one before."""

    __slots__ = ("_before", "counts")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        """Those of this span; whoever counts one adds to these by itself."""
        self._before: Sequence[int] = ()

    def turn(self) -> None:
        """Begin another span."""
        self._before = self.counts
        self.counts = [0] * (len(BOUNDS) + 1)

    def quantile(self, part: float) -> float | None:
        """Return the seconds within which `part` of the latest were done, about.

        They are those of this span and the one before; None where there were none.
        """
        before = self._before
        counts = (
            [a + b for a, b in zip(self.counts, before, strict=True)] if before else self.counts
        )
        return quantile(counts, part)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {sum(self.counts)} now>"


class History(Spread):
    """How long requests took that ended well. Adding one is two additions; nothing is kept."""

    __slots__ = ("_points", "failures", "total")

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0
        """Requests that were failed in this span."""
        self.total = 0.0
        """Seconds of all requests that ended well, since the backend was taken in."""
        self._points: deque[Point] = deque(maxlen=POINTS - 1)

    def add(self, seconds: float) -> None:
        """Count a request that ended well."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def turn(self) -> None:
        """Begin another span."""
        self._points.append(self._point())
        self.failures = 0
        super().turn()

    @property
    def points(self) -> tuple[Point, ...]:
        """The last hour, oldest first; the last point is still going on."""
        missing = POINTS - 1 - len(self._points)
        return (*(NOTHING,) * missing, *self._points, self._point())

    def _point(self) -> Point:
        requests = sum(self.counts)
        if not requests and not self.failures:
            return NOTHING
        return Point(
            requests=requests + self.failures,
            failures=self.failures,
            median_ms=milliseconds(quantile(self.counts, 0.5)),
            p95_ms=milliseconds(quantile(self.counts, 0.95)),
        )

    def __repr__(self) -> str:
        return f"<History {sum(self.counts)} now, {self.failures} failed>"


def quantile(counts: Sequence[int], part: float) -> float | None:
    """Return the middle of the count in which the `part`-quantile lies, in seconds."""
    wanted = sum(counts) * part
    if not wanted:
        return None
    seen = 0
    for index, count in enumerate(counts):
        seen += count
        if seen >= wanted:
            upper = BOUNDS[min(index, len(BOUNDS) - 1)]
            # The middle, as these bounds grow: a sixth of a doubling below.
            return upper / 2 ** (0.5 / _PER_DOUBLING)
    raise AssertionError(counts)


def milliseconds(seconds: float | None) -> float | None:
    """Return seconds as milliseconds, with the digits that mean something."""
    return None if seconds is None else round(seconds * 1000, 2)
