"""What a frontend sees of the node: ask, explain, list."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeVar

import msgspec

from inferd.core.clock import Clock
from inferd.core.errors import NodeError
from inferd.core.hub import HubListing, HubQuery, Listing
from inferd.core.request import Action, InferenceRequest, Principal, Tier
from inferd.core.tasks import TASKS
from inferd.engine.fit import Machine
from inferd.gateway.admission.limits import Limiter
from inferd.gateway.admission.policy import Policy
from inferd.gateway.aliases import aliases
from inferd.gateway.browse import Page, Query, TaskCount, count, page
from inferd.gateway.budget import Budget
from inferd.gateway.call import Call
from inferd.gateway.catalogue import Catalogue, Row
from inferd.gateway.desk import Desk, check_hops
from inferd.gateway.events import BackendEvent, Subscription, Topic
from inferd.gateway.explanation import Explainer, Explanation
from inferd.gateway.plans import Plans
from inferd.gateway.report import BackendHistory, StatusReport, history, report
from inferd.gateway.routing.member import Member
from inferd.gateway.routing.pool import Pool
from inferd.gateway.routing.router import Router
from inferd.gateway.routing.sight import Doable, Ear, check_asked_for, doable, sees
from inferd.gateway.sharing import Shared, Sharing, Terms
from inferd.gateway.shelf import Make, Shelf
from inferd.gateway.usage import Recorder
from inferd.telemetry.metrics import Family
from inferd.telemetry.tracing import Tracer

T = TypeVar("T")


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway is made of."""

    node: str
    policy: Policy
    limiter: Limiter
    router: Router
    recorder: Recorder
    clock: Clock
    tracer: Tracer | None = None
    budget: Budget | None = None
    sharing: Terms | None = None
    """On which terms answers are kept and shared; None, not at all."""


