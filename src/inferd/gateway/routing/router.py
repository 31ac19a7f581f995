"""Which backend next: filter, group, order; and the reason for each."""

from typing import Protocol

import msgspec

from inferd.core.clock import Clock
from inferd.core.errors import NodeError
from inferd.core.request import InferenceRequest, Place, Tier
from inferd.gateway.routing.pool import Member, Pool
from inferd.gateway.routing.refusals import Refusal, Why, no_nodes, nobody, reason_of
from inferd.gateway.routing.strategies import STRATEGIES, Strategy

# Vectors of different models can't be compared: better no answer than another model's.
_INCOMPARABLE = frozenset({"feature-extraction", "image-feature-extraction"})


class Permit(Protocol):
    """The policy's answer for one caller and task."""

    def allows(self, model: str, tier: Tier, /) -> bool:
        """Whether it may use `model` that far away."""
        ...

    def reason(self, model: str, tier: Tier, /) -> str:
        """Say by which rule, or why by none."""
        ...


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
    return member.source


class Router:
    """Plain decisions over the pool's live state."""

    def __init__(self, pool: Pool, rules: Rules, clock: Clock) -> None:
        self.pool = pool
        self._rules = rules
        self._clock = clock
        self._turn = 0

    def targets(self, request: InferenceRequest, permit: Permit) -> list[Target]:
        """Return whom to ask, best first.

        Raises:
            NodeError: Nobody may or can answer; the error says which of the two, and what to do.
        """
        targets, refusals = self._consider(request, permit)
        self._turn += 1
        if not targets:
            raise self._error(request, refusals)
        return targets

    def explain(
        self, request: InferenceRequest, permit: Permit
    ) -> tuple[list[Candidate], NodeError | None]:
        """Return every backend's part, those that would be asked first, and why nobody would be."""
        targets, refusals = self._consider(request, permit)
        found = [
            _candidate(target.member, target.model, _promise(target, request), order=order)
            for order, target in enumerate(targets, start=1)
        ]
        for refusal in refusals:
            reason = reason_of(refusal, request)
            if refusal.why is Why.POLICY:
                reason = permit.reason(refusal.model, refusal.member.backend.tier)
            found.append(_candidate(refusal.member, refusal.model or request.model, reason))
        return found, None if targets else self._error(request, refusals)

    def _error(self, request: InferenceRequest, refusals: list[Refusal]) -> NodeError:
        if request.place is Place.REMOTE and not any(m.backend.is_node for m in self.pool):
            return no_nodes()
        return nobody(request, refusals)

    def _consider(
        self, request: InferenceRequest, permit: Permit
    ) -> tuple[list[Target], list[Refusal]]:
        """Sort every backend into those to ask, in order, and those refused, with the reason."""
        targets: list[Target] = []
        refusals: list[Refusal] = []
        members = tuple(self.pool)
        has_nodes = any(member.backend.is_node for member in members)
        if request.backend:
            others = [member for member in members if member.name != request.backend]
            refusals += [Refusal(member, Why.NOT_ASKED_FOR, request.model) for member in others]
            members = tuple(member for member in members if member.name == request.backend)
        name = request.model or self._usual_model(request, members)
        for member in members:
            model = member.model_for(request.task, name)
            if model is None and not request.model and request.task not in _INCOMPARABLE:
                model = member.model_for(request.task, "")
            why = self._obstacle(member, model, request)
            if why is None and not permit.allows(model or name, member.backend.tier):
                why = Why.POLICY
            if request.place is Place.REMOTE and not has_nodes:
                why = why or Why.NODES_ONLY
            if why is None and model is not None:
                targets.append(Target(member, model))
            else:
                refusals.append(Refusal(member, why or Why.LACKS, model or name))
        return self._ordered(targets, request, name), refusals

    def _usual_model(self, request: InferenceRequest, members: tuple[Member, ...]) -> str:
        """Return the model of a request that names none: the nearest one's, for all that have it.

        Otherwise equals would take turns with different models. Empty leaves it to each.
        """
        nodes_first = request.place is Place.REMOTE or self._prefers_nodes(request)
        near = sorted(
            (member for member in members if member.backend.is_node or not nodes_first),
            key=lambda member: (member.priority, member.backend.tier, member.backend.is_node),
        )
        names = (member.model_for(request.task, "") for member in near)
        return next((name for name in names if name), "")

    def _prefers_nodes(self, request: InferenceRequest) -> bool:
        return request.place is Place.ANY and request.task in self._rules.prefer_remote

    def _may_end_here(self, request: InferenceRequest) -> bool:
        """Whether a request for another node may fall back: not where none is to be asked."""
        return self._rules.fallback_local and not request.backend

    def _obstacle(self, member: Member, model: str | None, request: InferenceRequest) -> Why | None:
        backend, tiers = member.backend, request.tiers
        if request.place is Place.LOCAL and source_of(member) == "remote":
            return Why.HERE_ONLY
        if (
            request.place is Place.REMOTE
            and not backend.is_node
            and not self._may_end_here(request)
        ):
            return Why.NODES_ONLY
        if backend.is_node and len(request.hops) >= self._rules.max_hops:
            return Why.HOPS
        if model is None:
            return Why.LACKS
        if tiers is not None and backend.tier not in tiers:
            return Why.TIER
        return None

    def _ordered(self, targets: list[Target], request: InferenceRequest, name: str) -> list[Target]:
        """Group by place, health, model, priority and tier; order a group by strategy."""
        now = self._clock.now()
        prefer_nodes = self._prefers_nodes(request)
        groups: dict[tuple[bool, bool, bool, bool, int, int, bool], list[Target]] = {}
        for target in targets:
            member = target.member
            is_node = member.backend.is_node
            key = (
                # Asked for by name, a node that just failed is still tried before this machine.
                request.place is Place.REMOTE and not is_node,
                member.ejected_until > now,
                prefer_nodes and not is_node,
                # Another model than the usual one is a last resort for who named none.
                target.model != (member.model_for(request.task, name) or name),
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


def _promise(target: Target, request: InferenceRequest) -> str:
    listed = (model.id for model in target.member.capabilities.models)
    if target.model and target.model not in listed:
        return "may have it: it takes models that it doesn't list"
    return "can and may run it"


def _candidate(member: Member, model: str, reason: str, *, order: int = 0) -> Candidate:
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
