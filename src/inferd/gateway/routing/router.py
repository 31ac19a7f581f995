"""Which backend next: filter, group, order; and the reason for each."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import msgspec

from inferd.core.clock import Clock
from inferd.core.errors import NodeError
from inferd.core.request import InferenceRequest, Place, Tier
from inferd.gateway.routing.affinity import Affinity
from inferd.gateway.routing.member import Member
from inferd.gateway.routing.plan import Match, Plan, Rank
from inferd.gateway.routing.pool import Pool
from inferd.gateway.routing.refusals import Refusal, Why, no_nodes, nobody
from inferd.gateway.routing.routes import INCOMPARABLE, Route, route_of
from inferd.gateway.routing.strategies import ROUND_ROBIN, Strategy, strategy_called

M = TypeVar("M", bound=Match)

_Sorted = tuple[list[Match], list[Refusal]]
"""Those to ask, and those refused, with the reason."""


class Permit(Protocol):
    """The policy's answer for one caller and task."""

    def allows(self, model: str, tier: Tier, backend: str, /, *, is_found: bool) -> bool:
        """Whether it may use `model` on that backend, that far away."""
        ...

    def reason(self, model: str, tier: Tier, backend: str, /, *, is_found: bool) -> str:
        """Say by which rule, or why by none."""
        ...


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How this node routes."""

    strategy: Strategy = ROUND_ROBIN
    node_strategy: Strategy = ROUND_ROBIN
    """The same, among other nodes."""
    prefer_remote: frozenset[str] = frozenset()
    """Tasks that go to another node first, unasked."""
    fallback_local: bool = True
    """Whether a request for another node may end here when none answers."""
    max_hops: int = 8
    routes: tuple[Route, ...] = ()
    """The first that covers a request holds."""


class Router:
    """Plain decisions over the pool's live state."""

    def __init__(self, pool: Pool, rules: Rules, clock: Clock) -> None:
        self.pool = pool
        self.rules = rules
        self._clock = clock
        self._affinity = Affinity()

    def plan(
        self, matches: Sequence[M], request: InferenceRequest | None = None, *, turn: int = 0
    ) -> Plan[M]:
        """Return who of `matches` is asked first, and who next, for such a request.

        Raises:
            InvalidRequest: It asks for a strategy that there isn't.
        """
        own = None if request is None else self.strategy_of(request)
        return Plan(
            matches,
            own or self.rules.strategy,
            own or self.rules.node_strategy,
            affinity=self._affinity,
            offers=self.pool.changes.offers,
            turn=turn,
        )

    def strategy_of(self, request: InferenceRequest) -> Strategy | None:
        """Return the strategy that the request or its route names; None is the node's own.

        Raises:
            InvalidRequest: There is none of that name.
        """
        if request.strategy:
            return strategy_called(request.strategy)
        return self.route(request).strategy

    def route(self, request: InferenceRequest) -> Route:
        """Return what the owner says of such a request."""
        return route_of(self.rules.routes, request)

    def matches(self, request: InferenceRequest, permit: Permit) -> list[Match]:
        """Return whom to ask, in the pool's order.

        Raises:
            NodeError: Nobody may or can answer; the error says which of the two, and what to do.
        """
        matches, refusals = self.consider(request, permit)
        if not matches:
            raise self.error(request, refusals)
        return matches

    def is_at_its_last_hop(self, request: InferenceRequest) -> bool:
        """Whether it has passed so many nodes that this one sends it to no other."""
        return len(request.hops) >= self.rules.max_hops

    def error(self, request: InferenceRequest, refusals: list[Refusal]) -> NodeError:
        """Return what a caller is told whom nobody answers."""
        if request.place is Place.REMOTE and not any(m.backend.is_node for m in self.pool):
            return no_nodes()
        return nobody(request, refusals)

    def consider(self, request: InferenceRequest, permit: Permit) -> _Sorted:
        """Sort every backend into those to ask and those refused, with the reason.

        Of a backend that none of a route's models is asked of, the refusal that came nearest.
        """
        route = self.route(request)
        matches: list[Match] = []
        refused: dict[Member, Refusal] = {}
        for nth, name in enumerate(route.models_for(request)):
            asked = request
            if name != request.model:
                asked = msgspec.structs.replace(request, model=name)
            found, refusals = self._consider(asked, permit, route, nth)
            matches += found
            for refusal in refusals:
                known = refused.get(refusal.member)
                if known is None or known.why is Why.LACKS is not refusal.why:
                    refused[refusal.member] = refusal
        asked_for = {match.member for match in matches}
        return matches, [refused[member] for member in refused if member not in asked_for]

    def _consider(
        self, request: InferenceRequest, permit: Permit, route: Route, nth: int
    ) -> _Sorted:
        """Do so for one model, the `nth` that the route names."""
        matches: list[Match] = []
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
            if model is None and not request.model and request.task not in INCOMPARABLE:
                model = member.model_for(request.task, "")
            why = self._obstacle(member, model, request)
            if why is None and not permit.allows(
                model or name, member.backend.tier, member.name, is_found=member.is_found
            ):
                why = Why.POLICY
            if why is None and member.is_draining:
                why = Why.DRAINING
            if request.place is Place.REMOTE and not has_nodes:
                why = why or Why.NODES_ONLY
            if why is None and model is not None:
                rank = self._rank(member, model, request, name, route, nth)
                matches.append(Match(member, model, rank))
            else:
                refusals.append(Refusal(member, why or Why.LACKS, model or name))
        return matches, refusals

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
        return request.place is Place.ANY and request.task in self.rules.prefer_remote

    def _may_end_here(self, request: InferenceRequest) -> bool:
        """Whether a request for another node may fall back: not where none is to be asked."""
        return self.rules.fallback_local and not request.backend

    def _obstacle(self, member: Member, model: str | None, request: InferenceRequest) -> Why | None:
        backend, tiers = member.backend, request.tiers
        if request.place is Place.LOCAL and member.source == "remote":
            return Why.HERE_ONLY
        if (
            request.place is Place.REMOTE
            and not backend.is_node
            and not self._may_end_here(request)
        ):
            return Why.NODES_ONLY
        if backend.is_node and self.is_at_its_last_hop(request):
            return Why.HOPS
        if model is None:
            return Why.LACKS
        if tiers is not None and backend.tier not in tiers:
            return Why.TIER
        return None

    def _rank(
        self,
        member: Member,
        model: str,
        request: InferenceRequest,
        name: str,
        route: Route,
        nth: int,
    ) -> Rank:
        is_node = member.backend.is_node
        return (
            request.place is Place.REMOTE and not is_node,
            self._prefers_nodes(request) and not is_node,
            nth,
            # Another model than the usual one is a last resort for who named none.
            model != (member.model_for(request.task, name) or name),
            route.place_of(member.backend.tier),
            member.priority,
            member.backend.tier,
            is_node,
        )
