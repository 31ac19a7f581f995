"""What a call holds, whom it has asked, and what is written down of it."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial

import msgspec

from inferd.core.answer import Answer, Served
from inferd.core.errors import BackendTimeout, ErrorKind, NodeError
from inferd.core.records import Forward, Row
from inferd.core.request import InferenceRequest, Principal, Tier
from inferd.core.result import NO_USAGE, Usage
from inferd.core.tasks import unused_files
from inferd.gateway.account import (
    Teller,
    detour,
    estimated,
    may_have_left,
    may_have_worked,
    outcome_of,
    sent_bytes,
    tell_end,
    together,
    told_by,
    withdrawn,
)
from inferd.gateway.admission.estimate import estimate, tokens_of_question
from inferd.gateway.admission.limits import FREE, Hold, Meter
from inferd.gateway.desk import Desk
from inferd.gateway.hedge import StillLeaving
from inferd.gateway.plans import Target
from inferd.gateway.routing.plan import Plan
from inferd.gateway.tallies import Tally
from inferd.telemetry.tracing import Span, Tracer

_CLOSE = 0.01
_LABELS = {tier: tier.label for tier in Tier}


class Attempt(msgspec.Struct, frozen=True):
    """One of several that were asked at once: since when, and what came of it."""

    target: Target
    began: float
    ending: Answer | BaseException


def _worth(attempt: Attempt) -> int:
    """Say what a call goes on with: an answer, a fault of ours, or the last failure."""
    match attempt.ending:
        case Answer():
            return 0
        case NodeError():
            return 2
        case asyncio.CancelledError():
            # It was given up: nothing that the call could end with.
            return 3
        case _:
            return 1


class Booking:
    """A call's account: opened before anybody is asked, and closed once, however it ends."""

    __slots__ = (
        "_answer",
        "_began",
        "_deadline",
        "_desk",
        "_failures",
        "_farthest",
        "_hold",
        "_meter",
        "_others",
        "_paid",
        "_plan",
        "_principal",
        "_request",
        "_span",
        "_spent",
        "_started",
        "_target",
        "_teller",
    )

    def __init__(self, desk: Desk, request: InferenceRequest, principal: Principal) -> None:
        self._desk = desk
        self._request = request
        self._principal = principal
        self._deadline = request.deadline
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
        self._spent = self._paid = NO_USAGE
        self._span: Span | None = None
        if desk.tracer is not None:
            self._trace(desk.tracer)

    def _trace(self, tracer: Tracer) -> None:
        self._span = span = tracer.begin(self._request.trace)
        if span is not None:
            self._request = msgspec.structs.replace(self._request, trace=span.traceparent)

    def _admit(self, target: Target) -> None:
        """Take a place under the rule that allows this very target.

        Raises:
            RateLimited: There is none. The target hasn't been asked, then, and isn't booked.
        """
        meter = target.meter
        if meter is not self._meter:
            if self._hold is not FREE:
                self._hold.release(self._used(self._spent, None))
                self._hold = FREE
            # The next one's count has nothing to do with what was spent by now.
            self._paid = self._spent
            self._meter = meter
            if meter is not None:
                tokens = estimate(self._request) if meter.counts_tokens else 0
                self._hold = meter.hold(self._principal, tokens)
        self._target = target

    def _heard_by(self, target: Target) -> Teller:
        if self._teller is None:
            desk = self._desk
            self._teller = Teller(
                desk.events, desk.clock, self._request, self._principal, target, self._started
            )
        return self._teller

    def _failed(self, target: Target, error: NodeError) -> None:
        """Remember a failure that another backend may make good."""
        if target.member.is_gone and error.is_fault:
            error = withdrawn(target.name, error)
        if target.is_node:
            # Its "here" isn't ours.
            error.message = told_by(target, error)
        # Its frames would keep whatever the failed attempt had read.
        self._failures = [*self._failures, (target, error.with_traceback(None))]

    def _returned(self, target: Target, error: BaseException | None) -> None:
        """Tell the member how its request ended, and the audit log if words left for a node."""
        now, member, answer = self._desk.now(), target.member, self._answer
        farthest, tier = self._farthest, target.tier
        if (farthest is None or tier > farthest) and (
            error is None or tier is Tier.LOCAL or may_have_left(answer, error)
        ):
            self._farthest = tier
        if error is None:
            member.gave(now - self._began, self._began)
        else:
            self._blame(target, error, now)
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

    def _blame(self, target: Target, error: BaseException, now: float) -> None:
        is_its_own = not target.member.is_gone and not self._is_late(now)
        if isinstance(error, NodeError) and error.is_fault and is_its_own:
            target.member.broke(error.message, now, retry_after=error.retry_after)
        elif outcome_of(error) == ErrorKind.INTERNAL:
            target.member.broke("it failed in a way it shouldn't; the log has it", now)
        elif isinstance(error, StillLeaving):
            # Until it has, it is at work, and to be reckoned with.
            error.then(partial(target.member.left, self._began))
        else:
            target.member.left(self._began)

    def _is_late(self, now: float) -> bool:
        """Whether no answer began by the caller's own deadline: that is nobody's fault."""
        deadline = self._deadline
        return deadline is not None and self._answer is None and now >= deadline - _CLOSE

    def _decide(self, attempts: Sequence[Attempt]) -> Answer:
        """Go on with one of the attempts that ran at once, and book the others.

        Raises:
            BaseException: What the last one failed with, where none was answered.
        """
        chosen = min(reversed(attempts), key=_worth)
        for attempt in attempts:
            if attempt is not chosen:
                self._drop(attempt)
        self._target, self._began = chosen.target, chosen.began
        if isinstance(chosen.ending, Answer):
            return chosen.ending
        raise chosen.ending

    def _drop(self, attempt: Attempt) -> None:
        """Book one of two attempts that ran at once, where the call goes on with the other."""
        target, ending, self._began = attempt.target, attempt.ending, attempt.began
        if isinstance(ending, NodeError):
            self._returned(target, ending)
            self._failed(target, ending)
            return
        given_up = BackendTimeout(f"{target.name} was given up: another began to answer first")
        given_up.sent_bytes = max(1, len(self._request.raw.body) if self._request.raw else 0)
        if isinstance(ending, Answer):
            self._answer = ending
            self._returned(target, asyncio.CancelledError())
            self._write_off(target, ending)
        else:
            self._returned(target, ending)
            self._lose(target, Usage(input_tokens=tokens_of_question(self._request)))
        # It did nothing wrong; but the words have reached it.
        self._failed(target, given_up)

    def _write_off(self, target: Target, answer: Answer) -> None:
        """Free an answer that another is to stand in for, and book what it took by then."""
        answer.close()
        target.tally.skipped += answer.skipped
        self._lose(target, estimated(self._request, answer))
        if self._answer is answer:
            self._answer = None

    def _lose(self, target: Target, usage: Usage) -> None:
        """Book what an attempt took that came to nothing."""
        for tokens in (target.tokens, target.tally.lost):
            tokens.read += usage.input_tokens
            tokens.written += usage.output_tokens
        self._spent = together(self._spent, usage)

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
            target.tally.skipped += answer.skipped
            target.tokens.read += usage.input_tokens
            target.tokens.written += usage.output_tokens
        if self._spent is not NO_USAGE:
            usage = together(self._spent, usage)
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
        """Return the tokens to pay for on the count that is held now; None is what was reserved.

        That stands wherever an upstream may have been at work and doesn't say for how much, so
        that leaving early is no way round; what failed before anything was sent, and what was
        turned away, costs nothing.
        """
        answer, paid = self._answer, self._paid
        used = usage.input_tokens + usage.output_tokens - paid.input_tokens - paid.output_tokens
        if answer is not None:
            if error is None or answer.finish is not None or answer.whole is not None:
                return used or None
            # What a stream has told so far needn't be all.
            return max(used, self._hold.reserved)
        if self._spent is not paid:
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
