"""The page "Backends": how each stands, what it did in the last hour, what was found here."""

from collections.abc import Collection, Sequence
from urllib.parse import urlencode

from inferd.core.backend import LoadsModels
from inferd.core.found import Findings
from inferd.core.request import Action
from inferd.frontends._http.endpoint import Answerer
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web import backend_sums, found_rows
from inferd.frontends.web.backend_rows import DOWN, Row, called, row
from inferd.frontends.web.shell import may, show
from inferd.gateway.report import BackendReport

_MOST_ROWS = 200
_FEW = 2


def shower(found: Findings | None) -> Answerer:
    """Return what shows the page; without `found` it says nothing of what else is here."""

    async def show_backends(exchange: Exchange) -> None:
        # It tells of everybody's requests: whoever may not see usage may not see it either.
        exchange.context.gateway.authorize(exchange.principal, Action.USAGE)
        await _show(exchange, found)

    return show_backends


async def _show(exchange: Exchange, findings: Findings | None) -> None:
    gateway, here = exchange.context.gateway, exchange.context.name or "here"
    now = exchange.context.clock.wall()
    reports = gateway.report(exchange.principal).backends
    hours = {each.id: each.points for each in gateway.history(exchange.principal)}
    rows = _rows(exchange, reports, hours)
    chart = backend_sums.chart(reports, hours, here, now)
    down = [called(each.name, here) for each in reports if each.status in DOWN]
    may_change = may(exchange, Action.ADMIN)
    seen = findings if may_change else None
    found = () if seen is None else found_rows.others(seen.found)
    await show(
        exchange,
        "backends.html",
        page="backends",
        title="Backends",
        lead=lead(down, len(reports)),
        stats=backend_sums.stats(reports, hours, here),
        chart=chart,
        rows=rows,
        more=len(reports) - len(rows),
        address=_address,
        is_lone=len(rows) <= 1,
        may_change=may_change,
        found=None if seen is None else found_rows.groups(found),
        looked="" if seen is None else found_rows.looked(seen, exchange.context.clock.now()),
        data={
            "chart": backend_sums.for_script(chart),
            "found": found_rows.for_script(found),
        },
    )


def _rows(
    exchange: Exchange, reports: Sequence[BackendReport], hours: backend_sums.Hours
) -> list[Row]:
    """Return what is said of each: of the first, and of the one that the address opens."""
    opened = exchange.query.get("open", "")
    names = _names(exchange, opened)
    here, now = exchange.context.name or "here", exchange.context.clock.wall()
    found: list[Row] = []
    for at, report in enumerate(reports):
        hour = hours.get(report.id, ())
        if report.id == opened:
            resident = _resident(exchange, report.id)
            found.append(
                row(
                    report,
                    hour,
                    here=here,
                    now=now,
                    models=names,
                    resident=resident,
                    is_open=True,
                )
            )
        elif at < _MOST_ROWS:
            found.append(row(report, hour, here=here, now=now))
    return found


def _names(exchange: Exchange, backend: str) -> list[str]:
    """Return the models of one backend that the reader may use, by name."""
    if not backend:
        return []
    rows = (
        row for row in exchange.context.gateway.models(exchange.principal) if not row.stands_for
    )
    return [row.id for row in rows if any(place.backend == backend for place in row.places)]


def _resident(exchange: Exchange, name: str) -> Collection[str] | None:
    """Return the models that a backend has in memory; None where it puts none there."""
    member = exchange.context.gateway.pool.find(name)
    backend = None if member is None else member.backend
    return backend.resident if isinstance(backend, LoadsModels) else None


def _address(name: str) -> str:
    return "/backends?" + urlencode({"open": name})


def lead(down: Sequence[str], count: int) -> str:
    """Say in a sentence how they stand; `down` names those of `count` that don't answer."""
    what = "Everything this node can send work to."
    if not count:
        return "Nothing here can be sent work yet."
    if not down:
        return f"{what} {'It answers' if count == 1 else f'All {count:,} answer'}."
    names = " and ".join(down)
    if len(down) > _FEW:
        names = f"{down[0]}, {down[1]} and {len(down) - _FEW:,} more"
    verb = "doesn’t" if len(down) == 1 else "don’t"
    return f"{what} {count - len(down):,} of {count:,} answer; {names} {verb}."
