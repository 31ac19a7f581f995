"""One request on its way: admit, route, run, account."""

import asyncio
from types import TracebackType

import msgspec

from inferd.core.answer import Answer, Served
from inferd.core.clock import Clock
from inferd.core.errors import (
    BackendError,
    BackendTimeout,
    CallerLeft,
    ErrorKind,
    LoopDetected,
    NodeError,
)
from inferd.core.records import Forward, Row
from inferd.core.request import (
    ALL_TIERS,
    Action,
    InferenceRequest,
    Principal,
    Tier,
    tiers_up_to,
)
from inferd.core.tasks import unused_files
from inferd.gateway.admission.limits import Hold, Limiter
from inferd.gateway.admission.policy import Policy, Rule
from inferd.gateway.routing.router import Router, Target, source_of
from inferd.gateway.usage import Recorder

_CLOSE = 0.01


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a call needs of the node."""

    node: str
    policy: Policy
    limiter: Limiter
    router: Router
    recorder: Recorder
    clock: Clock


class Permission:
    """The policy's answer for one caller and task."""

    __slots__ = ("_policy", "_principal", "_task", "_tiers")

    def __init__(self, policy: Policy, request: InferenceRequest, principal: Principal) -> None:
        self._policy = policy
        self._principal = principal
        self._task = request.task
        self._tiers = principal.tiers if request.tiers is None else request.tiers

    def allows(self, model: str, tier: Tier) -> bool:
        """Whether the caller may use `model` that far away."""
        rule = self._policy.find(
            self._principal, Action.INFER, model=model, task=self._task, tier=tier
        )
        return rule is not None and tier in self._tiers

    def reason(self, model: str, tier: Tier) -> str:
        """Say by which rule, or why by none."""
        if tier not in self._tiers:
            return f"{tier.label} is farther than {self._principal.id} goes unless asked"
        decision = self._policy.decide(
            self._principal, Action.INFER, model=model, task=self._task, tier=tier
        )
        return decision.reason


def check_hops(node: str, request: InferenceRequest) -> None:
    """Refuse a request that has been here.

    Raises:
        LoopDetected: It has.
    """
    if node in request.hops:
        raise LoopDetected(
            "this node has already forwarded the request: two nodes point at each other",
            hint="take one of them out of the other's remote endpoints",
        )


