"""What the page "Route explain" says of a decision. Nothing here waits or asks."""

import re
from collections.abc import Collection, Mapping, Sequence

import msgspec

from inferd.core.errors import NodeError
from inferd.core.records import Row as Record
from inferd.frontends.web import figures
from inferd.frontends.web.backend_rows import KINDS, called, icon_of, price_words, sentence
from inferd.gateway.explanation import ALLOWED, Candidate, Explanation
from inferd.gateway.report import BackendReport
from inferd.gateway.routing.strategies import STRATEGIES

_MARKS = {"passed": "yes", "failed": "no", "not checked": "open"}
_FAR = "too far"
_REFUSED = {
    "Has model": "no such model",
    "Allowed": "not allowed",
    "Within limit": "over a limit",
    "Healthy": "not well",
    "Fits": "does not fit",
}
_STRATEGIES = {
    "round_robin": "Each in its turn",
    "least_loaded": "Least busy first",
    "best_performance": "Quickest first",
    "p2c": "Quicker of two at random",
    "cost": "Cheapest first",
    "prefix_affinity": "Who has read most of this prompt",
}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The sentence above the table; `where` is the tier that it is drawn in, or `no`."""

    title: str
    why: str
    where: str
    icon: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate: a mark for each gate, and what became of it."""

    name: str
    kind: str
    icon: str
    tier: str
    gates: tuple[tuple[str, str, str], ...]
    """The name of each, `yes`, `no` or `open`, and why it failed."""
    verdict: str
    why: str
    is_taken: bool


def strategies() -> dict[str, str]:
    """Return what can be chosen by, in words."""
    return {name: _STRATEGIES.get(name, name) for name in STRATEGIES}


def verdict(found: Explanation, here: str) -> Verdict:
    """Return who would answer and who would carry on, or why nobody would."""
    queue = sorted((each for each in found.candidates if each.order), key=lambda each: each.order)
    if found.error or not queue:
        fact, _, hint = _plain(found.error).removesuffix(")").partition(" (")
        return Verdict(
            title=f"Nowhere, because {fact or 'no place here can do it'}",
            why=sentence(hint) if hint else "",
            where="no",
            icon="ban",
        )
    first, *others = queue
    if first.order > 1:
        why = "Your credential lets you use it, but not list what it offers."
        return Verdict(title="A place you don’t see would answer", why=why, where="no", icon="eye")
    name = called(first.backend, here)
    return Verdict(
        title=f"{name} would answer",
        why=" ".join(
            [_first(found), _next([called(each.backend, here) for each in others], found)]
        ),
        where=first.tier,
        icon=icon_of(first.kind, first.tier),
    )


def _first(found: Explanation) -> str:
    passing = sum(each.order > 0 and not _failed(each) for each in found.candidates)
    if len(found.candidates) == 1:
        return "It is the only place this node has."
    if passing <= 1:
        return "It is the only place that passes every gate."
    return f"It comes first of the {passing:,} places that pass every gate."


def _next(others: Sequence[str], found: Explanation) -> str:
    if not others:
        return "If it failed, nobody could carry on."
    return f"If it failed, {others[0]} would carry on."


def rows(
    found: Explanation,
    here: str,
    reports: Mapping[str, BackendReport],
    reach: Collection[str],
) -> list[Row]:
    """Return every candidate, those that would be asked first, in their order.

    `reports` say how each stands; `reach` are the tiers that words may travel to.
    """
    queue = sorted(found.candidates, key=lambda each: (not each.order, each.order))
    return [
        _row(
            each,
            here,
            facts=_facts(reports.get(each.backend)),
            is_far=each.tier not in reach,
            is_nobody=bool(found.error),
        )
        for each in queue
    ]


def _facts(report: BackendReport | None) -> str:
    """Return what counts when a place is chosen: how quick, how busy, what price."""
    if report is None:
        return ""
    metrics = report.metrics
    typical = metrics.p50_ms
    parts = [
        f"{figures.duration(typical / 1000)} typical" if typical else "not asked lately",
        f"{metrics.in_flight:,} in flight",
        price_words(report.price) or ("free" if report.tier == "local" else ""),
    ]
    return ", ".join(part for part in parts if part)


def _row(candidate: Candidate, here: str, *, facts: str, is_far: bool, is_nobody: bool) -> Row:
    is_taken = candidate.order == 1 and not is_nobody
    failed = _failed(candidate)
    if is_taken:
        said = "Chosen"
    elif candidate.order and failed:
        said = f"Asked last: {_REFUSED.get(failed, failed)}"
    elif candidate.order:
        said = "Next in line" if candidate.order == 2 else f"Number {candidate.order} in line"
    else:
        said = f"Refused: {_FAR if is_far and failed == ALLOWED else _REFUSED.get(failed, failed)}"
    why = candidate.reason.removeprefix("asked last: ")
    if candidate.order and not failed:
        # That it can is what the gates say already.
        why = sentence(facts) + (f" {sentence(why)}" if why.startswith("may") else "")
    return Row(
        name=called(candidate.backend, here),
        kind=KINDS.get(candidate.kind, candidate.kind),
        icon=icon_of(candidate.kind, candidate.tier),
        tier=candidate.tier,
        gates=tuple((gate.name, _MARKS[gate.state], gate.reason) for gate in candidate.gates),
        verdict=said,
        why=sentence(why, candidate.backend) if why else "",
        is_taken=is_taken,
    )


def _failed(candidate: Candidate) -> str:
    """Return the name of the gate that it doesn't pass."""
    return next((gate.name for gate in candidate.gates if gate.state == "failed"), "")


def decision(found: Explanation, whom: str) -> tuple[tuple[str, str], ...]:
    """Say what decided, which rule lets `whom` in, and how equals share the work."""
    facts = [
        ("What put it first", sentence(found.decided) if found.decided else ""),
        ("Among equals", _STRATEGIES.get(found.strategy, found.strategy)),
        ("Route in inferd.toml", found.route),
        (f"The rule that lets {whom} in", sentence(found.rule) if found.rule else ""),
    ]
    return tuple((name, text) for name, text in facts if text)


def problem(error: NodeError) -> tuple[str, str]:
    """Return what is wrong with the question, and what would be right."""
    return sentence(_plain(error.message)), sentence(_plain(error.hint)) if error.hint else ""


def _plain(text: str) -> str:
    """Return what is written for a terminal as a page writes it."""
    return re.sub(r"`([^`]*)`", r"‘\1’", text)


def ran(made: Record, here: str, now: float) -> tuple[tuple[str, str], ...]:
    """Return what became of the request that was made, as the ledger has it."""
    tokens = made.input_tokens + made.output_tokens
    ended = {"ok": "answered", "aborted": "stopped by the caller"}.get(made.outcome, made.outcome)
    facts = [
        ("Ran on", called(made.backend, here) if made.backend else "no place took it"),
        ("Ended", ended.replace("_", " ")),
        ("Took", figures.duration(made.seconds)),
        ("Tokens", f"{tokens:,}" if tokens else ""),
        ("Asked for", made.model),
        ("When", f"{figures.ago(max(0.0, now - made.at))} ago"),
    ]
    return tuple((name, text) for name, text in facts if text)
