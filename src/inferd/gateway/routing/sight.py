"""Which backends a caller may know of, and so may ask for by name."""

from collections.abc import Iterable

from inferd.core.request import Action, InferenceRequest, Principal
from inferd.gateway.admission.policy import Policy
from inferd.gateway.routing.pool import Member
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
