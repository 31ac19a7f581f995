"""The last hour of every backend, added up for the page's figures and its chart."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from inferd.frontends.web import figures
from inferd.frontends.web.backend_rows import called
from inferd.frontends.web.sparks import Spark, spark
from inferd.gateway.report import BackendReport
from inferd.gateway.routing.history import SPAN, Point

_LATELY = 3
"""How many of the newest moments make the last five minutes."""
_MOST_LINES = 5
"""Each of them has a dash and a shade of its own, of one tier all."""
_SPARK = 150
_NOTHING = ("–", "")

Hours = Mapping[str, Sequence[Point]]
"""The last hour of each backend, by its id, the oldest point first."""


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """The four figures on top; each has one sentence or one picture."""

    rate: str
    spark: Spark
    typical: tuple[str, str]
    slow: str
    in_flight: int
    busiest: str
    failed: str
    failures: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One backend's line: values in milliseconds; `dash` tells lines of one tier apart."""

    id: str
    name: str
    tier: str
    dash: int
    values: tuple[float | None, ...]


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """The hour: `times` in seconds since the epoch, `rows` the same numbers as a table."""

    times: tuple[float, ...] = ()
    lines: tuple[Line, ...] = ()
    others: int = 0
    said: str = ""
    rows: tuple[tuple[str, tuple[str, ...]], ...] = ()


def stats(reports: Sequence[BackendReport], hours: Hours, here: str) -> Stats:
    """Return the last five minutes of all backends together."""
    shown = [hours.get(report.id, ()) for report in reports]
    late = [point for hour in shown for point in hour[-_LATELY:] if point.requests]
    asked = sum(point.requests for point in late)
    failed = sum(point.failures for point in late)
    timed = [point for point in late if point.median_ms is not None]
    weight = sum(point.requests for point in timed)
    typical = sum((point.median_ms or 0.0) * point.requests for point in timed) / (weight or 1)
    slow = max((point.p95_ms or 0.0 for point in timed), default=0.0)
    in_flight = sum(report.metrics.in_flight for report in reports)
    rates = [sum(each) for each in zip(*(_counts(hour) for hour in shown if hour), strict=True)]
    per_minute = asked / (_LATELY * SPAN / 60)
    return Stats(
        rate=figures.compact(round(per_minute, 1) if per_minute < 10 else round(per_minute)),
        spark=spark(
            [float(count) for count in rates],
            f"Requests over the last hour, at most {max(rates, default=0):,} in {SPAN:.0f} seconds",
            width=_SPARK,
        ),
        typical=_split(figures.duration(typical / 1000)) if timed else _NOTHING,
        slow=f"slowest 5% above {figures.duration(slow / 1000)}"
        if slow
        else "nothing answered lately",
        in_flight=in_flight,
        busiest=_busiest(reports, here),
        failed=_percent(failed, asked),
        failures=_failures(failed, asked),
    )


def _busiest(reports: Sequence[BackendReport], here: str) -> str:
    busiest = max(reports, key=lambda report: report.metrics.in_flight, default=None)
    if busiest is None or not busiest.metrics.in_flight:
        return "nothing is running"
    return f"most on {called(busiest.name, here)}: {busiest.metrics.in_flight:,}"


def _counts(hour: Sequence[Point]) -> Sequence[int]:
    return [point.requests for point in hour]


def _split(text: str) -> tuple[str, str]:
    number, _, unit = text.partition(" ")
    return number, unit


def _percent(part: int, whole: int) -> str:
    return f"{part / whole * 100:.1f}".removesuffix(".0") if whole else "0"


def _failures(failed: int, asked: int) -> str:
    if not asked:
        return "nothing asked lately"
    if not failed:
        return f"backends failed none of {asked:,}"
    return f"backends failed {failed:,} of {asked:,}"


def chart(reports: Sequence[BackendReport], hours: Hours, here: str, now: float) -> Chart:
    """Return the lines of the busiest backends; `now` is in seconds since the epoch."""
    known = {
        report.id: hour
        for report in reports
        if (hour := hours.get(report.id)) and any(point.median_ms is not None for point in hour)
    }
    busiest = sorted(known, key=lambda name: -sum(point.requests for point in known[name]))
    shown = set(busiest[:_MOST_LINES])
    dashes: dict[str, int] = {}
    lines: list[Line] = []
    for report in reports:
        if report.id not in shown:
            continue
        dash = dashes[report.tier] = dashes.get(report.tier, -1) + 1
        lines.append(
            Line(
                id=report.id,
                name=called(report.name, here),
                tier=report.tier,
                dash=dash,
                values=tuple(point.median_ms for point in known[report.id]),
            )
        )
    if not lines:
        return Chart()
    count = len(lines[0].values)
    times = tuple(now - (count - at) * SPAN for at in range(count))
    return Chart(
        times=times,
        lines=tuple(lines),
        others=len(known) - len(lines),
        said=_said(lines),
        rows=_rows(lines, times),
    )


def _said(lines: Sequence[Line]) -> str:
    """Say in a sentence what the chart shows, for who doesn't see it."""
    parts: list[str] = []
    for line in lines:
        known = [value for value in line.values if value is not None]
        low, high = figures.duration(min(known) / 1000), figures.duration(max(known) / 1000)
        parts.append(f"{line.name} between {low} and {high}")
    return f"Median latency by backend over the last hour: {', '.join(parts)}."


def _rows(lines: Sequence[Line], times: Sequence[float]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the moments in which something was answered, the newest first."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for at in reversed(range(len(times))):
        values = [line.values[at] for line in lines]
        if any(value is not None for value in values):
            moment = datetime.fromtimestamp(times[at], UTC).isoformat(timespec="seconds")
            found.append((moment, tuple(_cell(value) for value in values)))
    return tuple(found)


def _cell(value: float | None) -> str:
    return "–" if value is None else figures.duration(value / 1000)


def for_script(chart: Chart) -> Mapping[str, object]:
    """Return what the script draws."""
    return {
        "said": chart.said,
        "times": chart.times,
        "series": [
            {"name": line.name, "tier": line.tier, "dash": line.dash, "values": line.values}
            for line in chart.lines
        ],
    }