class Gateway:
    """The one path every request takes."""

    def __init__(
        self,
        parts: Parts,
        pool: Pool,
        *,
        hub: HubListing | None = None,
        machine: Machine | None = None,
    ) -> None:
        self._parts = parts
        self.pool = pool
        self._hub = hub
        self._machine = machine or Machine()
        self._shelf = Shelf(parts.policy, pool.changes)
        self._plans = Plans(parts.router, parts.policy, parts.limiter, node=parts.node)
        self._desk = Desk(
            self._plans,
            parts.recorder,
            parts.clock,
            pool=pool,
            node=parts.node,
            budget=parts.budget,
            tracer=parts.tracer,
        )
        self._sharing = parts.sharing and Sharing(self._desk, parts.sharing)

    @property
    def node(self) -> str:
        """This node's id."""
        return self._parts.node

    def infer(self, request: InferenceRequest, principal: Principal) -> Call | Shared:
        """Lend the answer: `async with gateway.infer(request, principal) as answer`.

        Leaving settles and records, however it ended.

        Raises:
            NodeError: Whatever stopped it, on entering or while the answer is read.
        """
        if self._sharing is not None:
            return self._sharing.infer(request, principal)
        return Call(self._desk, request, principal)

    def listen(
        self, principal: Principal, topics: Collection[Topic], *, requests: Collection[str] = ()
    ) -> AbstractContextManager[Subscription]:
        """Lend a subscription to what happens here, as far as `principal` may know of it.

        `requests`, if any, are the ids of the only ones of interest.

        Raises:
            PermissionDenied: Backends and the node's state are for those who may list.
            RateLimited: On entering: it listens in too many places.
            BackendUnavailable: On entering: the node is stopping.
        """
        if {*topics} - {Topic.INFERENCE}:
            self.authorize(principal, Action.LIST)
        wanted = Ear(principal, self._parts.policy, self.pool, frozenset(requests))
        return self.pool.events.subscribe(principal.id, topics, wanted)

    def backends(self, principal: Principal) -> list[BackendEvent]:
        """Return how each backend stands now, of those that `principal` may know of."""
        return [member.state() for member in self._seen(principal)]

    def report(self, principal: Principal) -> StatusReport:
        """Return how the backends that `principal` may know of stand, and what they did."""
        clock = self._parts.clock
        return report(self._seen(principal), now=clock.now(), wall=clock.wall())

    def history(self, principal: Principal) -> list[BackendHistory]:
        """Return the last hour of each backend that `principal` may know of."""
        return history(self._seen(principal))

    def doable(self, principal: Principal, model: str) -> Doable:
        """Return what `principal` may have done with `model`, or with any where it is empty."""
        return doable(self.pool, self._parts.policy, principal, model)

    def explain(
        self, request: InferenceRequest, principal: Principal, *, reader: Principal | None = None
    ) -> Explanation:
        """Say who would be asked, in order, and why the others wouldn't. Nothing is run.

        Beside who would answer, only those are named of whom the `reader` may know: the
        principal itself, by default.

        Raises:
            InvalidRequest: It asks for a strategy that there isn't.
        """
        policy, reader = self._parts.policy, reader or principal
        explainer = Explainer(
            self._parts.router, policy, self._parts.limiter, self._parts.clock.now
        )
        found = explainer.explain(
            request,
            principal,
            turn=self._plans.turn(request, principal),
            shows=lambda member: sees(policy, reader, member),
        )
        try:
            check_hops(self._parts.node, request)
            if request.backend:
                check_asked_for(self.pool, policy, request, principal)
        except NodeError as error:
            return msgspec.structs.replace(found, error=str(error))
        return found

    def models(self, principal: Principal, *, task: str = "", remote: bool = True) -> list[Row]:
        """List the models that `principal` may use, each with where it runs; then routes' names.

        Raises:
            PermissionDenied: It may list nothing at all.
        """
        self.authorize(principal, Action.LIST)
        return list(self._catalogue(principal, remote=remote).own(task).values())

    def made_of_models(self, principal: Principal, make: Make[T]) -> T:
        """Return what `make` makes of `models(principal)`, kept while nobody offers anything else.

        It must go by the rows' ids, tasks, aliases and details only.

        Raises:
            PermissionDenied: It may list nothing at all.
        """
        self.authorize(principal, Action.LIST)
        return self._shelf.take(principal, make, lambda: self.models(principal))

    def browse_known(self, principal: Principal, query: Query) -> Page:
        """Return a page of models from what is known already; never waits.

        Raises:
            PermissionDenied: It may list nothing at all.
            InvalidRequest: The cursor is none of ours.
        """
        self.authorize(principal, Action.LIST)
        listing = self._known(query.of_hub) if query.hub else Listing()
        return page(self._catalogue(principal, remote=query.remote), query, listing)

    async def browse(self, principal: Principal, query: Query) -> Page:
        """Return a page of models, asking the Hub where what is known of it is old.

        It waits a bounded time. A Hub that fails is told of in the page; raises what
        `browse_known` does.
        """
        self.authorize(principal, Action.LIST)
        listing = Listing()
        if self._hub is not None and query.hub:
            listing = await self._hub.list(query.of_hub, query.want)
        return page(self._catalogue(principal, remote=query.remote), query, listing)

    def tasks(self, principal: Principal) -> list[TaskCount]:
        """Count each task's models, from what is known already.

        Raises:
            PermissionDenied: It may list nothing at all.
        """
        self.authorize(principal, Action.LIST)
        catalogue = self._catalogue(principal, remote=True)
        return [
            count(catalogue, name, task.label, task.category, self._known(HubQuery(task=name)))
            for name, task in TASKS.items()
        ]

    def metrics(self) -> Iterable[Family]:
        """Yield what was asked, what came of it, and how the backends stand, for monitoring."""
        yield from self._plans.tallies.families()
        yield from self._desk.budget.families()
        if self._sharing is not None:
            yield from self._sharing.families()
        members = [({"backend": member.name}, member) for member in self.pool]
        yield Family(
            "inferd_backend_in_flight",
            "gauge",
            "Requests that a backend is at.",
            [(labels, member.in_flight) for labels, member in members],
        )
        yield Family(
            "inferd_backend_up",
            "gauge",
            "Whether a backend answered when it was last asked (1) or not (0).",
            [(labels, int(not member.error)) for labels, member in members],
        )
        yield Family(
            "inferd_backend_failures",
            "counter",
            "Requests that a backend failed.",
            [(labels, member.failed) for labels, member in members],
        )

    def authorize(self, principal: Principal, action: Action) -> None:
        """Raise PermissionDenied unless `principal` may do `action` on this node."""
        self._parts.policy.authorize(principal, action, tier=Tier.LOCAL)

    def _seen(self, principal: Principal) -> Iterator[Member]:
        policy = self._parts.policy
        return (member for member in self.pool if sees(policy, principal, member))

    def _known(self, query: HubQuery) -> Listing:
        return Listing() if self._hub is None else self._hub.known(query)

    def _catalogue(self, principal: Principal, *, remote: bool) -> Catalogue:
        return Catalogue(
            self.pool,
            self._parts.policy,
            principal,
            remote=remote,
            machine=self._machine,
            names=partial(aliases, self._parts.router.rules.routes),
        )
