"""What a call is told as, while it runs and when it has ended."""

import asyncio
from collections.abc import Sequence

import msgspec

from inferd.core.answer import Answer
from inferd.core.clock import Clock
from inferd.core.errors import (
    BackendError,
    BackendWithdrawn,
    CallerLeft,
    ErrorKind,
    LoopDetected,
    NodeError,
)
from inferd.core.progress import Stage
from inferd.core.records import Detour, Row
from inferd.core.request import InferenceRequest, Principal
from inferd.core.result import NO_USAGE, Usage
from inferd.core.stopping import STOPPING, is_stopping
from inferd.gateway.admission.estimate import tokens_of_question
from inferd.gateway.events import Events, Failure, InferenceEvent, Topic
from inferd.gateway.plans import Target

STOPPED = "stopped"
"""The outcome of what this node's own end cut short."""


class Teller:
    """Tells whoever listens to the bus of each stage of one attempt. Made only where one does."""

    __slots__ = ("_clock", "_events", "_principal", "_request", "_stage", "_started", "_target")

    def __init__(
        self,
        events: Events,
        clock: Clock,
        request: InferenceRequest,
        principal: Principal,
        target: Target,
        started: float,
    ) -> None:
        self._events = events
        self._clock = clock
        self._request = request
        self._principal = principal
        self._target: Target | None = target
        self._started = started
        self._stage: Stage | None = None

    def __call__(self, stage: Stage, /, *, ahead: int = 0) -> None:
        """Tell of a stage, unless it is the one that was told of last."""
        target = self._target
        # A thread's word may come when the backend has already been given up.
        if target is None or stage is self._stage:
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
                backend=target.name,
                source=target.source,
                tier=target.words_tier,
                seconds=round(self._clock.now() - self._started, 6),
                ahead=ahead if stage is Stage.QUEUED else msgspec.UNSET,
            ),
        )

    def stop(self) -> None:
        """Tell nothing more."""
        self._target = None


def tell_end(events: Events, target: Target | None, row: Row, error: BaseException | None) -> None:
    """Tell how a call ended."""
    events.publish(
        Topic.INFERENCE,
        InferenceEvent(
            request_id=row.id,
            stage=(Stage.FINISHED if error is None else Stage.FAILED).value,
            principal=row.principal,
            task=row.task,
            model=row.model,
            backend=row.backend,
            source=row.source,
            tier=target.words_tier if target else "",
            seconds=round(row.seconds, 6),
            error=msgspec.UNSET if error is None else _failure(error),
        ),
    )


def sent_bytes(answer: Answer | None, error: BaseException | None) -> int:
    """Return how much went upstream."""
    if answer is not None:
        return answer.sent_bytes
    return error.sent_bytes if isinstance(error, NodeError) else 0


def may_have_left(answer: Answer | None, error: BaseException | None) -> bool:
    """Whether words may have gone out: not where an attempt failed before any did."""
    return answer is not None or not isinstance(error, NodeError) or error.sent_bytes > 0


def may_have_worked(error: BaseException) -> bool:
    """Whether an attempt that ended before its answer may have cost whoever was asked its work."""
    return not isinstance(error, NodeError) or (error.sent_bytes > 0 and not error.was_refused)


def estimated(request: InferenceRequest, answer: Answer) -> Usage:
    """Return what an answer that was cut took: what it told, else what can be told by its size."""
    usage = answer.usage
    if usage != NO_USAGE or answer.whole is not None or answer.finish is not None:
        return usage
    return Usage(input_tokens=tokens_of_question(request), output_tokens=answer.events_passed)


def together(usage: Usage, more: Usage) -> Usage:
    """Return what two answers took."""
    return Usage(
        input_tokens=usage.input_tokens + more.input_tokens,
        output_tokens=usage.output_tokens + more.output_tokens,
        units=usage.units + more.units,
    )


def detour(row: Row, failures: Sequence[tuple[Target, NodeError]]) -> Row:
    """Return the row with the names of those that failed before its backend was asked."""
    after = tuple(failed.name for failed, _ in failures if failed.name != row.backend)
    return Detour(**msgspec.structs.asdict(row), after=after) if after else row


def told_by(target: Target, error: NodeError) -> str:
    """Return a failure's message with the name of who failed."""
    return error.message if target.name in error.message else f"{target.name}: {error.message}"


def most_telling(errors: Sequence[NodeError]) -> NodeError:
    """Return the failure a caller can act on: one that tried and broke, before one that lacked.

    A backend's own limit is what is told only where all who broke were at theirs.
    """
    broke = [error for error in errors if isinstance(error, BackendError | LoopDetected)]
    others = [error for error in broke if error.kind is not ErrorKind.BACKEND_LIMITED]
    return (others or broke or errors)[0]


def over_budget(error: NodeError, share: float) -> NodeError:
    """Return a failure that says that nobody else was asked, as too many were of late."""
    why = (
        f"nobody else was asked: further attempts are at their limit, {share:.0%} of the requests; "
        "try again in a few seconds"
    )
    error.hint = f"{error.hint}; {why}" if error.hint else why
    return error


def withdrawn(name: str, error: NodeError) -> BackendWithdrawn:
    """Return what to tell of a failure that came as its backend was taken out of this node."""
    told = BackendWithdrawn(
        f"{name} was taken out of this node while it was asked",
        hint="send the request again: it goes to another backend, if one does this",
    )
    told.sent_bytes, told.was_refused = error.sent_bytes, error.was_refused
    return told


def outcome_of(error: BaseException) -> str:
    """Return the word for what ended a call or an attempt."""
    match error:
        case NodeError():
            return error.kind.value
        case asyncio.CancelledError() if is_stopping(error):
            return STOPPED
        case CallerLeft() | asyncio.CancelledError() | GeneratorExit():
            return "aborted"
        case _:
            return ErrorKind.INTERNAL.value


def _failure(error: BaseException) -> Failure:
    kind = outcome_of(error)
    if isinstance(error, NodeError):
        return Failure(kind=kind, message=error.message, hint=error.hint)
    if kind == ErrorKind.INTERNAL:
        return Failure(
            kind=kind,
            message="the node failed on this request",
            hint="give the request id to the node's owner: the log has the reason",
        )
    return Failure(kind=kind, message=STOPPING if kind == STOPPED else "the caller left")
