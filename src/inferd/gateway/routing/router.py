"""Which backend next: filter, group, order; and the reason for each."""

from collections.abc import Callable, Iterable

import msgspec

from inferd.core.clock import Clock
from inferd.core.errors import (
    BackendUnavailable,
    LoopDetected,
    ModelNotFound,
    NodeError,
    NotConfigured,
    PermissionDenied,
)
from inferd.core.request import InferenceRequest, Place, Tier
from inferd.gateway.routing.pool import Member, Pool
from inferd.gateway.routing.strategies import STRATEGIES, Strategy

Permit = Callable[[str, Tier], str]
"""Asks the policy about (model, tier): empty is yes, otherwise the reason why not."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One backend's part in a decision. `order` is its place in the queue, from 1; 0 is refused."""

    backend: str
    kind: str
    tier: str
    source: str
    model: str
    order: int = 0
    reason: str = ""


class Target(msgspec.Struct, frozen=True):
    """A backend, and the id it knows the model by."""

    member: Member
    model: str


class Refusal(msgspec.Struct, frozen=True):
    """A backend that isn't asked: the error it means if nobody else is left, and the reason.

    The reason may speak of the policy, and is for whoever may ask for an explanation.
    """

    member: Member
    error: NodeError
    reason: str = ""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How this node routes."""

    strategy: Strategy = STRATEGIES["round_robin"]
    node_strategy: Strategy = STRATEGIES["round_robin"]
    """The same, among other nodes."""
    prefer_remote: frozenset[str] = frozenset()
    """Tasks that go to another node first, unasked."""
    fallback_local: bool = True
    """Whether a request for another node may end here when none answers."""
    max_hops: int = 8


def source_of(member: Member) -> str:
    """Return `local` or `remote`: whether the words leave this machine."""
    here = member.backend.tier is Tier.LOCAL and not member.backend.is_node
    return "local" if here else "remote"


class Router:
    """Plain decisions over the pool's live state."""

    def __init__(self, pool: Pool, rules: Rules, clock: Clock) -> None:
        self._pool = pool
        self._rules = rules
        self._clock = clock
        self._turn = 0

    def targets(self, request: InferenceRequest, permit: Permit) -> list[Target]:
        """Return whom to ask, best first.

        Raises:
            NodeError: Nobody may or can answer; the error says which of the two, and what to do.
        """
        targets, refusals = self.consider(request, permit)
        self._turn += 1
        if not targets:
            raise _nobody(request, refusals)
        return targets

    def explain(
        self, request: InferenceRequest, permit: Permit
    ) -> tuple[list[Candidate], NodeError | None]:
        """Return every backend's part, those that would be asked first, and why nobody would be."""
        targets, refusals = self.consider(request, permit)
        taken = [
            _candidate(target.member, target.model, order=order, reason="can and may run it")
            for order, target in enumerate(targets, start=1)
        ]
        refused = [
            _candidate(
                refusal.member, request.model, reason=refusal.reason or refusal.error.message
            )
            for refusal in refusals
        ]
        return taken + refused, None if targets else _nobody(request, refusals)

    def consider(
        self, request: InferenceRequest, permit: Permit
    ) -> tuple[list[Target], list[Refusal]]:
        """Sort every backend into those to ask, in order, and those refused, with the reason."""
        targets: list[Target] = []
        refusals: list[Refusal] = []
        members = tuple(self._pool)
        if request.place is Place.REMOTE and not any(each.backend.is_node for each in members):
            return [], [Refusal(member, _no_nodes()) for member in members]
        for member in members:
            model = member.model_for(request.task, request.model)
            error = self._objection(member, model, request)
            if error is not None or model is None:
                refusals.append(Refusal(member, error or _lacks(member, request)))
            elif reason := permit(model or request.model, member.backend.tier):
                refusals.append(Refusal(member, _forbidden(model, request), reason))
            else:
                targets.append(Target(member, model))
        return self._ordered(targets, request), refusals

    def _objection(
        self, member: Member, model: str | None, request: InferenceRequest
    ) -> NodeError | None:
        backend = member.backend
        if request.place is Place.LOCAL and source_of(member) == "remote":
            return NotConfigured("the caller asked for this machine only")
        if request.place is Place.REMOTE and not backend.is_node and not self._rules.fallback_local:
            return NotConfigured("the caller asked for another node only")
        if backend.is_node and len(request.hops) >= self._rules.max_hops:
            return LoopDetected(
                f"the request has passed {len(request.hops)} nodes, the most this node forwards",
                hint="shorten the chain, or raise remote.max_hops",
            )
        tiers = request.tiers
        if model is not None and tiers is not None and backend.tier not in tiers:
            return PermissionDenied(
                f"{backend.tier.label} is outside the request's tier",
                hint="widen X-Inference-Tier, or ask for a model that runs nearer",
            )
        return None

    def _ordered(self, targets: list[Target], request: InferenceRequest) -> list[Target]:
        """Group by place, health, priority and tier; order within a group by strategy."""
        now = self._clock.now()
        prefer_nodes = request.task in self._rules.prefer_remote and request.place is Place.ANY
        groups: dict[tuple[bool, bool, bool, int, int, bool], list[Target]] = {}
        for target in targets:
            member = target.member
            is_node = member.backend.is_node
            key = (
                # Asked for by name, a node that just failed is still tried before this machine.
                request.place is Place.REMOTE and not is_node,
                member.ejected_until > now,
                prefer_nodes and not is_node,
                member.priority,
                member.backend.tier,
                is_node,
            )
            groups.setdefault(key, []).append(target)
        ordered: list[Target] = []
        for key in sorted(groups):
            by_name = {target.member.name: target for target in groups[key]}
            strategy = self._rules.node_strategy if key[-1] else self._rules.strategy
            members = [target.member for target in groups[key]]
            ordered += [by_name[member.name] for member in strategy(members, self._turn)]
        return ordered


