"""A pool of made-up machines under load, by events and a clock turned by hand.

The members, plans and strategies are the node's own; only what a machine does is made up.
"""

import heapq
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

from inferd.core.answer import Answer
from inferd.core.backend import BackendType, Capabilities, Model, Traits
from inferd.core.request import InferenceRequest, Tier
from inferd.gateway.routing.member import Member
from inferd.gateway.routing.plan import Match, Plan
from inferd.gateway.routing.pool import Pool
from inferd.gateway.routing.strategies import STRATEGIES

MODEL = "simulated"
ORACLE = "oracle"
_FADES_EVERY = 5.0
_RANK = (False, False, 0, False, 0, 0, 0, False)
_FAILS_WITHIN = 0.02
_READS = 0.0002
"""Seconds to read a token of a prompt, on a machine of speed 1."""


class Clock:
    """Time as the events tell it."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


class Stub:
    """A backend that is never asked: the simulation answers for it."""

    kind = "simulated"
    tier = Tier.LOCAL
    is_node = False
    traits = Traits(type=BackendType.API)
    wires: frozenset[str] = frozenset()

    def __init__(self, name: str) -> None:
        self.name = name
        models = (Model(id=MODEL, tasks=frozenset({"text-generation"})),)
        self.assumed = Capabilities(models=models)

    async def capabilities(self) -> Capabilities:
        return self.assumed

    async def infer(self, request: InferenceRequest) -> Answer:
        raise NotImplementedError


class Job(NamedTuple):
    """A request: when it comes, how much work it is, and what its prompt says."""

    at: float
    work: float
    """Seconds on a machine of speed 1."""
    chance: float
    """Decides, with a machine's share of failures, whether it fails there."""
    chat: int = -1
    tokens: int = 0
    """Tokens to read; a machine that knows a part of the chat reads only the rest."""
    request: InferenceRequest = InferenceRequest(id="s", task="text-generation", model=MODEL)


class Kind(NamedTuple):
    """What a machine is like."""

    speed: float = 1.0
    slots: int = 4
    fails: float = 0.0
    """Which share of its requests, while it is failing."""
    fails_from: float = 0.0
    fails_until: float = float("inf")
    warm_after: float = 0.0
    """Until then it is ten times slower: it starts."""
    knows: int = 0
    """Chats of which it keeps what it has read."""


