"""What the ledger's totals say, as the page "Usage" tells it. Nothing here waits or asks."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec

DAY = 86_400
PERIODS: Mapping[str, tuple[str, int | None]] = {
    "today": ("Today", 1),
    "7": ("7 days", 7),
    "30": ("30 days", 30),
    "all": ("All", None),
}
SPLITS: Mapping[str, tuple[str, str]] = {
    "person": ("Person", "principal"),
    "model": ("Model", "model"),
    "backend": ("Backend", "backend"),
}
BY = ("day", "principal", "model", "backend", "tier", "source", "outcome")
TIERS = ("local", "peer", "team", "cloud")
MOST_SERIES = 5
OTHERS = "others"
_MOST_DAYS = 366


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """What one group of requests came to; `group` is keyed by position in BY. `seconds` of work."""

    group: tuple[str, ...]
    requests: int
    input_tokens: int
    output_tokens: int
    seconds: float

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def of(self, name: str) -> str:
        """Return one of the group's names."""
        return self.group[BY.index(name)]


class Line(msgspec.Struct, kw_only=True):
    """One person, model or backend: figures of the period, and by day."""

    name: str
    tokens: int = 0
    requests: int = 0
    failed: int = 0
    aborted: int = 0
    seconds: float = 0.0
    tokens_by_day: dict[str, int] = {}
    requests_by_day: dict[str, int] = {}

    def add(self, total: Sum) -> None:
        """Count a group in."""
        day = total.of("day")
        self.tokens += total.tokens
        self.requests += total.requests
        self.seconds += total.seconds
        self.tokens_by_day[day] = self.tokens_by_day.get(day, 0) + total.tokens
        self.requests_by_day[day] = self.requests_by_day.get(day, 0) + total.requests
        outcome = total.of("outcome")
        if outcome == "aborted":
            self.aborted += total.requests
        elif outcome != "ok":
            self.failed += total.requests


class Distance(msgspec.Struct, kw_only=True):
    """The requests whose words went as far as one tier, and through which places."""

    tier: str
    requests: int = 0
    share: float = 0.0
    places: tuple[str, ...] = ()


def since(period: str, now: float) -> float:
    """Return when a period began: at midnight, UTC, as the ledger's days do."""
    days = PERIODS[period][1]
    return 0.0 if days is None else max(0.0, (int(now) // DAY - days + 1) * DAY)


def lines(totals: Iterable[Sum], split: str) -> list[Line]:
    """Add up by person, model or backend, the busiest first."""
    found: dict[str, Line] = {}
    for total in totals:
        name = total.of(SPLITS[split][1])
        found.setdefault(name, Line(name=name)).add(total)
    return sorted(found.values(), key=lambda line: (-line.tokens, -line.requests, line.name))


def whole(found: Sequence[Line]) -> Line:
    """Return the sum of all lines."""
    return merged(found, "")


def series(found: Sequence[Line], *, first: str = "") -> list[Line]:
    """Return at most MOST_SERIES lines, `first` before them all, and the rest as one."""
    ahead = sorted(found, key=lambda line: line.name != first)
    if len(ahead) <= MOST_SERIES:
        return ahead
    return [*ahead[:MOST_SERIES], merged(ahead[MOST_SERIES:], OTHERS)]


def merged(found: Iterable[Line], name: str) -> Line:
    """Return several lines as one."""
    one = Line(name=name)
    for line in found:
        for figure in ("tokens", "requests", "failed", "aborted", "seconds"):
            setattr(one, figure, getattr(one, figure) + getattr(line, figure))
        for day, count in line.tokens_by_day.items():
            one.tokens_by_day[day] = one.tokens_by_day.get(day, 0) + count
        for day, count in line.requests_by_day.items():
            one.requests_by_day[day] = one.requests_by_day.get(day, 0) + count
    return one


def days(found: Sequence[Line], period: str, now: float) -> list[str]:
    """Return every day of the period, those without a request too."""
    last = datetime.fromtimestamp(now, UTC).date()
    count = PERIODS[period][1]
    used = [date.fromisoformat(day) for line in found for day in line.requests_by_day]
    if count is None:
        # A row may say that it comes from the future.
        count = max(1, min(_MOST_DAYS, (last - min(used, default=last)).days + 1))
    return [(last - timedelta(days=back)).isoformat() for back in reversed(range(count))]


def distances(totals: Iterable[Sum]) -> list[Distance]:
    """Count how far words went. Of an earlier version's rows, without tier, only "here" is sure."""
    requests: dict[str, int] = defaultdict(int)
    places: dict[str, set[str]] = defaultdict(set)
    for total in totals:
        tier = total.of("tier") or ("local" if total.of("source") == "local" else "")
        if tier in TIERS:
            requests[tier] += total.requests
            places[tier].add(total.of("backend"))
    every = sum(requests.values())
    return [
        Distance(
            tier=tier,
            requests=requests[tier],
            share=requests[tier] / every if every else 0.0,
            places=tuple(sorted(places[tier])),
        )
        for tier in TIERS
    ]