class Call:
    """Entered, it is the backend's answer; left, it is settled and recorded."""

    __slots__ = (
        "_answer",
        "_began",
        "_hold",
        "_parts",
        "_principal",
        "_request",
        "_rule",
        "_started",
        "_target",
    )  # fmt: skip

    def __init__(self, parts: Parts, request: InferenceRequest, principal: Principal) -> None:
        self._parts = parts
        self._request = request
        self._principal = principal
        self._started = self._began = parts.clock.now()
        self._hold = Hold(None)
        self._rule: Rule | None = None
        self._target: Target | None = None
        self._answer: Answer | None = None

    async def __aenter__(self) -> Answer:
        try:
            self._answer = answer = await self._first_to_answer()
        except BaseException as error:
            self._settle(error)
            raise
        return answer

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._answer is not None:
                self._answer.close()
        finally:
            self._returned(error)
            self._settle(error)

    async def _first_to_answer(self) -> Answer:
        parts, request = self._parts, self._request
        check_hops(parts.node, request)
        permit = Permission(parts.policy, request, self._principal)
        failures: list[tuple[Target, NodeError]] = []
        for target in parts.router.targets(request, permit):
            self._admit(target)
            self._began = parts.clock.now()
            target.member.took()
            try:
                answer = await self._ask(target)
            except BaseException as error:
                self._returned(error)
                if not isinstance(error, NodeError):
                    raise
                if target.member.backend.is_node:
                    # Its "here" isn't ours.
                    error.message = _told_by(target, error)
                if not error.retryable:
                    raise
                # Its frames would keep whatever the failed attempt had read.
                failures.append((target, error.with_traceback(None)))
                continue
            self._started_by(target, answer, failures)
            return answer
        raise _most_telling([error for _, error in failures])

    def _admit(self, target: Target) -> None:
        """Authorise this very target, and take a place under the rule that allows it."""
        self._target = target
        rule = self._parts.policy.authorize(
            self._principal,
            Action.INFER,
            model=target.model or self._request.model,
            task=self._request.task,
            tier=target.member.backend.tier,
        )
        if rule != self._rule:
            self._hold.release()
            self._hold = self._parts.limiter.hold(self._principal, rule.limits, rule=rule)
            self._rule = rule

    async def _ask(self, target: Target) -> Answer:
        request = msgspec.structs.replace(
            self._request, model=target.model, tiers=self._reach(target)
        )
        if request.deadline is None:
            return await target.member.backend.infer(request)
        left = request.deadline - self._parts.clock.now()
        if left <= 0:
            raise BackendTimeout(f"no time is left to ask {target.member.name}")
        try:
            async with asyncio.timeout(left):
                return await target.member.backend.infer(request)
        except TimeoutError as error:
            raise BackendTimeout(f"{target.member.name} gave no answer in time") from error

    def _reach(self, target: Target) -> frozenset[Tier] | None:
        """Return how far the words may go on from another node: no farther than from here."""
        request = self._request
        if not target.member.backend.is_node or self._rule is None:
            return request.tiers
        asked = self._principal.tiers if request.tiers is None else request.tiers
        reach = asked & tiers_up_to(self._rule.tier)
        return None if reach == ALL_TIERS else reach

    def _started_by(
        self, target: Target, answer: Answer, failures: list[tuple[Target, NodeError]]
    ) -> None:
        """Say on the answer who gives it, and what went wrong on the way."""
        backend, told = target.member.backend, answer.served
        warnings = [
            error.message
            if failed.member.name in error.message
            else f"{failed.member.name}: {error.message}"
            for failed, error in failures
        ]
        if not backend.is_node:
            present = {file.field for file in self._request.files}
            unused = sorted(unused_files(self._request.task, present))
            warnings += [f"the {field} was not used: {self._request.task} takes none"
                         for field in unused]  # fmt: skip
        answer.served = Served(
            source=source_of(target.member),
            node=told.node or ("" if backend.is_node else self._parts.node),
            nodes=(self._parts.node, *told.nodes),
            backend=target.member.name,
            model=told.model or target.model,
            warnings=(*warnings, *told.warnings),
        )

    def _returned(self, error: BaseException | None) -> None:
        """Tell the member how its request ended, and the audit log if words left for a node."""
        target, clock = self._target, self._parts.clock
        if target is None:
            return
        now = clock.now()
        if error is None:
            target.member.gave(now - self._began)
        elif isinstance(error, NodeError) and error.is_fault and not self._is_late(now):
            target.member.broke(error.message, now, retry_after=error.retry_after)
        elif _outcome(error) == "internal":
            target.member.broke("it failed in a way it shouldn't; the log has it", now)
        else:
            target.member.left()
        if target.member.backend.is_node:
            line = Forward(
                at=clock.wall(),
                id=self._request.id,
                principal=self._principal.id,
                task=self._request.task,
                model=target.model or self._request.model,
                backend=target.member.name,
                node=self._answer.served.node if self._answer else "",
                sent_bytes=_sent(self._answer, error),
                seconds=now - self._began,
                outcome=_outcome(error),
            )
            self._parts.recorder.forwarded(line)

    def _is_late(self, now: float) -> bool:
        """Whether the caller's own deadline has passed: what ends then is nobody's fault."""
        deadline = self._request.deadline
        return deadline is not None and now >= deadline - _CLOSE

    def _settle(self, error: BaseException | None) -> None:
        """Give the place back and write the row."""
        self._hold.release()
        parts, answer, target = self._parts, self._answer, self._target
        usage = answer.usage if answer else None
        finish = answer.finish if answer else None
        asked = answer.served.model if answer else target.model if target else ""
        row = Row(
            at=parts.clock.wall(),
            id=self._request.id,
            principal=self._principal.id,
            task=self._request.task,
            model=(finish.model if finish else "") or asked or self._request.model,
            backend=target.member.name if target else "",
            node=answer.served.node if answer else "",
            source=source_of(target.member) if target else "",
            input_tokens=usage.input_tokens if usage else 0,
            output_tokens=usage.output_tokens if usage else 0,
            units=usage.units if usage else 0,
            seconds=parts.clock.now() - self._started,
            outcome=_outcome(error),
        )
        parts.recorder.settled(row)


def _told_by(target: Target, error: NodeError) -> str:
    name = target.member.name
    return error.message if name in error.message else f"{name}: {error.message}"


def _sent(answer: Answer | None, error: BaseException | None) -> int:
    if answer is not None:
        return answer.sent_bytes
    return error.sent_bytes if isinstance(error, NodeError) else 0


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


def _most_telling(errors: list[NodeError]) -> NodeError:
    """Return the failure a caller can act on: one that tried and broke, before one that lacked."""
    broke = [error for error in errors if isinstance(error, BackendError | LoopDetected)]
    return (broke or errors)[0]
