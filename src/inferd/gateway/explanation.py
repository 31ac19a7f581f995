"""What would happen to a request now, and why: every candidate, gate by gate. Nothing is run."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from inferd.core.backend import Status
from inferd.core.errors import RateLimited
from inferd.core.request import Action, InferenceRequest, Principal
from inferd.gateway.admission.limits import Limiter
from inferd.gateway.admission.permission import Permission
from inferd.gateway.admission.policy import Policy
from inferd.gateway.routing.member import Member
from inferd.gateway.routing.plan import Match, Plan, Rank
from inferd.gateway.routing.refusals import Refusal, Why, reason_of
from inferd.gateway.routing.router import Router

HAS_MODEL, ALLOWED, WITHIN_LIMIT, HEALTHY, FITS = (
    "Has model",
    "Allowed",
    "Within limit",
    "Healthy",
    "Fits",
)
GATES = (HAS_MODEL, ALLOWED, WITHIN_LIMIT, HEALTHY, FITS)
_UNWELL = frozenset({Status.UNHEALTHY, Status.OFFLINE})
_ADVANTAGES = (
    "another node is asked for",
    "other nodes are preferred for this task",
    "the route names its model first",
    "it has the usual model",
    "the route names its tier first",
    "its priority number is lower",
    "it is nearer",
    "this machine comes before other nodes",
)
"""What it means that a place in a Rank is the lower one."""


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """One condition. A failed one says why; those after it weren't checked."""

    name: str
    state: Literal["passed", "failed", "not checked"]
    reason: str = ""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One backend's part in a decision. `order` is its place in the queue, from 1; 0 is refused.

    One that fails for now (over a limit, unwell) may be in the queue all the same: it is asked
    when nobody before it answers.
    """

    backend: str
    kind: str
    tier: str
    source: str
    model: str
    order: int = 0
    reason: str = ""
    status: str = ""
    gates: tuple[Gate, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen to a request now, and why; `error` when nobody would answer.

    `strategy` is the one among equals, `decided` what put the first one first, in words, `rule`
    the one that lets the caller use it, and `route` the owner's word on such requests, if any.
    """

    principal: str
    task: str
    model: str
    candidates: tuple[Candidate, ...]
    error: str = ""
    strategy: str = ""
    decided: str = ""
    rule: str = ""
    route: str = ""

    @property
    def source(self) -> str:
        """Where it would go: `local` or `remote`."""
        return self.candidates[0].source if self.candidates and not self.error else "local"


class Explainer:
    """Decides as the router would, and says each step."""

    def __init__(
        self, router: Router, policy: Policy, limiter: Limiter, now: Callable[[], float]
    ) -> None:
        self._router = router
        self._policy = policy
        self._limiter = limiter
        self._now = now

    def explain(
        self,
        request: InferenceRequest,
        principal: Principal,
        *,
        turn: int = 0,
        shows: Callable[[Member], bool] = lambda _: True,
    ) -> Explanation:
        """Return what would happen; beside who would answer only those that it `shows` are named.

        Raises:
            InvalidRequest: It asks for a strategy that there isn't.
        """
        router = self._router
        permit = Permission(self._policy, request, principal)
        matches, refusals = router.consider(request, permit)
        plan = router.plan(matches, request, turn=turn)
        ordered = list(plan.order(self._now(), router.pool.changes.health, request))
        error = None if matches else router.error(request, refusals)
        candidates = [
            self._queued(match, order, request, principal)
            for order, match in enumerate(ordered, start=1)
            # Who answers is said on the answer itself.
            if order == 1 or shows(match.member)
        ]
        candidates += [
            _refused(refusal, request, permit) for refusal in refusals if shows(refusal.member)
        ]
        route = router.route(request)
        return Explanation(
            principal=principal.id,
            task=request.task,
            model=request.model,
            candidates=tuple(candidates),
            error="" if error is None else str(error),
            strategy=plan.strategy.name,
            decided=_decided(plan, ordered, shows) if ordered else "",
            rule=_allowed_by(ordered[0], permit) if ordered else "",
            route=route.name,
        )

    def _queued(
        self, match: Match, order: int, request: InferenceRequest, principal: Principal
    ) -> Candidate:
        member = match.member
        reason = _promise(match)
        failed, why = "", ""
        if limit := self._limit(match, request, principal):
            failed, why = WITHIN_LIMIT, limit.message
        elif member.status in _UNWELL:
            failed, why = HEALTHY, f"{member.status}: {member.error}"
            reason = f"asked last: {member.error}"
        return _candidate(member, match.model, reason, order=order, gates=_gates(failed, why))

    def _limit(
        self, match: Match, request: InferenceRequest, principal: Principal
    ) -> RateLimited | None:
        """Return which limit of the caller's is reached there, if one is."""
        member = match.member
        rule = self._policy.find(
            principal,
            Action.INFER,
            model=match.model or request.model,
            task=request.task,
            tier=member.backend.tier,
            backend=member.name,
            is_found=member.is_found,
        )
        if rule is None:
            return None
        known = match.model if match.model in member.capabilities.ids else ""
        meter = self._limiter.meter(rule.limits, rule=rule, model=known)
        return None if meter is None else meter.obstacle(principal)