class Machine:
    """So many slots, and a queue before them."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.running: dict[int, float] = {}
        self.queue: deque[tuple[float, Job]] = deque()
        self.known: OrderedDict[int, int] = OrderedDict()
        self.read = 0

    def fails(self, job: Job, now: float) -> bool:
        kind = self.kind
        return kind.fails_from <= now < kind.fails_until and job.chance < kind.fails

    def seconds(self, job: Job, now: float) -> float:
        """Return how long it takes once it runs."""
        slow = 10.0 if now < self.kind.warm_after else 1.0
        reading = max(0, job.tokens - self.known.get(job.chat, 0)) * _READS
        return (job.work + reading) * slow / self.kind.speed

    def learn(self, job: Job) -> None:
        if self.kind.knows and job.chat >= 0:
            self.read += max(0, job.tokens - self.known.get(job.chat, 0))
            self.known[job.chat] = job.tokens
            self.known.move_to_end(job.chat)
            if len(self.known) > self.kind.knows:
                self.known.popitem(last=False)

    def ends(self, job: Job, now: float) -> float:
        """Return when the job would end if it were given to it now."""
        free = sorted(self.running.values())
        busy = [0.0] * (self.kind.slots - len(free)) + [end - now for end in free]
        heapq.heapify(busy)
        for _, waiting in self.queue:
            heapq.heappush(busy, max(0.0, heapq.heappop(busy)) + self.seconds(waiting, now))
        return now + max(0.0, heapq.heappop(busy)) + self.seconds(job, now)


class Outcome(NamedTuple):
    """What came of a run: seconds of each that ended well, and how many failed everywhere."""

    seconds: Sequence[float]
    failed: int
    retried: int
    read: int
    """Tokens that were read, those that were read before too."""


class World:
    """One run of one strategy over the same jobs."""

    def __init__(self, kinds: Sequence[Kind], strategy: str) -> None:
        self.clock = Clock()
        self.machines = {f"m{i:04d}": Machine(kind) for i, kind in enumerate(kinds)}
        self.members = {name: Member(Stub(name), priority=0) for name in self.machines}
        self.pool = Pool(self.members.values(), self.clock)
        chosen = STRATEGIES["round_robin" if strategy == ORACLE else strategy]
        matches = [Match(member, MODEL, _RANK) for member in self.members.values()]
        self.plan = Plan(matches, chosen, chosen)
        self.is_oracle = strategy == ORACLE
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.numbers = count()
        self.ended: list[float] = []
        self.failed = self.retried = 0

    def run(self, jobs: Sequence[Job]) -> Outcome:
        """Let all jobs come, and go on until the last has ended."""
        for job in jobs:
            self._at(job.at, lambda job=job: self._arrives(job, frozenset()))
        self._at(_FADES_EVERY, lambda: self._fade({}, jobs[-1].at))
        while self.events:
            self.clock.time, _, happens = heapq.heappop(self.events)
            happens()
        read = sum(machine.read for machine in self.machines.values())
        return Outcome(self.ended, self.failed, self.retried, read)

    def _at(self, time: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self.events, (time, next(self.numbers), happens))

    def _arrives(self, job: Job, asked: frozenset[str]) -> None:
        name = self._choice(job, asked)
        if name is None:
            self.failed += 1
            return
        member, machine, began = self.members[name], self.machines[name], self.clock.time
        member.took(began)
        if machine.fails(job, began):
            self._at(began + _FAILS_WITHIN, lambda: self._fails(job, name, asked))
        elif len(machine.running) < machine.kind.slots:
            self._starts(job, name, began)
        else:
            machine.queue.append((began, job))

    def _choice(self, job: Job, asked: frozenset[str]) -> str | None:
        now, health = self.clock.time, self.pool.changes.health
        if self.is_oracle:
            left = [n for n, m in self.machines.items() if n not in asked and not m.fails(job, now)]
            return min(left, key=lambda n: self.machines[n].ends(job, now), default=None)
        if not asked:
            return self.plan.first(now, health, job.request).member.name
        ordered = self.plan.order(now, health, job.request)
        return next((m.member.name for m in ordered if m.member.name not in asked), None)

    def _starts(self, job: Job, name: str, began: float) -> None:
        machine, number = self.machines[name], next(self.numbers)
        end = self.clock.time + machine.seconds(job, self.clock.time)
        machine.learn(job)
        machine.running[number] = end
        self._at(end, lambda: self._ends(job, name, number, began))

    def _ends(self, job: Job, name: str, number: int, began: float) -> None:
        machine, now = self.machines[name], self.clock.time
        del machine.running[number]
        # An answer is whole when it begins, as it is where nothing is streamed.
        self.members[name].began(now - began, began)
        self.members[name].gave(now - began, began)
        self.ended.append(now - job.at)
        if machine.queue:
            asked, following = machine.queue.popleft()
            self._starts(following, name, asked)

    def _fails(self, job: Job, name: str, asked: frozenset[str]) -> None:
        self.members[name].broke("simulated", self.clock.time)
        self.retried += 1
        self._arrives(job, asked | {name})

    def _fade(self, served: dict[str, int], until: float) -> None:
        for name, member in self.members.items():
            if not member.in_flight and member.served == served.get(name):
                member.fade()
        if self.clock.time < until:
            now = {name: member.served for name, member in self.members.items()}
            self._at(self.clock.time + _FADES_EVERY, lambda: self._fade(now, until))


def arrivals(rng: random.Random, rate: float, number: int) -> Iterator[float]:
    """Yield when requests come: `rate` a second, each for itself."""
    now = 0.0
    for _ in range(number):
        now += rng.expovariate(rate)
        yield now


def capacity(kinds: Sequence[Kind], work: float) -> float:
    """Return how many requests of so much work a second are done when all are busy."""
    return sum(kind.slots * kind.speed for kind in kinds) / work
