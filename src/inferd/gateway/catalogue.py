"""What can run where: every backend's models, as one list for one principal."""

from collections.abc import Iterable, Mapping

import msgspec

from inferd.core.backend import Model
from inferd.core.request import Action, Principal
from inferd.gateway.admission.policy import Policy
from inferd.gateway.routing.pool import Member
from inferd.gateway.routing.router import source_of


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """One place where a model runs. `reason` says why it can't just now, if it can't."""

    backend: str
    source: str
    tier: str
    usable: bool = True
    reason: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A model, and everywhere it runs; the first place is the one asked first."""

    id: str
    tasks: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    detail: Mapping[str, object] = {}
    places: tuple[Placement, ...] = ()


def rows(
    members: Iterable[Member], policy: Policy, principal: Principal, *, task: str, remote: bool
) -> list[Row]:
    """Return a row for each model that does `task` (any, when empty) and that policy shows."""
    found: dict[str, Row] = {}
    for member in sorted(members, key=_nearest):
        if not remote and source_of(member) == "remote":
            continue
        for model in member.capabilities.models:
            shown = _shown(member, model, policy, principal, task)
            if shown:
                found[model.id] = _with(found.get(model.id), model, member, shown)
    return list(found.values())


def _nearest(member: Member) -> tuple[int, int, bool]:
    return (member.priority, member.backend.tier, member.backend.is_node)


def _shown(
    member: Member, model: Model, policy: Policy, principal: Principal, task: str
) -> frozenset[str]:
    """Return the tasks for which this principal sees this model here."""
    tier = member.backend.tier
    tasks = model.tasks & member.only_tasks if member.only_tasks else model.tasks
    if task:
        tasks &= {task}
    return frozenset(
        each
        for each in tasks
        if policy.find(principal, Action.LIST, model=model.id, task=each, tier=tier) is not None
    )


def _with(row: Row | None, model: Model, member: Member, tasks: frozenset[str]) -> Row:
    place = Placement(
        backend=member.name,
        source=source_of(member),
        tier=member.backend.tier.label,
        usable=not member.error,
        reason=member.error,
    )
    if row is None:
        return Row(
            id=model.id,
            tasks=tuple(sorted(tasks)),
            aliases=model.aliases,
            detail=model.detail,
            places=(place,),
        )
    return msgspec.structs.replace(
        row, tasks=tuple(sorted(tasks.union(row.tasks))), places=(*row.places, place)
    )
