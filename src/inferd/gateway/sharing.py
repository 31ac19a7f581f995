"""Requests answered with what another of the same principal got: some time ago, or just now."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from types import TracebackType

import msgspec

from inferd.core.answer import Answer
from inferd.core.errors import NodeError
from inferd.core.records import Row
from inferd.core.request import InferenceRequest, Principal
from inferd.core.result import Chunk
from inferd.gateway.account import outcome_of, tell_end
from inferd.gateway.admission.limits import FREE
from inferd.gateway.cache import Cache, Entry, Head, size_of
from inferd.gateway.call import Call
from inferd.gateway.desk import Desk
from inferd.gateway.flight import Flight
from inferd.gateway.sameness import key_of, may_be_shared
from inferd.telemetry.metrics import Family
from inferd.telemetry.tracing import Span

KEPT = "cache"
"""The source of what was kept, in its row."""
TOGETHER = "shared"
"""The source of what somebody else was asked the same for, and is booked with."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept, for how long, and what is asked for once only."""

    most_bytes: int = 64 << 20
    seconds: float = 300.0
    together: bool = True
    """Whether the same request, asked twice at once, is asked upstream once."""


class Sharing:
    """The answers that are kept, and those on their way."""

    def __init__(self, desk: Desk, terms: Terms) -> None:
        self.desk = desk
        self.cache = Cache(most_bytes=terms.most_bytes, seconds=terms.seconds)
        self._together = terms.together
        self._flights: dict[bytes, Flight] = {}

    def infer(self, request: InferenceRequest, principal: Principal) -> "Call | Shared":
        """Lend an answer, kept or new: see Gateway.infer."""
        if may_be_shared(request):
            return Shared(self, request, principal)
        return Call(self.desk, request, principal)

    def flight(self, key: bytes, request: InferenceRequest) -> Flight | None:
        """Return one that is on its way to somebody who asked the same, if there is room in it.

        A request with a deadline of its own waits for nobody else's.
        """
        flight = self._flights.get(key)
        if flight is None or request.deadline is not None or not flight.is_joinable:
            return None
        return flight

    def begin(self, key: bytes, request: InferenceRequest, principal: Principal) -> Flight:
        """Ask."""

        def landed(flight: Flight) -> None:
            if self._flights.get(key) is flight:
                del self._flights[key]
            self._keep(key, flight)

        flight = Flight(self.desk, request, principal, self.cache, landed=landed)
        # Files are lent by whoever sent them, who may leave.
        if self._together and request.deadline is None and not request.files:
            self._flights[key] = flight
        return flight

    def _keep(self, key: bytes, flight: Flight) -> None:
        answer, head = flight.answer, flight.head
        if answer is None or head is None:
            return
        entry = Entry(
            head=head,
            chunks=tuple(flight.chunks),
            finish=answer.finish,
            usage=answer.usage,
            at=self.desk.now(),
            offers=flight.offers,
            size=size_of(head, flight.chunks),
        )
        self.cache.keep(key, entry)

    def families(self) -> Iterable[Family]:
        """Yield the counts as metrics."""
        return self.cache.families()


