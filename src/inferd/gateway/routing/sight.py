"""Which backends a caller may know of: it may ask for those by name, and hear of them."""

from collections.abc import Collection, Iterable

import msgspec

from inferd.core.backend import Capabilities
from inferd.core.request import OWNER, Action, InferenceRequest, Principal
from inferd.gateway.admission.policy import Policy
from inferd.gateway.events import BackendEvent, Event, InferenceEvent, QueueEvent
from inferd.gateway.routing.pool import Member, Pool
from inferd.gateway.routing.refusals import no_such_backend

_MOST_NAMES = 50


def sees(policy: Policy, principal: Principal, member: Member) -> bool:
    """Whether the principal may list anything that this backend offers."""
    tier, offers = member.backend.tier, member.capabilities
    if policy.find(principal, Action.LIST, tier=tier) is None:
        return False
    asked = [("*", task) for task in offers.open_tasks if member.does(task)]
    asked += [(m.id, task) for m in offers.models for task in m.tasks if member.does(task)]
    return not asked or any(
        policy.find(principal, Action.LIST, model=model, task=task, tier=tier) is not None
        for model, task in asked
    )


def check_asked_for(
    members: Iterable[Member], policy: Policy, request: InferenceRequest, principal: Principal
) -> None:
    """Refuse a request for one backend that isn't there; one that is hidden is told no otherwise.

    Raises:
        InvalidRequest: There is none, or the caller may not know of it.
    """
    for member in members:
        if member.name == request.backend and (
            sees(policy, principal, member)
            or policy.find(principal, Action.INFER, task=request.task, tier=member.backend.tier)
        ):
            return
    known = [member.name for member in members if sees(policy, principal, member)]
    raise no_such_backend(request.backend, known[:_MOST_NAMES])


class Doable(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller may have done with a model.

    `tags` are what its backends say it is best at, `listed` all they list it for, and `unlisted`
    what backends do with models that they don't list. `is_hidden`: some list it, not for this one.
    """

    tags: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    unlisted: frozenset[str] = frozenset()
    is_hidden: bool = False


def doable(members: Iterable[Member], policy: Policy, principal: Principal, model: str) -> Doable:
    """Return what may be done with `model`, or with any where it is empty."""
    tags: set[str] = set()
    listed: set[str] = set()
    unlisted: set[str] = set()
    is_hidden = False

    def knows(member: Member, name: str, task: str) -> bool:
        tier = member.backend.tier
        return member.does(task) and any(
            policy.find(principal, action, model=name, task=task, tier=tier) is not None
            for action in (Action.INFER, Action.LIST)
        )

    for member in members:
        open_tasks = member.capabilities.open_tasks
        unlisted |= {task for task in open_tasks if knows(member, model or "*", task)}
        for offer in member.capabilities.models:
            if model and model != offer.id and model not in offer.aliases:
                continue
            known = {task for task in offer.tasks if knows(member, offer.id, task)}
            listed |= known
            is_hidden = is_hidden or not known
            if known:
                tags.add(str(offer.detail.get("pipeline_tag", "")))
    return Doable(
        tags=frozenset(tags),
        listed=frozenset(listed),
        unlisted=frozenset(unlisted),
        is_hidden=is_hidden and not listed,
    )


class Ear:
    """What a principal may hear: of its own requests, and of backends that it sees.

    The owner hears of everybody's requests; `requests`, if any, are the only ones wanted.
    """

    def __init__(
        self, principal: Principal, policy: Policy, pool: Pool, requests: Collection[str]
    ) -> None:
        self._principal = principal
        self._policy = policy
        self._requests = requests
        self._members = {member.name: member for member in pool}
        # Decided once for what a backend offers: this is asked for every event.
        self._decided: dict[str, tuple[Capabilities, bool]] = {}

    def __call__(self, event: Event) -> Event | None:
        """Return the event, without what isn't for this principal; or nothing."""
        match event:
            case InferenceEvent():
                if self._principal.id not in (event.principal, OWNER.id):
                    return None
                if self._requests and event.request_id not in self._requests:
                    return None
                if event.backend and not self._sees(event.backend):
                    return msgspec.structs.replace(event, backend="")
                return event
            case BackendEvent():
                return event if self._sees(event.name) else None
            case QueueEvent():
                return event if self._sees(event.backend) else None

    def _sees(self, name: str) -> bool:
        member, known = self._members.get(name), self._decided.get(name)
        if member is None:
            return False
        if known is None or known[0] is not member.capabilities:
            seen = sees(self._policy, self._principal, member)
            known = self._decided[name] = (member.capabilities, seen)
        return known[1]
