"""One request on its way: admit, route, run, account."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from types import TracebackType
from typing import Any

import msgspec

from inferd.core.answer import Answer, Served
from inferd.core.errors import BackendTimeout, ErrorKind, NodeError
from inferd.core.progress import Stage, Tell, unheard
from inferd.core.records import Forward, Row
from inferd.core.request import InferenceRequest, Principal, Tier, opened
from inferd.core.result import NO_USAGE, Usage
from inferd.core.tasks import unused_files
from inferd.gateway.account import (
    Teller,
    detour,
    estimated,
    may_have_left,
    may_have_worked,
    most_telling,
    outcome_of,
    sent_bytes,
    tell_end,
    told_by,
)
from inferd.gateway.admission.estimate import estimate
from inferd.gateway.admission.limits import FREE, Hold, Meter
from inferd.gateway.desk import Desk, check_hops
from inferd.gateway.plans import Target
from inferd.gateway.routing.plan import Plan
from inferd.gateway.routing.pool import Member
from inferd.gateway.tallies import Tally
from inferd.telemetry.tracing import Span, Tracer

_ON_THE_LOOP = 128 << 10
_CLOSE = 0.01
_LABELS = {tier: tier.label for tier in Tier}
_UNTOLD = Served()


class Call:
    """Entered, it is the backend's answer; left, it is settled and recorded."""

    __slots__ = (
        "_answer",
        "_began",
        "_desk",
        "_failures",
        "_farthest",
        "_hold",
        "_meter",
        "_others",
        "_plan",
        "_principal",
        "_request",
        "_span",
        "_started",
        "_target",
        "_teller",
    )

    def __init__(self, desk: Desk, request: InferenceRequest, principal: Principal) -> None:
        self._desk = desk
        self._request = request
        self._principal = principal
        self._started = self._began = desk.now()
        self._hold: Hold = FREE
        self._meter: Meter | None = None
        self._target: Target | None = None
        self._answer: Answer | None = None
        self._farthest: Tier | None = None
        self._teller: Teller | None = None
        self._failures: Sequence[tuple[Target, NodeError]] = ()
        self._plan: Plan[Target] | None = None
        self._others: Iterator[Target] | None = None
        self._span: Span | None = None
        if desk.tracer is not None:
            self._trace(desk.tracer)

    async def __aenter__(self) -> Answer:
        try:
            target = self._first()
            while True:
                try:
                    answer = await self._ask(target)
                    break
                except BaseException as error:
                    if not self._may_go_on(target, error):
                        raise
                target = self._next()
        except BaseException as error:
            self._settle(error)
            raise
        self._answer = answer
        target.tally.first_byte.add(self._desk.now() - self._started)
        if self._desk.events.is_heard:
            self._heard_by(target)(Stage.RUNNING)
        told = answer.served
        if self._failures or self._request.files or told != _UNTOLD:
            answer.served = self._served(target, told)
        else:
            answer.served = target.served
        return answer

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        answer, target = self._answer, self._target
        try:
            if answer is not None:
                answer.close()
        finally:
            if target is not None:
                self._returned(target, error)
            self._settle(error)

    def _trace(self, tracer: Tracer) -> None:
        self._span = span = tracer.begin(self._request.trace)
        if span is not None:
            self._request = msgspec.structs.replace(self._request, trace=span.traceparent)

    def _first(self) -> Target:
        """Admit the request, and choose whom to ask first."""
        desk, request = self._desk, self._request
        if request.hops:
            check_hops(desk.node, request)
        self._plan = plan = desk.plans.of(request, self._principal)
        target = plan.first(self._started, desk.changes.health)
        self._admit(target)
        return target

    def _next(self) -> Target:
        """Choose whom to ask after a failure.

        Raises:
            NodeError: Nobody is left, or a limit of the next one's rule is reached.
        """
        desk = self._desk
        if self._others is None and self._plan is not None:
            self._others = self._plan.order(desk.now(), desk.changes.health)
        asked = {failed.name for failed, _ in self._failures}
        for target in self._others or ():
            if target.name not in asked:
                self._admit(target)
                self._began = desk.now()
                return target
        raise most_telling([error for _, error in self._failures])

    def _admit(self, target: Target) -> None:
        """Take a place under the rule that allows this very target.

        Raises:
            RateLimited: There is none. The target hasn't been asked, then, and isn't booked.
        """
        meter = target.meter
        if meter is not self._meter:
            if self._hold is not FREE:
                self._hold.release(self._used(NO_USAGE, None))
                self._hold = FREE
            self._meter = meter
            if meter is not None:
                tokens = estimate(self._request) if meter.counts_tokens else 0
                self._hold = meter.hold(self._principal, tokens)
        self._target = target

    def _ask(self, target: Target) -> Coroutine[Any, Any, Answer]:
        target.member.took()
        request, raw, tell = self._request, self._request.raw, unheard
        if self._desk.events.is_heard:
            self._teller = None
            tell = self._heard_by(target)
            tell(Stage.ROUTED)
        if request.deadline is not None or (
            raw is not None and raw.read is not None and raw.wire not in target.wires
        ):
            return self._ask_slowly(target, tell)
        return target.infer(_addressed(request, target, tell))

    async def _ask_slowly(self, target: Target, tell: Tell) -> Answer:
        """Ask with a deadline, or after reading what has only been peeked at."""
        raw = self._request.raw
        if raw is not None and raw.read is not None and raw.wire not in target.wires:
            self._request = await _opened(self._request, len(raw.body))
        request = _addressed(self._request, target, tell)
        if request.deadline is None:
            return await target.infer(request)
        left = request.deadline - self._desk.now()
        if left <= 0:
            raise BackendTimeout(f"no time is left to ask {target.name}")
        try:
            async with asyncio.timeout(left):
                return await target.infer(request)
        except TimeoutError as error:
            late = BackendTimeout(f"{target.name} gave no answer in time")
            # It was at work, and may have had all of it.
            late.sent_bytes = max(1, len(raw.body) if raw is not None else 0)
            raise late from error

    def _heard_by(self, target: Target) -> Teller:
        if self._teller is None:
            desk = self._desk
            self._teller = Teller(
                desk.events, desk.clock, self._request, self._principal, target, self._started
            )
        return self._teller

    def _may_go_on(self, target: Target, error: BaseException) -> bool:
        """Book a failed attempt; say whether another backend may be asked."""
        self._returned(target, error)
        if not isinstance(error, NodeError):
            return False
        if target.is_node:
            # Its "here" isn't ours.
            error.message = told_by(target, error)
        if not error.retryable:
            return False
        # Its frames would keep whatever the failed attempt had read.
        self._failures = [*self._failures, (target, error.with_traceback(None))]
        return True

    def _returned(self, target: Target, error: BaseException | None) -> None:
        """Tell the member how its request ended, and the audit log if words left for a node."""
        now, member, answer = self._desk.now(), target.member, self._answer
        farthest, tier = self._farthest, target.tier
        if (farthest is None or tier > farthest) and (
            error is None or tier is Tier.LOCAL or may_have_left(answer, error)
        ):
            self._farthest = tier
        if error is None:
            member.gave(now - self._began)
        else:
            self._blame(member, error, now)
        if target.is_node:
            line = Forward(
                at=self._desk.wall(),
                id=self._request.id,
                principal=self._principal.id,
                task=self._request.task,
                model=target.model or self._request.model,
                backend=target.name,
                node=answer.served.node if answer else "",
                sent_bytes=sent_bytes(answer, error),
                seconds=now - self._began,
                outcome="ok" if error is None else outcome_of(error),
            )
            self._desk.recorder.forwarded(line)

    def _blame(self, member: Member, error: BaseException, now: float) -> None:
        if isinstance(error, NodeError) and error.is_fault and not self._is_late(now):
            member.broke(error.message, now, retry_after=error.retry_after)
        elif outcome_of(error) == ErrorKind.INTERNAL:
            member.broke("it failed in a way it shouldn't; the log has it", now)
        else:
            member.left()

    def _is_late(self, now: float) -> bool:
        """Whether the caller's own deadline has passed: what ends then is nobody's fault."""
        deadline = self._request.deadline
        return deadline is not None and now >= deadline - _CLOSE

    def _settle(self, error: BaseException | None) -> None:
        """Give back what was held, count the request, and write its row."""
        desk, target, answer = self._desk, self._target, self._answer
        usage = NO_USAGE if answer is None else answer.usage
        # Microseconds: whoever writes it down writes no more digits than there are.
        outcome, seconds = "ok", int((desk.now() - self._started) * 1e6 + 0.5) / 1e6
        if error is not None:
            outcome = outcome_of(error)
            self._tally(target).ended(outcome)
            if answer is not None:
                usage = estimated(self._request, answer)
        if answer is not None and target is not None:
            target.tally.good += error is None
            target.tally.seconds.add(seconds)
            target.tokens.read += usage.input_tokens
            target.tokens.written += usage.output_tokens
        if self._hold is not FREE:
            self._hold.release(self._used(usage, error))
        row = self._row(usage, seconds, outcome)
        desk.recorder.settled(row)
        if desk.tracer is not None and self._span is not None:
            desk.tracer.end(self._span, self._request.model, row)
        if self._teller is not None:
            self._teller.stop()
        if desk.events.is_heard:
            tell_end(desk.events, target, row, error)

    def _used(self, usage: Usage, error: BaseException | None) -> float | None:
        """Return the tokens to pay for; None is what was reserved.

        That stands wherever an upstream may have been at work and doesn't say for how much, so
        that leaving early is no way round; what failed before anything was sent, and what was
        turned away, costs nothing.
        """
        answer = self._answer
        if answer is not None:
            used = usage.input_tokens + usage.output_tokens
            if error is None or answer.finish is not None or answer.whole is not None:
                return used or None
            # What a stream has told so far needn't be all.
            return max(used, self._hold.reserved)
        worked = error is not None and may_have_worked(error)
        return None if worked or any(map(self._was_paid_here, self._failures)) else 0

    def _was_paid_here(self, failure: tuple[Target, NodeError]) -> bool:
        """Whether a failed attempt may have cost something, on the count that is held now."""
        target, error = failure
        return target.meter is self._meter and may_have_worked(error)

    def _tally(self, target: Target | None) -> Tally:
        return self._desk.plans.tallies.of(self._request.task, target.name if target else "")

    def _row(self, usage: Usage, seconds: float, outcome: str) -> Row:
        request, target, answer = self._request, self._target, self._answer
        farthest = self._farthest
        model, node = "", ""
        if answer is not None:
            finish, served = answer.finish, answer.served
            node = served.node
            model = (finish.model if finish is not None else "") or served.model
        elif target is not None:
            model = target.model
        row = Row(
            at=self._desk.wall(),
            id=request.id,
            principal=self._principal.id,
            task=request.task,
            model=model or request.model,
            backend="" if target is None else target.name,
            node=node,
            source="" if target is None else target.source,
            tier="" if farthest is None else _LABELS[farthest],
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            units=usage.units,
            seconds=seconds,
            outcome=outcome,
        )
        return detour(row, self._failures) if self._failures else row

    def _served(self, target: Target, told: Served) -> Served:
        """Say who gives the answer, and what went wrong on the way."""
        warnings = [told_by(failed, error) for failed, error in self._failures]
        if not target.is_node:
            present = {file.field for file in self._request.files}
            task = self._request.task
            warnings += [
                f"the {field} was not used: {task} takes none"
                for field in unused_files(task, present)
            ]
        served = target.served
        lost = [
            failed.name
            for failed, error in self._failures
            if error.sent_bytes > 0 and failed.source == "remote"
        ]
        return Served(
            source=served.source,
            node=told.node or served.node,
            nodes=(*served.nodes, *told.nodes),
            backend=served.backend,
            model=told.model or served.model,
            seen=(*lost, *served.seen, *told.seen),
            warnings=(*warnings, *told.warnings),
        )


def _addressed(request: InferenceRequest, target: Target, tell: Tell) -> InferenceRequest:
    """Return the request as this backend is to see it; usually that is as it came."""
    if (
        request.model == target.model
        and request.tiers is target.tiers
        and not request.backend
        and request.tell is tell
    ):
        return request
    return msgspec.structs.replace(
        request, model=target.model, tiers=target.tiers, backend="", tell=tell
    )


async def _opened(request: InferenceRequest, size: int) -> InferenceRequest:
    """Read what has only been peeked at: long bodies in a thread, so that nobody else waits."""
    return opened(request) if size <= _ON_THE_LOOP else await asyncio.to_thread(opened, request)