def _gates(failed: str, why: str) -> tuple[Gate, ...]:
    """Return every gate: those before the failed one are passed, those after it not checked."""
    found: list[Gate] = []
    state: Literal["passed", "failed", "not checked"] = "passed"
    for name in GATES:
        if name == failed:
            found.append(Gate(name=name, state="failed", reason=why))
            state = "not checked"
        else:
            found.append(Gate(name=name, state=state))
    return tuple(found)


def _refused(refusal: Refusal, request: InferenceRequest, permit: Permission) -> Candidate:
    member, reason = refusal.member, reason_of(refusal, request)
    if refusal.why is Why.POLICY:
        reason = permit.reason(
            refusal.model, member.backend.tier, member.name, is_found=member.is_found
        )
    match refusal.why:
        case Why.LACKS:
            gate = HAS_MODEL
        case Why.DRAINING:
            gate = HEALTHY
        case _:
            gate = ALLOWED
    model = refusal.model or request.model
    return _candidate(member, model, reason, order=0, gates=_gates(gate, reason))


def _candidate(
    member: Member, model: str, reason: str, *, order: int, gates: tuple[Gate, ...]
) -> Candidate:
    backend = member.backend
    return Candidate(
        backend=member.name,
        kind=backend.kind,
        tier=backend.tier.label,
        source=member.source,
        model=model,
        order=order,
        reason=reason,
        status=member.status.value,
        gates=gates,
    )


def _promise(match: Match) -> str:
    if match.model and match.model not in match.member.capabilities.ids:
        return "may have it: it takes models that it doesn't list"
    return "can and may run it"


def _allowed_by(match: Match, permit: Permission) -> str:
    member = match.member
    return permit.reason(match.model, member.backend.tier, member.name, is_found=member.is_found)


def _decided(plan: Plan[Match], ordered: Sequence[Match], shows: Callable[[Member], bool]) -> str:
    """Say what put the first one first."""
    equals = plan.equals
    if len(equals) > 1:
        return f"of {len(equals)} equals, {plan.strategy.says} ({plan.strategy.name})"
    if len(ordered) == 1:
        return "it is the only one that can and may"
    first, second = ordered[0], ordered[1]
    if second.member.status in _UNWELL:
        return f"it is well, and {second.member.name if shows(second.member) else 'another'} isn't"
    return _advantage(first.rank, second.rank)


def _advantage(first: Rank, second: Rank) -> str:
    steps: Iterable[tuple[int, int, str]] = zip(first, second, _ADVANTAGES, strict=True)
    return next((words for one, other, words in steps if one < other), "it is on trial")


def route_words(explanation: Explanation, *, most: int = 1024) -> str:
    """Return it as one header's value: ASCII, bounded, in the order in which they are asked.

    `forge; order=1; model="llama", attic; order=2; model="llama"; but="Healthy: offline: …"`.
    """
    parts = [f"strategy={explanation.strategy}"]
    for one in explanation.candidates:
        failed = next((gate for gate in one.gates if gate.state == "failed"), None)
        why = f"{failed.name}: {failed.reason}" if failed else ""
        if one.order:
            but = f"; but={_quoted(why)}" if why else ""
            model = _quoted(one.model)
            parts.append(f"{_plain(one.backend)}; order={one.order}; model={model}{but}")
        else:
            parts.append(f"{_plain(one.backend)}; refused={_quoted(why or one.reason)}")
    if explanation.decided:
        parts.insert(1, f"decided={_quoted(explanation.decided)}")
    found = ""
    for part in parts:
        longer = f"{found}, {part}" if found else part
        if len(longer) > most - len(_MORE):
            return found + _MORE
        found = longer
    return found


_MORE = ", ..."
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/@+")
_LONGEST_WORD = 200


def _plain(text: str) -> str:
    return "".join(each if each in _SAFE else "_" for each in text[:_LONGEST_WORD])


def _quoted(text: str) -> str:
    shown = "".join(
        each if " " <= each <= "~" and each not in '"\\' else "_" for each in text[:_LONGEST_WORD]
    )
    return f'"{shown}"'
