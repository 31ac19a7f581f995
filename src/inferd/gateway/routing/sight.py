"""Which backends a caller may know of: it may ask for those by name, and hear of them."""

from collections.abc import Callable, Collection, Iterable
from itertools import islice
from weakref import WeakKeyDictionary

import msgspec

from inferd.core.backend import Capabilities
from inferd.core.request import OWNER, Action, InferenceRequest, Principal
from inferd.gateway.admission.policy import Policy
from inferd.gateway.events import BackendEvent, Event, InferenceEvent, QueueEvent
from inferd.gateway.routing.member import Member
from inferd.gateway.routing.pool import Pool
from inferd.gateway.routing.refusals import no_such_backend

_MOST_NAMES = 50
_Decided = WeakKeyDictionary[Member, dict[int, tuple[Capabilities, bool]]]
_DECIDED: WeakKeyDictionary[Policy, _Decided] = WeakKeyDictionary()
"""For each policy: whether a group of principals sees a backend, and what it offered then."""


def sees(policy: Policy, principal: Principal, member: Member) -> bool:
    """Whether the principal may list anything that this backend offers.

    Decided once for what it offers: this is asked for every event.
    """
    decided = _DECIDED.get(policy)
    if decided is None:
        decided = _DECIDED[policy] = WeakKeyDictionary()
    groups = decided.get(member)
    if groups is None:
        groups = decided[member] = {}
    group, offers = policy.group(principal), member.capabilities
    known = groups.get(group)
    if known is None or known[0] is not offers:
        known = groups[group] = (offers, _sees(policy, principal, member))
    return known[1]


def _sees(policy: Policy, principal: Principal, member: Member) -> bool:
    tier, only = member.backend.tier, member.only_tasks
    name, is_found = member.name, member.is_found
    reach = policy.reach(principal, Action.LIST, tier, backend=name, is_found=is_found)
    if policy.find(principal, Action.LIST, tier=tier, backend=name, is_found=is_found) is None:
        return False
    open_tasks = member.capabilities.open_tasks
    asked = open_tasks & only if only else open_tasks
    if reach.tasks("*", asked):
        return True
    offers_nothing = not asked
    for model in member.capabilities.models:
        tasks = model.tasks & only if only else model.tasks
        if reach.tasks(model.id, tasks):
            return True
        offers_nothing = offers_nothing and not tasks
    return offers_nothing


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
            or policy.find(
                principal,
                Action.INFER,
                task=request.task,
                tier=member.backend.tier,
                backend=member.name,
                is_found=member.is_found,
            )
        ):
            return
    known = (member.name for member in members if sees(policy, principal, member))
    raise no_such_backend(request.backend, list(islice(known, _MOST_NAMES)))


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

    for member in members:
        known = _knower(policy, principal, member)
        unlisted |= known(model or "*", member.capabilities.open_tasks)
        for offer in member.capabilities.models:
            if model and model != offer.id and model not in offer.aliases:
                continue
            tag = str(offer.detail.get("pipeline_tag", ""))
            if tag in tags and offer.tasks <= listed:
                continue
            found = known(offer.id, offer.tasks)
            listed |= found
            is_hidden = is_hidden or not found
            if found:
                tags.add(tag)
    return Doable(
        tags=frozenset(tags),
        listed=frozenset(listed),
        unlisted=frozenset(unlisted),
        is_hidden=is_hidden and not listed,
    )


def _knower(
    policy: Policy, principal: Principal, member: Member
) -> Callable[[str, frozenset[str]], frozenset[str]]:
    """Return what says which of a model's tasks the caller may ask the backend for, or list."""
    tier, only = member.backend.tier, member.only_tasks
    name, is_found = member.name, member.is_found
    infers = policy.reach(principal, Action.INFER, tier, backend=name, is_found=is_found).tasks
    lists = policy.reach(principal, Action.LIST, tier, backend=name, is_found=is_found).tasks

    def known(model: str, tasks: frozenset[str]) -> frozenset[str]:
        tasks = tasks & only if only else tasks
        return infers(model, tasks) | lists(model, tasks)

    return known


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
        self._pool = pool

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
        member = self._pool.find(name)
        return member is not None and sees(self._policy, self._principal, member)