class Shared:
    """Entered, it is an answer of this request's own; left, it is settled and recorded."""

    __slots__ = (
        "_call",
        "_flight",
        "_head",
        "_hold",
        "_principal",
        "_request",
        "_sharing",
        "_source",
        "_span",
        "_started",
    )

    def __init__(self, sharing: Sharing, request: InferenceRequest, principal: Principal) -> None:
        self._sharing = sharing
        self._request = request
        self._principal = principal
        self._started = sharing.desk.now()
        self._hold = FREE
        self._call: Call | None = None
        self._flight: Flight | None = None
        self._source = ""
        self._head: Head | None = None
        self._span: Span | None = None

    async def __aenter__(self) -> Answer:
        try:
            key = await self._key()
            if key is not None:
                return await self._begin(key)
        except BaseException as error:
            await self._end(error)
            raise
        self._call = Call(self._sharing.desk, self._request, self._principal)
        return await self._call.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._call is not None:
            await self._call.__aexit__(kind, error, trace)
        else:
            await self._end(error)

    async def _key(self) -> bytes | None:
        """Return what it shares with the same of its principal; None where it is for itself."""
        try:
            caches = self._sharing.desk.plans.of(self._request, self._principal).caches
        except NodeError:
            # The call tells of it, and is recorded.
            return None
        if caches is False:
            return None
        return await key_of(self._request, self._principal, anyway=bool(caches))

    async def _begin(self, key: bytes) -> Answer:
        """Return what is kept, or on its way to another; or else ask."""
        sharing, request = self._sharing, self._request
        desk, cache = sharing.desk, sharing.cache
        entry = cache.find(key, desk.now(), desk.changes.offers)
        if entry is not None:
            self._admit(KEPT)
            return self._kept(entry)
        flight = sharing.flight(key, request)
        if flight is not None:
            self._admit(TOGETHER)
        else:
            cache.counts["miss"] += 1
            flight = sharing.begin(key, request, self._principal)
        return await self._flown(flight)

    def _admit(self, source: str) -> None:
        """Take a place under the rule by which it would be asked for; tokens are spent by nobody.

        Raises:
            NodeError: Nobody may or can be asked any more, or a limit is reached.
        """
        sharing, request = self._sharing, self._request
        desk = sharing.desk
        plan = desk.plans.of(request, self._principal)
        target = plan.chosen(desk.now(), desk.changes.health, request)
        if target.meter is not None:
            self._hold = target.meter.hold(self._principal)
        self._source = source
        sharing.cache.counts["hit" if source == KEPT else "shared"] += 1
        if desk.tracer is not None:
            self._span = desk.tracer.begin(request.trace)

    def _kept(self, entry: Entry) -> Answer:
        """Return an answer that says what a kept one said: its words have gone nowhere."""
        desk = self._sharing.desk
        served = msgspec.structs.replace(
            entry.head.served,
            source="local",
            nodes=(desk.node,),
            seen=(),
            warnings=(),
            age=max(0.0, desk.now() - entry.at),
        )
        answer = Answer(_each(entry.chunks), served=served)
        self._head = entry.head
        entry.head.copy_to(answer)
        answer.finish, answer.usage = entry.finish, entry.usage
        return answer

    async def _flown(self, flight: Flight) -> Answer:
        self._flight = flight
        flight.join(self)
        self._head = head = await flight.begun()
        answer = _Echo(flight, self, head)
        head.copy_to(answer)
        return answer

    async def _end(self, error: BaseException | None) -> None:
        """Leave, give back what was held, and record."""
        flight = self._flight
        if flight is None:
            self._hold.release(0)
            self._record(error)
            return
        try:
            await flight.leave(self, error)
        except asyncio.CancelledError:
            # It isn't waited for any longer; what it cost is known only when it is over.
            flight.then(lambda: self._record(error))
            raise
        else:
            self._record(error)
        finally:
            self._hold.release(0)

    def _record(self, error: BaseException | None) -> None:
        """Write the row: one of those who asked together has what it cost."""
        flight = self._flight
        row = flight.take_row() if flight is not None and flight.is_over else None
        desk, request = self._sharing.desk, self._request
        outcome = "ok" if error is None else outcome_of(error)
        seconds = round(desk.now() - self._started, 6)
        if row is None:
            row = self._row(seconds, outcome)
            tally = desk.plans.tallies.of(request.task, "")
            if error is None:
                tally.good += 1
                tally.seconds.add(seconds)
            else:
                tally.ended(outcome)
        else:
            outcome = row.outcome if error is None else outcome
            row = msgspec.structs.replace(row, id=request.id, seconds=seconds, outcome=outcome)
        desk.recorder.settled(row)
        if desk.tracer is not None and self._span is not None:
            desk.tracer.end(self._span, request.model, row)
        if desk.events.is_heard and (flight is None or flight.lead != request.id):
            tell_end(desk.events, None, row, error)

    def _row(self, seconds: float, outcome: str) -> Row:
        served = None if self._head is None else self._head.served
        return Row(
            at=self._sharing.desk.wall(),
            id=self._request.id,
            principal=self._principal.id,
            task=self._request.task,
            model=(served.model if served is not None else "") or self._request.model,
            backend="" if served is None else served.backend,
            node="" if served is None else served.node,
            source=self._source or ("" if self._flight is None else TOGETHER),
            input_tokens=0,
            output_tokens=0,
            units=0,
            seconds=seconds,
            outcome=outcome,
        )


class _Echo(Answer):
    """One reader's own answer of a flight."""

    __slots__ = ("_flight",)

    def __init__(self, flight: Flight, reader: object, head: Head) -> None:
        super().__init__(flight.read(reader), served=head.served)
        self._flight = flight

    @property
    def told_failure(self) -> bool:
        return self._flight.told_failure


async def _each(chunks: Iterable[Chunk]) -> AsyncIterator[Chunk]:
    for chunk in chunks:
        yield chunk
