"""Which backends a caller may know of: it may ask for those by name, and hear of them."""

from collections.abc import Collection, Iterable

import msgspec

from inferd.core.request import OWNER, Action, InferenceRequest, Principal
from inferd.gateway.admission.policy import Policy
from inferd.gateway.events import BackendEvent, Event, InferenceEvent, QueueEvent, Wanted
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


def heard_by(principal: Principal, policy: Policy, pool: Pool, requests: Collection[str]) -> Wanted:
    """Return what this principal may hear: of its own requests, and of backends it sees.

    The owner hears of everybody's requests; `requests`, if any, are the only ones wanted.
    """
    members = {member.name: member for member in pool}

    def is_seen(name: str) -> bool:
        member = members.get(name)
        return member is not None and sees(policy, principal, member)

    def wanted(event: Event) -> Event | None:
        match event:
            case InferenceEvent():
                if principal.id not in (event.principal, OWNER.id):
                    return None
                if requests and event.request_id not in requests:
                    return None
                if event.backend and not is_seen(event.backend):
                    return msgspec.structs.replace(event, backend="")
                return event
            case BackendEvent():
                return event if is_seen(event.name) else None
            case QueueEvent():
                return event if is_seen(event.backend) else None

    return wanted
