"""Backends that do as they are told, and a recorder that remembers."""

import asyncio
from collections.abc import AsyncIterator

from inferd.core.answer import Answer, Served
from inferd.core.backend import BackendType, Capabilities, Model, Traits
from inferd.core.errors import NodeError
from inferd.core.hub import HubListing
from inferd.core.records import Forward, Row
from inferd.core.request import OWNER, InferenceRequest, Tier
from inferd.core.result import Chunk, Finish, TextDelta, Usage
from inferd.engine.fit import Machine
from inferd.gateway.admission.limits import Limiter
from inferd.gateway.admission.policy import Policy, Rule
from inferd.gateway.budget import Budget
from inferd.gateway.gateway import Gateway, Parts
from inferd.gateway.plans import Plans
from inferd.gateway.routing.member import Member
from inferd.gateway.routing.pool import Pool
from inferd.gateway.routing.router import Router, Rules
from inferd.gateway.sharing import Terms
from tests.clocks import HandClock

MODEL = "acme/one"


class FakeBackend:
    """Answers 'one two three' unless it was told to fail or to hang."""

    kind = "fake"

    def __init__(
        self,
        name: str = "here",
        *,
        tier: Tier = Tier.LOCAL,
        is_node: bool = False,
        models: tuple[Model, ...] = (Model(id=MODEL, tasks=frozenset({"text-generation"})),),
        open_tasks: frozenset[str] = frozenset(),
    ) -> None:
        self.name = name
        self.tier = tier
        self.is_node = is_node
        self.traits = Traits(type=BackendType.HYBRID if is_node else BackendType.API)
        self.wires: frozenset[str] = frozenset()
        self.assumed = Capabilities(models=models, open_tasks=open_tasks)
        self.asked: list[InferenceRequest] = []
        self.error: NodeError | None = None
        self.breaks_after: NodeError | None = None
        self.fault: Exception | None = None
        self.hangs = False
        self.bug = False
        self.reached = asyncio.Event()
        self.freed = asyncio.Event()

    async def capabilities(self) -> Capabilities:
        if self.fault is not None:
            raise self.fault
        if self.error is not None:
            raise self.error
        return self.assumed

    async def infer(self, request: InferenceRequest) -> Answer:
        self.asked.append(request)
        self.reached.set()
        if self.error is not None:
            raise self.error
        if self.bug:
            raise ZeroDivisionError
        if self.hangs:
            try:
                await asyncio.Event().wait()
            finally:
                self.freed.set()
        served = Served(node=f"node-of-{self.name}", nodes=(f"node-of-{self.name}",))
        answer = Answer(
            self._chunks(request), free=self.freed.set, served=served if self.is_node else None
        )
        answer.sent_bytes = 3
        return answer

    async def _chunks(self, request: InferenceRequest) -> AsyncIterator[Chunk]:
        for word in ("one ", "two ", "three"):
            yield TextDelta(word)
            if self.breaks_after is not None:
                raise self.breaks_after
        yield Finish(model=request.model, usage=Usage(input_tokens=2, output_tokens=3))


class Remembered:
    """What was recorded."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.forwards: list[Forward] = []

    def settled(self, row: Row) -> None:
        self.rows.append(row)

    def forwarded(self, line: Forward) -> None:
        self.forwards.append(line)


class Bench:
    """A gateway over fakes, and everything a test looks at."""

    def __init__(
        self,
        *backends: FakeBackend,
        rules: tuple[Rule, ...] = (),
        routing: Rules | None = None,
        node: str = "node-a",
        hub: HubListing | None = None,
        machine: Machine | None = None,
        budget: Budget | None = None,
        sharing: Terms | None = None,
    ) -> None:
        self.owner = OWNER
        self.clock = HandClock()
        self.records = Remembered()
        self.members = [Member(backend, priority=0) for backend in backends]
        self.pool = Pool(self.members, self.clock)
        self.router = Router(self.pool, routing or Rules(), self.clock)
        self.policy, self.limiter = Policy(rules), Limiter(self.clock)
        self.plans = Plans(self.router, self.policy, self.limiter, node=node)
        parts = Parts(
            node=node,
            policy=self.policy,
            limiter=self.limiter,
            router=self.router,
            recorder=self.records,
            clock=self.clock,
            budget=budget,
            sharing=sharing,
        )
        self.gateway = Gateway(parts, self.pool, hub=hub, machine=machine)