def _lacks(member: Member, request: InferenceRequest) -> ModelNotFound:
    if request.task not in member.capabilities.tasks or (
        member.only_tasks and request.task not in member.only_tasks
    ):
        return ModelNotFound(f"it doesn't do {request.task}")
    return ModelNotFound(f"it has no model called {request.model} for {request.task}")


def _forbidden(model: str, request: InferenceRequest) -> PermissionDenied:
    what = model or request.model or "any model"
    return PermissionDenied(
        f"you may not use {what} for {request.task} here",
        hint="ask the node's owner for a rule; `inferd models --why` shows them what applies",
    )


def _candidate(member: Member, model: str, *, order: int = 0, reason: str) -> Candidate:
    backend = member.backend
    return Candidate(
        backend=member.name,
        kind=backend.kind,
        tier=backend.tier.label,
        source=source_of(member),
        model=model,
        order=order,
        reason=reason,
    )


def _no_nodes() -> NotConfigured:
    return NotConfigured(
        "remote inference is not configured on this node",
        hint="set REMOTE_INFERENCE_ENABLED=true and REMOTE_INFERENCE_ENDPOINT, "
        "or leave out use_remote",
    )


def _nobody(request: InferenceRequest, refusals: Iterable[Refusal]) -> NodeError:
    """Say what stands between the request and an answer, the nearest obstacle first."""
    errors = [refusal.error for refusal in refusals]
    for kind in (LoopDetected, PermissionDenied):
        for error in errors:
            if isinstance(error, kind):
                return error
    if request.place is Place.REMOTE and all(isinstance(e, NotConfigured) for e in errors):
        return _no_nodes()
    if any(isinstance(error, NotConfigured) for error in errors) and request.place is Place.LOCAL:
        hint = "leave out use_remote=false to let another node answer"
    else:
        hint = "`inferd models` lists what runs here; add a backend or a remote node for more"
    if errors and all(isinstance(error, NotConfigured) for error in errors):
        return BackendUnavailable("no backend is left that may answer", hint=hint)
    what = f"the model {request.model}" if request.model else "any model"
    return ModelNotFound(f"no backend here runs {what} for {request.task}", hint=hint)
