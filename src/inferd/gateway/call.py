"""One request on its way: admit, route, run, account."""

import asyncio
from types import TracebackType

import msgspec

from inferd.core.answer import Answer, Served
from inferd.core.clock import Clock
from inferd.core.errors import BackendError, BackendTimeout, LoopDetected, NodeError
from inferd.core.progress import Tell
from inferd.core.request import (
    ALL_TIERS,
    Action,
    InferenceRequest,
    Principal,
    Tier,
    opened,
    tiers_up_to,
)
from inferd.core.tasks import unused_files
from inferd.gateway.account import Account
from inferd.gateway.admission.limits import Hold, Limiter
from inferd.gateway.admission.permission import Permission
from inferd.gateway.admission.policy import Policy, Rule
from inferd.gateway.routing.router import Router, Target, source_of
from inferd.gateway.routing.sight import check_asked_for
from inferd.gateway.usage import Recorder

_ON_THE_LOOP = 128 << 10


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a call needs of the node."""

    node: str
    policy: Policy
    limiter: Limiter
    router: Router
    recorder: Recorder
    clock: Clock


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
        "_account",
        "_answer",
        "_hold",
        "_parts",
        "_principal",
        "_request",
        "_rule",
        "_target",
    )

    def __init__(self, parts: Parts, request: InferenceRequest, principal: Principal) -> None:
        self._parts = parts
        self._request = request
        self._principal = principal
        self._account = Account(
            parts.recorder, parts.clock, request, principal, parts.router.pool.events
        )
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
            if self._target is not None:
                self._account.returned(self._target, self._answer, error)
            self._settle(error)

    def _settle(self, error: BaseException | None) -> None:
        self._hold.release()
        self._account.settled(self._target, self._answer, error)

    async def _first_to_answer(self) -> Answer:
        parts, request = self._parts, self._request
        check_hops(parts.node, request)
        if request.backend:
            check_asked_for(parts.router.pool, parts.policy, request, self._principal)
        permit = Permission(parts.policy, request, self._principal)
        failures: list[tuple[Target, NodeError]] = []
        for target in parts.router.targets(request, permit):
            self._admit(target)
            tell = self._account.attempt(target)
            try:
                answer = await self._ask(target, tell)
            except BaseException as error:
                self._account.returned(target, None, error)
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
            self._account.answered(target)
            answer.served = self._served(target, answer.served, failures)
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

    async def _ask(self, target: Target, tell: Tell) -> Answer:
        raw = self._request.raw
        if raw is not None and raw.read and raw.wire not in target.member.backend.wires:
            self._request = await _opened(self._request, len(raw.body))
        request = msgspec.structs.replace(
            self._request,
            model=target.model,
            tiers=self._reach(target),
            backend="",
            tell=tell,
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

    def _served(
        self, target: Target, told: Served, failures: list[tuple[Target, NodeError]]
    ) -> Served:
        """Say who gives the answer, and what went wrong on the way."""
        is_node = target.member.backend.is_node
        warnings = [_told_by(failed, error) for failed, error in failures]
        if not is_node:
            present = {file.field for file in self._request.files}
            task = self._request.task
            warnings += [
                f"the {field} was not used: {task} takes none"
                for field in unused_files(task, present)
            ]
        return Served(
            source=source_of(target.member),
            node=told.node or ("" if is_node else self._parts.node),
            nodes=(self._parts.node, *told.nodes),
            backend=target.member.name,
            model=told.model or target.model,
            seen=(*_reached(target, failures), *told.seen),
            warnings=(*warnings, *told.warnings),
        )


async def _opened(request: InferenceRequest, size: int) -> InferenceRequest:
    """Read what has only been peeked at: long bodies in a thread, so that nobody else waits."""
    return opened(request) if size <= _ON_THE_LOOP else await asyncio.to_thread(opened, request)


def _reached(target: Target, failures: list[tuple[Target, NodeError]]) -> list[str]:
    """Name the places off this machine that have read the words, or may have."""
    asked = [failed for failed, error in failures if error.sent_bytes > 0]
    return [each.member.name for each in (*asked, target) if source_of(each.member) == "remote"]


def _told_by(target: Target, error: NodeError) -> str:
    name = target.member.name
    return error.message if name in error.message else f"{name}: {error.message}"


def _most_telling(errors: list[NodeError]) -> NodeError:
    """Return the failure a caller can act on: one that tried and broke, before one that lacked."""
    broke = [error for error in errors if isinstance(error, BackendError | LoopDetected)]
    return (broke or errors)[0]
