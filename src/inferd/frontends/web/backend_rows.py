"""What the page "Backends" says of each backend. Nothing here waits or asks."""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from inferd.core.backend import Status
from inferd.frontends.web import figures
from inferd.frontends.web.sparks import Spark, spark
from inferd.gateway.report import BackendReport
from inferd.gateway.routing.history import Point

STATES: Mapping[Status, tuple[str, str]] = {
    Status.HEALTHY: ("ok", "Healthy"),
    Status.DEGRADED: ("warn", "Unsteady"),
    Status.UNHEALTHY: ("bad", "Failing"),
    Status.OFFLINE: ("bad", "Not answering"),
    Status.INITIALIZING: ("off", "Starting"),
    Status.UNKNOWN: ("off", "Not heard of lately"),
}
"""The shape and the word of each status."""
DOWN = frozenset({Status.UNHEALTHY, Status.OFFLINE})
KINDS: Mapping[str, str] = {
    "local": "this node’s own engine",
    "echo": "echo, for tests",
    "remote_node": "another inferd",
    "ws_node": "node over WebSocket",
    "openai": "OpenAI-compatible server",
    "huggingface": "Hugging Face providers",
    "cli_tool": "command on this machine",
    "mcp_tool": "MCP tool",
}
_TIER_WORDS = {"local": "here", "peer": "friend", "team": "team", "cloud": "cloud"}
_MOST_NAMES = 12
_MOST_TASKS = 8
_FEW = 2


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One backend, in words. `href` opens its row, or closes it where it is open."""

    id: str
    name: str
    kind: str
    icon: str
    tier: str
    state: tuple[str, str]
    why: str
    spark: Spark
    typical: str
    slowest: str
    in_flight: int
    ready: str
    answered: str
    tags: tuple[str, ...]
    is_down: bool
    is_draining: bool
    can_go: bool
    """Whether it may be removed while the node runs: its own engine stays."""
    href: str = ""
    detail: "Detail | None" = None


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """What a row shows when it is open: facts by name, and its models."""

    facts: tuple[tuple[str, str], ...]
    models: tuple[tuple[str, bool], ...]
    """The name of each, and whether it is in memory now."""
    more: int
    """Models beyond those named."""
    loads: bool
    """Whether its models are loaded and unloaded here."""


def icon_of(kind: str, tier: str) -> str:
    """Return the picture of a backend: a command's own, else its tier's."""
    by_tier = {"local": "laptop", "peer": "link", "team": "server", "cloud": "cloud"}
    return "term" if kind == "cli_tool" else by_tier.get(tier, "server")


def called(name: str, here: str) -> str:
    """Return what people call a backend: this node's own engine goes by the node's name."""
    return here if name == "local" else name


def row(
    report: BackendReport,
    hour: Sequence[Point],
    *,
    here: str,
    now: float,
    models: Sequence[str] = (),
    resident: Collection[str] | None = None,
    is_open: bool = False,
) -> Row:
    """Return what is said of one backend.

    `hour` are its points, the oldest first; `models` their names where they may be told;
    `resident` those in memory, None where nobody here puts any there.
    """
    metrics = report.metrics
    name = called(report.name, here)
    rate = metrics.success_rate
    return Row(
        id=report.id,
        name=name,
        kind=f"{_TIER_WORDS.get(report.tier, report.tier)} · {KINDS.get(report.kind, report.kind)}",
        icon=icon_of(report.kind, report.tier),
        tier=report.tier,
        state=("off", "Draining") if report.draining else STATES[Status(report.status)],
        why=_why(report),
        spark=spark([point.median_ms for point in hour], _said(name, hour)),
        typical=_milliseconds(metrics.p50_ms),
        slowest=_milliseconds(metrics.p95_ms),
        in_flight=metrics.in_flight,
        ready=_ready(report.models, models),
        answered="–" if rate is None else _percent(rate),
        tags=("Found",) if report.is_found else (),
        is_down=Status(report.status) in DOWN,
        is_draining=report.draining,
        can_go=report.kind != "local",
        href="/backends" if is_open else "",
        detail=_detail(report, models, resident, now) if is_open else None,
    )


def _why(report: BackendReport) -> str:
    """Return what happened, and what happens next."""
    return " ".join(sentence(text, report.name) for text in (report.reason, report.next) if text)


def sentence(text: str, name: str = "") -> str:
    """Return it with a full stop and a capital, unless it begins with a backend's own name."""
    begins = text[:1] if name and text.startswith(name) else text[:1].upper()
    return begins + text[1:] + ("" if text[-1:] in ".!?…" else ".")


def _percent(share: float) -> str:
    return f"{share * 100:.1f}".removesuffix(".0") + "%"


def _ready(count: int, models: Sequence[str]) -> str:
    if not count:
        return "none listed"
    if len(models) == count <= _FEW:
        return ", ".join(name.rpartition("/")[2] for name in models)
    return f"{count:,} model{'' if count == 1 else 's'}"


def _milliseconds(figure: float | None) -> str:
    return "–" if not figure else figures.duration(figure / 1000)


def _said(name: str, hour: Sequence[Point]) -> str:
    """Say in a sentence what the small picture shows."""
    known = [point.median_ms for point in hour if point.median_ms is not None]
    if not known:
        return f"{name}: nothing asked in the last hour"
    low, high = figures.duration(min(known) / 1000), figures.duration(max(known) / 1000)
    return f"{name}, latency over the last hour: between {low} and {high}"


def _detail(
    report: BackendReport, models: Sequence[str], resident: Collection[str] | None, now: float
) -> Detail:
    metrics = report.metrics
    asked = metrics.last_health_check
    facts = [
        ("Address", report.endpoint),
        ("Does", _listed(report.tasks)),
        ("Speaks", ", ".join(report.protocols)),
        ("Price", price_words(report.price)),
        ("Order", f"priority {report.priority}: lower numbers are asked first"),
        ("Answered", f"{metrics.successes:,} of {metrics.requests:,}, {metrics.failures:,} failed"),
        ("Breaker", _breaker(report)),
        ("Last checked", f"{figures.ago(now - asked)} ago" if asked else "not yet"),
        ("Listed for", figures.ago(metrics.uptime_seconds)),
    ]
    return Detail(
        facts=tuple((name, text) for name, text in facts if text),
        models=tuple((name, name in (resident or ())) for name in models[:_MOST_NAMES]),
        more=max(0, report.models - min(len(models), _MOST_NAMES)),
        loads=resident is not None,
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_TASKS
    tail = f" and {more:,} more" if more > 0 else ""
    return ", ".join(names[:_MOST_TASKS]) + tail


def price_words(price: Mapping[str, float] | None) -> str:
    """Return what it costs, and nothing where nobody knows."""
    if price is None:
        return ""
    parts = [f"${figure:g} / M tok {name}" for name, figure in price.items()]
    return ", ".join(parts) if any(price.values()) else "free"


def _breaker(report: BackendReport) -> str:
    breaker = report.breaker
    failures = f"{breaker.failures:,} failure{'' if breaker.failures == 1 else 's'} in a row"
    if breaker.until is not None and breaker.until > 0:
        return f"open after {failures}; tried again in {max(1, round(breaker.until))} s"
    if breaker.state != "closed":
        return f"half open after {failures}: one request at a time tries it"
    return "closed: it takes requests" + (f", {failures}" if breaker.failures else "")
