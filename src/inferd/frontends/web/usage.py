"""The page "Usage": what was asked, by whom, where it ran, how far words went."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from inferd.core.errors import NodeError
from inferd.core.request import Action
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web import figures, spreadsheet, usage_sums
from inferd.frontends.web.shell import may, show
from inferd.frontends.web.usage_sums import BY, PERIODS, SPLITS, Line, Sum

Answerer = Callable[[Exchange], Awaitable[None]]

_COLUMNS = (*BY, "requests", "input_tokens", "output_tokens", "seconds")
_NOBODY = "nobody"
_MOST_ROWS = 200
_FAR = {
    "local": ("Stayed here", "nobody else saw them"),
    "peer": ("Friends", "their machines saw them"),
    "team": ("Team", "its machines saw them"),
    "cloud": ("Cloud", "providers saw them"),
}


class Books(Protocol):
    """The ledger: its totals by some of its groups, since seconds since the epoch.

    The third is whose; empty is everybody's.
    """

    @property
    def totals(self) -> Callable[[tuple[str, ...], float, str], Awaitable[Sequence[object]]]: ...


def shower(books: Books | None) -> Answerer:
    """Return what shows the page; without books it says so."""

    async def show_usage(exchange: Exchange) -> None:
        if not (may(exchange, Action.USAGE) or may(exchange, Action.INFER)):
            await _refuse(exchange)
            return
        if books is None:
            await show(exchange, "usage.html", page="usage", title="Usage", state="off")
            return
        await _show(exchange, books)

    return show_usage


def sender(books: Books | None) -> Answerer:
    """Return what sends the same figures as a table for a spreadsheet."""

    async def send_csv(exchange: Exchange) -> None:
        if not may(exchange, Action.INFER):
            exchange.context.gateway.authorize(exchange.principal, Action.USAGE)
        period = _one_of(PERIODS, exchange.query.get("period", ""), "7")
        found = [] if books is None else await _sums(exchange, books, period)
        found.sort(key=lambda total: total.group)
        rows = [
            (*total.group, total.requests, total.input_tokens, total.output_tokens, total.seconds)
            for total in found
        ]
        await spreadsheet.send(exchange, f"usage-{period}.csv", _COLUMNS, rows)

    return send_csv


async def _refuse(exchange: Exchange) -> None:
    await show(exchange, "usage.html", page="usage", title="Usage", status=403, state="refused")


def _whose(exchange: Exchange) -> str:
    """Return whose requests the reader sees: empty is everybody's, else its own."""
    return "" if may(exchange, Action.USAGE) else exchange.principal.id


async def _sums(exchange: Exchange, books: Books, period: str) -> list[Sum]:
    begin = usage_sums.since(period, exchange.context.clock.wall())
    totals = await books.totals(BY, begin, _whose(exchange))
    return [msgspec.convert(total, Sum, from_attributes=True) for total in totals]


async def _show(exchange: Exchange, books: Books) -> None:
    period = _one_of(PERIODS, exchange.query.get("period", ""), "7")
    split = _one_of(SPLITS, exchange.query.get("by", ""), "person")
    now = exchange.context.clock.wall()
    try:
        totals = await _sums(exchange, books, period)
    except NodeError as error:
        what = {"state": "broken", "why": f"{error.message}: {error.hint}."}
        await show(exchange, "usage.html", page="usage", title="Usage", status=503, **what)
        return
    await show(
        exchange,
        "usage.html",
        page="usage",
        title="Usage",
        status=200,
        period=period,
        periods={name: words for name, (words, _) in PERIODS.items()},
        split=split,
        splits={name: words for name, (words, _) in SPLITS.items()},
        is_own=bool(_whose(exchange)),
        compact=figures.compact,
        duration=_duration,
        **_figures(exchange, totals, period, split, now),
    )


