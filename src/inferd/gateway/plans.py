"""Plans made once for each shape of request, with the terms on which each target is asked."""

from inferd.core.answer import Served
from inferd.core.request import (
    ALL_TIERS,
    Action,
    InferenceRequest,
    Place,
    Principal,
    Tier,
    tiers_up_to,
)
from inferd.gateway.admission.limits import Limiter, Meter
from inferd.gateway.admission.permission import Permission
from inferd.gateway.admission.policy import Policy, Rule
from inferd.gateway.routing.plan import Match, Plan
from inferd.gateway.routing.router import Router
from inferd.gateway.routing.sight import check_asked_for
from inferd.gateway.tallies import Tallies, Tally, Tokens

_MOST_TARGETS = 65_536
_MOST_UNLISTED = 4096
_LONGEST_NAME = 256

_Shape = tuple[
    int, frozenset[Tier], str, str, Place, frozenset[Tier] | None, str, bool, str
]  # fmt: skip
"""All that a plan goes by: the group of principals and its tiers, task, model, place, tiers, the
backend asked for by name, whether the request may be sent on, and the strategy asked for."""


class Target(Match):
    """A match with its terms: what it would have to be asked at each request, asked once."""

    __slots__ = (
        "hedge_after",
        "infer",
        "is_node",
        "meter",
        "name",
        "rule",
        "served",
        "source",
        "stands_in",
        "tally",
        "tier",
        "tiers",
        "tokens",
        "wires",
        "words_tier",
    )

    def __init__(
        self,
        match: Match,
        *,
        rule: Rule,
        meter: Meter | None,
        tiers: frozenset[Tier] | None,
        node: str,
        tally: Tally,
        tokens: Tokens,
    ) -> None:
        """`tiers` is what the backend is told of how far words may go; `node` is this one."""
        super().__init__(match.member, match.model, match.rank)
        member, backend = match.member, match.member.backend
        self.name = backend.name
        self.infer = backend.infer
        self.is_node = backend.is_node
        self.wires = backend.wires
        self.tier = backend.tier
        self.words_tier = backend.tier.label
        self.source = member.source
        self.rule = rule
        self.meter = meter
        self.tiers = tiers
        self.tally = tally
        self.tokens = tokens
        self.hedge_after: float | None = None
        """Seconds after which somebody else is asked too; None where the caller must wish it."""
        self.stands_in = False
        """Whether it is asked for another model than is asked for while all are well."""
        self.served = Served(
            source=self.source,
            node="" if self.is_node else node,
            nodes=(node,),
            backend=self.name,
            model=match.model,
            seen=(self.name,) if self.source == "remote" else (),
        )


class _Kept:
    """Plans with `most` targets together; beyond those the one that was kept first goes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.plans: dict[_Shape, Plan[Target]] = {}
        self.size = 0
        """How many targets there are, in all plans."""

    def take(self, shape: _Shape) -> Plan[Target] | None:
        """Return a plan, and keep it no longer."""
        plan = self.plans.pop(shape, None)
        if plan is not None:
            self.size -= len(plan)
        return plan

    def keep(self, shape: _Shape, plan: Plan[Target]) -> None:
        """Keep a plan, and forget the oldest where there are too many."""
        self.plans[shape] = plan
        self.size += len(plan)
        while self.size > self._most and len(self.plans) > 1:
            self.size -= len(self.plans.pop(next(iter(self.plans))))


class Plans:
    """The plans in force. They hold while no backend offers anything else.

    Names that no backend lists have a small room of their own: callers make them up.
    """

    def __init__(self, router: Router, policy: Policy, limiter: Limiter, *, node: str) -> None:
        self._router = router
        self._policy = policy
        self._limiter = limiter
        self._node = node
        self.tallies = Tallies()
        self._changes = router.pool.changes
        self._listed = _Kept(_MOST_TARGETS)
        self._unlisted = _Kept(_MOST_UNLISTED)
        # What every request looks in.
        self._kept = self._listed.plans

    @property
    def size(self) -> int:
        """How many targets are kept, in all plans."""
        return self._listed.size + self._unlisted.size

    def of(self, request: InferenceRequest, principal: Principal) -> Plan[Target]:
        """Return who may be asked; there is somebody.

        Raises:
            NodeError: Nobody may or can answer; the error says which of the two, and what to do.
        """
        shape = self._shape(request, principal)
        plan = self._kept.get(shape)
        if plan is None or plan.offers != self._changes.offers:
            plan = self._unusual(shape, request, principal)
        return plan

    def turn(self, request: InferenceRequest, principal: Principal) -> int:
        """Return whose turn is next among equals."""
        shape = self._shape(request, principal)
        plan = self._kept.get(shape) or self._unlisted.plans.get(shape)
        return 0 if plan is None else plan.turn

    def _shape(self, request: InferenceRequest, principal: Principal) -> _Shape:
        return (
            self._policy.group(principal),
            principal.tiers,
            request.task,
            request.model,
            request.place,
            request.tiers,
            request.backend,
            bool(request.hops) and self._router.is_at_its_last_hop(request),
            request.strategy,
        )

    def _unusual(
        self, shape: _Shape, request: InferenceRequest, principal: Principal
    ) -> Plan[Target]:
        """Return the plan for a name that nobody lists, or one made now."""
        old = self._listed.take(shape) or self._unlisted.take(shape)
        if old is not None and old.offers == self._changes.offers:
            self._unlisted.keep(shape, old)
            return old
        if request.backend:
            check_asked_for(self._router.pool, self._policy, request, principal)
        permit = Permission(self._policy, request, principal)
        matches = self._router.matches(request, permit)
        targets = [self._target(match, request, principal) for match in matches]
        route = self._router.route(request)
        usual = min(targets, key=lambda target: target.rank).choice
        for target in targets:
            target.hedge_after = route.hedge_after
            target.stands_in = target.choice != usual
        plan = self._router.plan(targets, request, turn=0 if old is None else old.turn)
        plan.caches = route.cache
        if not request.model or any(map(_is_listed, matches)):
            self._listed.keep(shape, plan)
        elif len(request.model) <= _LONGEST_NAME:
            self._unlisted.keep(shape, plan)
        return plan

    def _target(self, match: Match, request: InferenceRequest, principal: Principal) -> Target:
        """Authorise this very target, under the rule that allows it."""
        rule = self._policy.authorize(
            principal,
            Action.INFER,
            model=match.model or request.model,
            task=request.task,
            tier=match.member.backend.tier,
            backend=match.member.name,
            is_found=match.member.is_found,
        )
        # A name that nobody lists may be anything: all of those share a count.
        known = match.model if _is_listed(match) else ""
        tiers = request.tiers
        if match.member.backend.is_node:
            tiers = _reach(request, principal, rule)
        return Target(
            match,
            rule=rule,
            meter=self._limiter.meter(rule.limits, rule=rule, model=known),
            tiers=tiers,
            node=self._node,
            tally=self.tallies.of(request.task, match.member.name),
            tokens=self.tallies.tokens(known),
        )


def _is_listed(match: Match) -> bool:
    return match.model in match.member.capabilities.ids


def _reach(request: InferenceRequest, principal: Principal, rule: Rule) -> frozenset[Tier] | None:
    """Return how far the words may go on from another node: no farther than from here."""
    asked = principal.tiers if request.tiers is None else request.tiers
    reach = asked & tiers_up_to(rule.tier)
    return None if reach == ALL_TIERS else reach
