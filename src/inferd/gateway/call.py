"""One request on its way: admit, route, run, account."""

from collections.abc import Coroutine, Iterator
from types import TracebackType
from typing import Any

import msgspec

from inferd.core.answer import UNTOLD, Answer
from inferd.core.errors import NodeError
from inferd.core.progress import Stage, Tell, unheard
from inferd.core.request import InferenceRequest
from inferd.core.result import Usage
from inferd.gateway.account import most_telling, over_budget
from inferd.gateway.asking import (
    addressed,
    ask_in_time,
    check_goes_on,
    is_shut_to,
    read_whole,
)
from inferd.gateway.booking import Attempt, Booking
from inferd.gateway.continuation import survivor_of
from inferd.gateway.desk import check_hops
from inferd.gateway.hedge import Asking, race
from inferd.gateway.plans import Target

_MOST = 0.95
"""The part of its answers within whose time until they began a backend isn't late."""
_UNKNOWN = 1.0
"""Seconds that a backend is given where it isn't known how soon it begins."""


class Call(Booking):
    """Entered, it is the backend's answer; left, it is settled and recorded."""

    __slots__ = ()

    async def __aenter__(self) -> Answer:
        try:
            target = self._first()
            while True:
                try:
                    answer = await self._ask(target)
                    break
                except BaseException as error:
                    target = self._target or target
                    was_aside = target.member.is_aside(self._began)
                    if not self._may_go_on(target, error):
                        raise
                target = self._next(was_aside=was_aside)
        except BaseException as error:
            self._settle(error)
            raise
        self._answer = answer
        target = self._target or target
        now = self._desk.now()
        target.tally.first_byte.add(now - self._started)
        target.member.began(now - self._began, self._began)
        if self._desk.events.is_heard:
            self._heard_by(target)(Stage.RUNNING)
        told = answer.served
        if self._failures or self._request.files or (told is not UNTOLD and told != UNTOLD):
            answer.served = self._served(target, told)
        else:
            answer.served = target.served
        plan = self._plan
        if self._request.stream and plan is not None and len(plan) > 1:
            return survivor_of(answer, self._request, self, keeps=plan.goes_on)
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
            # Who failed when the rest was wanted of it is booked already.
            if target is not None and not (self._failures and self._failures[-1][0] is target):
                self._returned(target, error)
            self._settle(error)

    @property
    def spent(self) -> Usage:
        """What those took who broke off."""
        return self._spent

    @property
    def is_as_usual(self) -> bool:
        """Whether nobody failed, and the answer's model is the one asked for while all are well."""
        target = self._target
        return not self._failures and target is not None and not target.stands_in

    def wall(self) -> float:
        """Return the time, in seconds since 1970."""
        return self._desk.wall()

    def can_carry_on(self) -> bool:
        """Whether somebody else could write the rest of this call's answer."""
        broken = self._target
        return broken is not None and next(self._successors(broken, goes_on=True), None) is not None

    async def carry_on(self, error: NodeError, rest: InferenceRequest) -> Answer | None:
        """Have `rest` of an answer that broke off from somebody else; None where nobody can.

        Whoever goes on serves the same model by the same id, within the tiers of the request,
        under a rule that allows it now; and goes on with another's text, where there is some. The
        answer that broke off is freed, and what it took is booked; where this returns None the
        call is to end with `error`. The answer returned is this call's own to close.
        """
        broken, answer = self._target, self._answer
        if broken is None or answer is None:
            return None
        target = self._successor(broken, error, rest)
        if target is None:
            return None
        self._returned(broken, error)
        self._failed(broken, error)
        self._write_off(broken, answer)
        rest = self._as_patient(rest)
        while target is not None:
            try:
                self._admit(target)
            except NodeError:
                # A limit of its rule is reached: what is told is what went wrong.
                return None
            self._began = self._desk.now()
            try:
                answer = await self._ask_for_rest(target, rest)
            except NodeError as failure:
                self._returned(target, failure)
                self._failed(target, failure)
                target = self._successor(target, failure, rest)
            else:
                target.member.began(self._desk.now() - self._began, self._began)
                self._answer = answer
                answer.served = self._served(target, answer.served)
                return answer
        return None

    def _first(self) -> Target:
        """Admit the request, and choose whom to ask first."""
        desk, request = self._desk, self._request
        if request.hops:
            check_hops(desk.node, request)
        self._plan = plan = desk.plans.of(request, self._principal)
        target = plan.first(self._started, desk.changes.health, request)
        self._admit(target)
        budget = desk.budget
        if self._started >= budget.until:
            budget.turn(self._started)
        budget.requests += 1
        return target

    def _next(self, *, was_aside: bool) -> Target:
        """Choose whom to ask after a failure of one that `was_aside` when it was asked.

        Raises:
            NodeError: Nobody is left, there were too many further attempts of late, or a limit of
                the next one's rule is reached.
        """
        if self._others is None or self._is_outdated():
            self._others = self._candidates()
        for target in self._others:
            if not self._was_in_vain(target):
                self._spend(target, was_aside=was_aside)
                self._admit(target)
                self._began = self._desk.now()
                return target
        raise most_telling([error for _, error in self._failures])

    def _is_outdated(self) -> bool:
        """Whether somebody offers something else since the plan was made, or nothing any more."""
        return self._plan is None or self._plan.offers != self._desk.changes.offers

    def _candidates(self) -> Iterator[Target]:
        """Return whoever may and can be asked as it stands now, best first."""
        desk, plan = self._desk, self._plan
        if plan is None or self._is_outdated():
            try:
                plan = self._plan = desk.plans.of(self._request, self._principal)
            except NodeError:
                return iter(())
        return plan.order(desk.now(), desk.changes.health, self._request)

    def _was_in_vain(self, target: Target) -> bool:
        """Whether it failed, or its backend did in a way that speaks against all its models."""
        return any(
            failed.member is target.member and (error.is_fault or failed.model == target.model)
            for failed, error in self._failures
        )

    def _spend(self, target: Target, *, was_aside: bool) -> None:
        """Take a further attempt, at `target`, out of the node's budget.

        What only lacked a model costs nothing, nor does one that was taken out of the node, nor a
        try of one that was set aside where somebody well is left: none of it asks more of whoever
        is in trouble.

        Raises:
            NodeError: What went wrong first: there is no room for another attempt.
        """
        desk, now = self._desk, self._desk.now()
        is_free = not self._failures[-1][1].is_fault or (
            was_aside and not target.member.is_aside(now)
        )
        if not is_free and not desk.budget.spend(now):
            raise over_budget(self._failures[0][1], desk.budget.share)

    def _successor(self, failed: Target, error: NodeError, rest: InferenceRequest) -> Target | None:
        """Return who is to be asked for a rest after `error`; None is nobody, or nobody more.

        The first to break off may always be stood in for: that asks no more of the others.
        """
        if not error.retryable:
            return None
        target = next(self._successors(failed, goes_on=bool(rest.continued)), None)
        is_free = not self._failures or not error.is_fault or failed.member.is_gone
        if target is None or not (is_free or self._desk.budget.spend(self._desk.now())):
            return None
        return target

    def _as_patient(self, rest: InferenceRequest) -> InferenceRequest:
        """Return `rest` with a deadline: to begin it may take as long as the answer might have.

        What the caller gave the answer to begin in is over by then, or nearly so.
        """
        deadline = self._request.deadline
        if deadline is None or not rest.continued:
            return rest
        self._deadline = self._desk.now() + max(0.0, deadline - self._started)
        return msgspec.structs.replace(rest, deadline=self._deadline)

    def _successors(self, broken: Target, *, goes_on: bool) -> Iterator[Target]:
        """Yield whoever may go on where `broken` broke off, best first."""
        asked = {broken.name, *(failed.name for failed, _ in self._failures)}
        for target in self._candidates():
            if (
                target.name not in asked
                and target.model == broken.model
                and (not goes_on or target.member.backend.traits.goes_on_with(self._request))
            ):
                yield target

    def _ask(self, target: Target) -> Coroutine[Any, Any, Answer]:
        target.member.took(self._began)
        request, raw, tell = self._request, self._request.raw, unheard
        if self._desk.events.is_heard:
            tell = self._told_of(target)
        if request.hedge or target.hedge_after is not None:
            return self._ask_two(target, tell)
        if (
            request.deadline is not None
            or request.continued
            or (raw is not None and raw.read is not None and raw.wire not in target.wires)
        ):
            return self._ask_slowly(target, tell)
        return target.infer(addressed(request, target, tell))

    async def _ask_slowly(self, target: Target, tell: Tell) -> Answer:
        """Ask with a deadline, or after reading what has only been peeked at."""
        check_goes_on(target, self._request)
        if is_shut_to(target, self._request):
            self._request = await read_whole(self._request)
        return await ask_in_time(target, addressed(self._request, target, tell), self._desk.clock)

    async def _ask_two(self, target: Target, tell: Tell) -> Answer:
        """Ask, and when that takes long, somebody else too; the call goes on with the first."""
        rival: Target | None = None
        began = asked_again = self._began

        def ask_rival() -> Asking | None:
            nonlocal rival, asked_again
            asked_again = self._desk.now()
            rival = self._rival(target)
            if rival is None or not self._desk.budget.spend(asked_again):
                rival = None
                return None
            rival.member.took(asked_again)
            return self._ask_slowly(rival, unheard)

        late = self._desk.clock.sleep(_patience(target))
        try:
            endings = await race(self._ask_slowly(target, tell), late, ask_rival)
        except BaseException as error:
            if rival is not None:
                self._drop(Attempt(rival, asked_again, error))
                self._began = began
            raise
        attempts = [Attempt(target, began, endings[0])]
        if rival is not None:
            attempts.append(Attempt(rival, asked_again, endings[1]))
        return self._decide(attempts)

    async def _ask_for_rest(self, target: Target, rest: InferenceRequest) -> Answer:
        """Ask for what is still to be written."""
        target.member.took(self._began)
        tell = self._told_of(target) if self._desk.events.is_heard else unheard
        if is_shut_to(target, rest):
            rest = await read_whole(rest)
        return await ask_in_time(target, addressed(rest, target, tell), self._desk.clock)

    def _rival(self, target: Target) -> Target | None:
        """Return whom else to ask: as near, for the same model, on the same terms, and well."""
        now = self._desk.now()
        asked = {target.name, *(failed.name for failed, _ in self._failures)}
        for other in self._candidates():
            if (
                other.name not in asked
                and other.model == target.model
                and other.tier <= target.tier
                and other.meter is target.meter
                and not other.member.is_aside(now)
            ):
                return other
        return None

    def _told_of(self, target: Target) -> Tell:
        """Return a teller of what happens with `target`, from now on."""
        self._teller = None
        tell = self._heard_by(target)
        tell(Stage.ROUTED)
        return tell

    def _may_go_on(self, target: Target, error: BaseException) -> bool:
        """Book a failed attempt; say whether another backend may be asked."""
        self._returned(target, error)
        if not isinstance(error, NodeError):
            return False
        self._failed(target, error)
        return error.retryable


def _patience(target: Target) -> float:
    """Return how long one is waited for before somebody else is asked too, in seconds."""
    if target.hedge_after is not None:
        return target.hedge_after
    usual = target.member.begin.quantile(_MOST)
    return _UNKNOWN if usual is None else usual
