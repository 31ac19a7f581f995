"""How every backend stands and what it did, as one principal may see it."""

from collections.abc import Iterable, Mapping

import msgspec

from inferd.core.backend import BackendType, LoadsModels, Status
from inferd.gateway.routing.breaker import State
from inferd.gateway.routing.history import Point, milliseconds
from inferd.gateway.routing.member import ANY_MODEL, Member


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend did since it was taken in; `p50_ms` and `p95_ms` are of the last minutes.

    Times in milliseconds are None where nothing has ended well. `last_health_check` is in seconds
    since the epoch, None where there was none yet.
    """

    requests: int
    successes: int
    failures: int
    success_rate: float | None
    avg_latency_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    queue_size: int
    in_flight: int
    active_connections: int
    models_loaded: int
    last_health_check: float | None
    uptime_seconds: float


class BreakerState(msgspec.Struct, frozen=True, kw_only=True):
    """A breaker. `state` is closed, open or half-open, after so many `failures` in a row.

    `until` is in how many seconds it may be tried again; None where it isn't open.
    """

    state: str
    failures: int
    until: float | None


class BackendReport(msgspec.Struct, frozen=True, kw_only=True):
    """One backend. `reason` says what ails it, and `next` what happens next, if anything."""

    id: str
    name: str
    type: str
    kind: str
    status: str
    endpoint: str
    tier: str
    source: str
    tasks: tuple[str, ...]
    protocols: tuple[str, ...]
    models: int
    priority: int
    price: Mapping[str, float] | None
    reason: str
    next: str
    is_found: bool
    draining: bool
    breaker: BreakerState
    metrics: Metrics


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """All backends that the principal may see. `timestamp` is in seconds since the epoch."""

    total_backends: int
    backends_by_type: Mapping[str, int]
    backends_by_status: Mapping[str, int]
    total_requests: int
    total_successful: int
    total_failed: int
    supported_tasks: tuple[str, ...]
    backends: tuple[BackendReport, ...]
    timestamp: float


class BackendHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One backend's last hour, oldest point first; the last is still going on."""

    id: str
    tier: str
    points: tuple[Point, ...]


def report(members: Iterable[Member], *, now: float, wall: float) -> StatusReport:
    """Return how `members` stand; `now` is on the node's clock, `wall` since the epoch."""
    found = tuple(_backend(member, now, wall) for member in members)
    types = {each.value: 0 for each in BackendType}
    statuses = {each.value: 0 for each in Status}
    for each in found:
        types[each.type] += 1
        statuses[each.status] += 1
    return StatusReport(
        total_backends=len(found),
        backends_by_type=types,
        backends_by_status=statuses,
        total_requests=sum(each.metrics.requests for each in found),
        total_successful=sum(each.metrics.successes for each in found),
        total_failed=sum(each.metrics.failures for each in found),
        supported_tasks=tuple(sorted({task for each in found for task in each.tasks})),
        backends=found,
        timestamp=wall,
    )


def history(members: Iterable[Member]) -> list[BackendHistory]:
    """Return the last hour of each of `members`."""
    return [
        BackendHistory(id=member.name, tier=member.backend.tier.label, points=member.history.points)
        for member in members
    ]


def _backend(member: Member, now: float, wall: float) -> BackendReport:
    backend, breaker, status = member.backend, member.breaker, member.status
    traits, price = backend.traits, member.prices.get(ANY_MODEL)
    until = round(breaker.until - now, 1) if breaker.state is State.OPEN else None
    return BackendReport(
        id=member.name,
        name=member.name,
        type=traits.type.value,
        kind=backend.kind,
        status=status.value,
        endpoint=traits.endpoint,
        tier=backend.tier.label,
        source=member.source,
        tasks=_tasks(member),
        protocols=tuple(sorted(traits.protocols)),
        models=len(member.capabilities.models),
        priority=member.priority,
        price=None if price is None else {"input": price.input, "output": price.output},
        reason=member.error,
        next=_next(member, status, now),
        is_found=member.is_found,
        draining=member.is_draining,
        breaker=BreakerState(state=breaker.state.value, failures=breaker.failures, until=until),
        metrics=_metrics(member, now, wall),
    )


def _tasks(member: Member) -> tuple[str, ...]:
    tasks = member.capabilities.tasks
    return tuple(sorted(tasks & member.only_tasks if member.only_tasks else tasks))


def _metrics(member: Member, now: float, wall: float) -> Metrics:
    ended, looks, past = member.served + member.failed, member.looks, member.history
    return Metrics(
        requests=ended + member.given_up + member.in_flight,
        successes=member.served,
        failures=member.failed,
        success_rate=round(member.served / ended, 4) if ended else None,
        avg_latency_ms=milliseconds(past.total / member.served) if member.served else None,
        p50_ms=milliseconds(past.quantile(0.5)),
        p95_ms=milliseconds(past.quantile(0.95)),
        queue_size=member.in_flight,
        in_flight=member.in_flight,
        active_connections=member.in_flight,
        models_loaded=_loaded(member),
        last_health_check=None if looks.at is None else round(wall - (now - looks.at), 3),
        uptime_seconds=round(now - looks.since, 3),
    )


def _loaded(member: Member) -> int:
    """Count the models that can answer at once: all of them, where it is its own affair."""
    backend = member.backend
    return len(backend.resident if isinstance(backend, LoadsModels) else member.capabilities.models)


def _next(member: Member, status: Status, now: float) -> str:
    """Say what happens next with it; nothing where it simply goes on."""
    breaker, looks = member.breaker, member.looks
    if member.is_draining:
        running = f": {member.in_flight} still run" if member.in_flight else ""
        return f"gets no new request{running}"
    match status:
        case Status.HEALTHY:
            return ""
        case Status.UNHEALTHY:
            return f"tried again in {_seconds(breaker.until - now)}"
        case Status.DEGRADED if breaker.is_on_trial:
            return "one request is trying it"
        case Status.DEGRADED if breaker.state is State.HALF_OPEN:
            return "the next request tries it"
        case Status.DEGRADED:
            return f"asked after its equals for {_seconds(breaker.degraded_until - now)}"
        case _ if looks.next is None:
            return "being asked what it offers"
        case _:
            return f"asked again in {_seconds(looks.next - now)}"


def _seconds(seconds: float) -> str:
    return f"{max(1, round(seconds))} s"