def _figures(
    exchange: Exchange, totals: Sequence[Sum], period: str, split: str, now: float
) -> Mapping[str, object]:
    """Return what the page says of `totals`."""
    found = usage_sums.lines(totals, split)
    every = usage_sums.whole(found)
    unit = _one_of({"tokens": 0, "requests": 0}, exchange.query.get("of", ""), "")
    unit = unit or ("tokens" if every.tokens or not every.requests else "requests")
    mine = _first(exchange, split)
    shown = usage_sums.series(found, first=mine)
    days = usage_sums.days(found, period, now)
    return {
        "state": "shown" if every.requests else "empty",
        "unit": unit,
        "dates": _dates(days),
        "days": [(_date(day), [_by_day(line, unit).get(day, 0) for line in shown]) for day in days],
        "names": [_name(line, split) for line in shown],
        "every": every,
        "rows": [_row(line, shown, every, split) for line in found[:_MOST_ROWS]],
        "mine": mine,
        "more": max(0, len(found) - _MOST_ROWS),
        "far": [(each, *_FAR[each.tier]) for each in usage_sums.distances(totals)],
        "peak": _peak(every, days, unit),
        "data": {"chart": _chart(shown, days, unit, split)},
    }


def _one_of(known: Mapping[str, object], asked: str, usual: str) -> str:
    return asked if asked in known else usual


def _first(exchange: Exchange, split: str) -> str:
    """Return the line that is in the accent: one's own, among people."""
    return exchange.principal.id if split == "person" else ""


def _row(line: Line, shown: Sequence[Line], every: Line, split: str) -> dict[str, object]:
    colour = next((at for at, each in enumerate(shown) if each.name == line.name), len(shown))
    of_whole = every.tokens or every.requests
    share = (line.tokens if every.tokens else line.requests) / of_whole if of_whole else 0.0
    marks = [
        f"{count:,} {word}"
        for count, word in ((line.failed, "failed"), (line.aborted, "stopped by the caller"))
        if count
    ]
    return {
        "name": label(line.name, split),
        "initials": _initials(label(line.name, split)),
        "sub": ", ".join(marks),
        "colour": min(colour, usage_sums.MOST_SERIES) + 1,
        "share": round(share * 100, 1),
        "line": line,
    }


def label(name: str, split: str) -> str:
    """Return what people call a person, a model or a backend."""
    if split == "person":
        kind, colon, rest = name.partition(":")
        if not colon:
            return {"owner": "Owner"}.get(name, name or _NOBODY)
        return f"Secret {rest}" if kind == "secret" else rest
    if split == "backend":
        return name or "no place took it"
    return name or "no model"


def _initials(name: str) -> str:
    words = name.replace("-", " ").replace("/", " ").split()
    return "".join(word[0] for word in words[:2]).upper() or "?"


def _chart(
    shown: Sequence[Line], days: Sequence[str], unit: str, split: str
) -> Mapping[str, object]:
    """Return what the script draws: a value a day, and the names."""
    return {
        "days": days,
        "unit": unit,
        "series": [
            {
                "name": _name(line, split),
                "values": [_by_day(line, unit).get(day, 0) for day in days],
            }
            for line in shown
        ],
    }


def _name(line: Line, split: str) -> str:
    return line.name if line.name == usage_sums.OTHERS else label(line.name, split)


def _by_day(line: Line, unit: str) -> Mapping[str, int]:
    return line.tokens_by_day if unit == "tokens" else line.requests_by_day


def _peak(every: Line, days: Sequence[str], unit: str) -> str:
    """Say in a sentence what the chart shows, for who doesn't see it."""
    counts = _by_day(every, unit)
    top = max(days, key=lambda day: counts.get(day, 0))
    if not counts.get(top):
        return "Nothing was asked in these days."
    return f"The most on {_date(top)}: {counts[top]:,}. The table below has the same numbers."


def _dates(days: Sequence[str]) -> str:
    first, last = _date(days[0]), _date(days[-1])
    if first == last:
        return last
    number, _, month = first.partition(" ")
    return f"{number if last.endswith(month) else first} to {last}"


def _date(day: str) -> str:
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return f"{moment.day} {moment:%B}"


def _duration(seconds: float) -> str:
    """Write a time as the page does: the twin of `duration` in words.js."""
    if seconds < 0.9995:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 59.95:
        return f"{seconds:.{2 if seconds < 9.995 else 1}f} s"
    if seconds < 3599.5:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes} min"
