"""What a call leaves behind: a backend's health, an audit line, a ledger row."""

import asyncio
from functools import partial

import msgspec

from inferd.core.answer import Answer
from inferd.core.clock import Clock
from inferd.core.errors import CallerLeft, ErrorKind, NodeError
from inferd.core.progress import Stage, Tell, unheard
from inferd.core.records import Forward, Row
from inferd.core.request import InferenceRequest, Principal, Tier
from inferd.core.result import NO_USAGE
from inferd.gateway.events import Events, Failure, InferenceEvent, Topic
from inferd.gateway.routing.router import Target, source_of
from inferd.gateway.usage import Recorder

_CLOSE = 0.01


class Account:
    """One request's books: attempts as they return, and the whole when it is settled.

    Whoever listens to the bus is told of each stage.
    """

    __slots__ = (
        "_began",
        "_clock",
        "_events",
        "_farthest",
        "_principal",
        "_recorder",
        "_request",
        "_stage",
        "_started",
        "_target",
    )

    def __init__(
        self,
        recorder: Recorder,
        clock: Clock,
        request: InferenceRequest,
        principal: Principal,
        events: Events,
    ) -> None:
        self._events = events
        self._target: Target | None = None
        self._stage: Stage | None = None
        self._farthest: Tier | None = None
        self._recorder = recorder
        self._clock = clock
        self._request = request
        self._principal = principal
        self._started = self._began = clock.now()

    def attempt(self, target: Target) -> Tell:
        """Note that a backend is asked; return what it says its stages to."""
        self._began = self._clock.now()
        target.member.took()
        if not self._events.is_heard:
            return unheard
        self._target, self._stage = target, None
        self._say(target, Stage.ROUTED)
        return partial(self._say, target)

    def answered(self, target: Target) -> None:
        """Note that an answer begins."""
        if self._events.is_heard:
            self._target = target
            self._say(target, Stage.RUNNING)

    def returned(self, target: Target, answer: Answer | None, error: BaseException | None) -> None:
        """Tell the member how its request ended, and the audit log if words left for a node."""
        now, member = self._clock.now(), target.member
        tier, far = member.backend.tier, self._farthest
        if (far is None or tier > far) and (tier is Tier.LOCAL or _may_have_left(answer, error)):
            self._farthest = tier
        outcome = _outcome(error)
        if error is None:
            member.gave(now - self._began)
        elif isinstance(error, NodeError) and error.is_fault and not self._is_late(now):
            member.broke(error.message, now, retry_after=error.retry_after)
        elif outcome == ErrorKind.INTERNAL:
            member.broke("it failed in a way it shouldn't; the log has it", now)
        else:
            member.left()
        if member.backend.is_node:
            line = Forward(
                at=self._clock.wall(),
                id=self._request.id,
                principal=self._principal.id,
                task=self._request.task,
                model=target.model or self._request.model,
                backend=member.name,
                node=answer.served.node if answer else "",
                sent_bytes=_sent(answer, error),
                seconds=now - self._began,
                outcome=outcome,
            )
            self._recorder.forwarded(line)

    def settled(
        self, target: Target | None, answer: Answer | None, error: BaseException | None
    ) -> None:
        """Write the request's row."""
        usage = answer.usage if answer else NO_USAGE
        said = answer.finish.model if answer and answer.finish else ""
        asked = answer.served.model if answer else target.model if target else ""
        row = Row(
            at=self._clock.wall(),
            id=self._request.id,
            principal=self._principal.id,
            task=self._request.task,
            model=said or asked or self._request.model,
            backend=target.member.name if target else "",
            node=answer.served.node if answer else "",
            source=source_of(target.member) if target else "",
            tier="" if self._farthest is None else self._farthest.label,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            units=usage.units,
            seconds=self._clock.now() - self._started,
            outcome=_outcome(error),
        )
        self._recorder.settled(row)
        self._target = None
        if self._events.is_heard:
            self._tell_end(target, row, error)

    def _say(self, target: Target, stage: Stage, /, *, ahead: int = 0) -> None:
        # A thread's word may come when the backend has already been given up.
        if target is not self._target or stage is self._stage:
            return
        self._stage = stage
        self._events.publish(
            Topic.INFERENCE,
            InferenceEvent(
                request_id=self._request.id,
                stage=stage.value,
                principal=self._principal.id,
                task=self._request.task,
                model=target.model or self._request.model,
                backend=target.member.name,
                source=source_of(target.member),
                tier=target.member.backend.tier.label,
                seconds=round(self._clock.now() - self._started, 6),
                ahead=ahead if stage is Stage.QUEUED else msgspec.UNSET,
            ),
        )

    def _tell_end(self, target: Target | None, row: Row, error: BaseException | None) -> None:
        self._events.publish(
            Topic.INFERENCE,
            InferenceEvent(
                request_id=row.id,
                stage=(Stage.FINISHED if error is None else Stage.FAILED).value,
                principal=row.principal,
                task=row.task,
                model=row.model,
                backend=row.backend,
                source=row.source,
                tier=target.member.backend.tier.label if target else "",
                seconds=round(row.seconds, 6),
                error=msgspec.UNSET if error is None else _failure(error),
            ),
        )

    def _is_late(self, now: float) -> bool:
        """Whether the caller's own deadline has passed: what ends then is nobody's fault."""
        deadline = self._request.deadline
        return deadline is not None and now >= deadline - _CLOSE


def _sent(answer: Answer | None, error: BaseException | None) -> int:
    if answer is not None:
        return answer.sent_bytes
    return error.sent_bytes if isinstance(error, NodeError) else 0


def _may_have_left(answer: Answer | None, error: BaseException | None) -> bool:
    """Whether words may have gone out: not where an attempt failed before any did."""
    return answer is not None or not isinstance(error, NodeError) or error.sent_bytes > 0


def _failure(error: BaseException) -> Failure:
    kind = _outcome(error)
    if isinstance(error, NodeError):
        return Failure(kind=kind, message=error.message, hint=error.hint)
    if kind == ErrorKind.INTERNAL:
        return Failure(
            kind=kind,
            message="the node failed on this request",
            hint="give the request id to the node's owner: the log has the reason",
        )
    return Failure(kind=kind, message="the caller left")


def _outcome(error: BaseException | None) -> str:
    match error:
        case None:
            return "ok"
        case NodeError():
            return error.kind.value
        case CallerLeft() | asyncio.CancelledError() | GeneratorExit():
            return "aborted"
        case _:
            return ErrorKind.INTERNAL.value
