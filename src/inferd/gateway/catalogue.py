"""What can run where: every backend's models and a hub's, as one list for one principal."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec

from inferd.core.backend import Model
from inferd.core.hub import HubModel
from inferd.core.request import Action, Principal, Tier
from inferd.core.words import size_words
from inferd.engine.fit import Machine, judge
from inferd.gateway.admission.policy import Policy
from inferd.gateway.routing.member import Member

_BY_CHAT = frozenset({"chat", "text-generation", "image-text-to-text"})
"""What a provider does that the Hub says is `conversational`."""
_HUGGINGFACE = "huggingface"
_ECHO = "echo"


class Placement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One place where a model runs. `reason` says why it can't just now, if it can't."""

    backend: str
    source: str
    tier: str
    usable: bool = True
    reason: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The badge of a model: its best place in words; `more` counts the other usable ones."""

    where: Literal["local", "peer", "team", "cloud", "download", "no"] = "no"
    label: str = "Can’t run yet"
    reason: str = ""
    more: int = 0


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A model, and everywhere it runs; the first place is the one asked first.

    `gated` is the Hub's word. None where nobody says. `stands_for` are the models that a route
    asks for instead, where this is only a name for them.
    """

    id: str
    tasks: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    stands_for: tuple[str, ...] = ()
    detail: Mapping[str, object] = {}
    places: tuple[Placement, ...] = ()
    likes: int | None = None
    downloads: int | None = None
    trending_score: float | None = None
    gated: str = "false"
    size_bytes: int | None = None
    parameters: int | None = None
    library: str | None = None
    verdict: Verdict = Verdict()


_Found = tuple[Model, frozenset[str], tuple[Placement, ...]]
"""A model as the nearest place lists it, the tasks of all places, and the places."""
Names = Callable[[Mapping[str, Row]], Iterable[Row]]
"""Makes rows of the names that somebody gave to the models of some rows."""


def _no_names(_: Mapping[str, Row]) -> Iterable[Row]:
    return ()


class Catalogue:
    """The places as they stand now, as one principal may see them."""

    def __init__(
        self,
        members: Iterable[Member],
        policy: Policy,
        principal: Principal,
        *,
        remote: bool = True,
        machine: Machine | None = None,
        names: Names = _no_names,
    ) -> None:
        near = sorted(members, key=_nearest)
        self._members = [each for each in near if remote or each.source == "local"]
        self._labels = {member.name: _label(member) for member in self._members}
        self._policy = policy
        self._principal = principal
        self._machine = machine or Machine()
        self._names = names

    def own(self, task: str = "") -> dict[str, Row]:
        """Return a row, by id, for each model that a backend lists for `task` (any, when empty).

        Then one for each name that stands for some of them.
        """
        found: dict[str, _Found] = {}
        for member in self._members:
            reach = self._policy.reach(
                self._principal,
                Action.LIST,
                member.backend.tier,
                backend=member.name,
                is_found=member.is_found,
            )
            only, alone = member.only_tasks, (_place(member, member.error),)
            if task:
                only = only & {task} if only else frozenset({task})
                if task not in only:
                    continue
            for model in member.capabilities.models:
                tasks = model.tasks & only if only else model.tasks
                shown = reach.tasks(model.id, tasks) if tasks else tasks
                if not shown:
                    continue
                known = found.get(model.id)
                if known is None:
                    found[model.id] = (model, shown, alone)
                else:
                    found[model.id] = (known[0], known[1] | shown, known[2] + alone)
        rows = self._rows(found)
        return rows | {row.id: row for row in self._names(rows)}

    def _rows(self, found: Mapping[str, _Found]) -> dict[str, Row]:
        # There are few kinds of these, and many models.
        ordered: dict[frozenset[str], tuple[str, ...]] = {}
        judged: dict[tuple[Placement, ...], Verdict] = {}
        rows: dict[str, Row] = {}
        for name, (model, tasks, places) in found.items():
            in_order = ordered.get(tasks)
            if in_order is None:
                in_order = ordered[tasks] = tuple(sorted(tasks))
            verdict = judged.get(places)
            if verdict is None:
                verdict = judged[places] = self._verdict(places)
            rows[name] = _row(model, in_order, places, verdict)
        return rows

    def runs_hub_model(self, model: HubModel, task: str) -> bool:
        """Whether a usable place would take a model that no backend lists."""
        return any(place.usable for place in self._open_places(model, task))

    def merged(self, model: HubModel, task: str, own: Row | None) -> Row | None:
        """Return the row of a hub's model, with what is known here; None where policy hides it."""
        places: tuple[Placement, ...] = own.places if own else ()
        if own is None and not self._may_list(model.id, task):
            return None
        named = {place.backend for place in places}
        places += tuple(
            place for place in self._open_places(model, task) if place.backend not in named
        )
        facts: dict[str, object] = {
            "likes": model.likes,
            "downloads": model.downloads,
            "trending_score": model.trending_score,
            "parameters": model.parameters,
            "library": model.library or None,
        }
        if own is not None:
            told = {name: value for name, value in facts.items() if value is not None}
            if own.size_bytes is None:
                told["size_bytes"] = model.size_bytes
            row = msgspec.structs.replace(own, places=places, gated=model.gated, **told)
            return self._judged(row)
        verdict = self._verdict(places) if places else None
        return Row(
            id=model.id,
            tasks=(task,),
            places=places,
            likes=model.likes,
            downloads=model.downloads,
            trending_score=model.trending_score,
            gated=model.gated,
            size_bytes=model.size_bytes,
            parameters=model.parameters,
            library=model.library or None,
            verdict=verdict if verdict and verdict.where != "no" else self._lacking(model, task),
        )

    def _may_list(self, model: str, task: str, member: Member | None = None) -> bool:
        found = self._policy.find(
            self._principal,
            Action.LIST,
            model=model,
            task=task,
            tier=Tier.LOCAL if member is None else member.backend.tier,
            backend="" if member is None else member.name,
            is_found=member is not None and member.is_found,
        )
        return found is not None

    def _open_places(self, model: HubModel, task: str) -> Iterable[Placement]:
        """Yield the places that would take the model though they don't list it."""
        for member in self._members:
            if task not in member.capabilities.open_tasks or not member.does(task):
                continue
            if member.backend.kind == _HUGGINGFACE:
                if not _hosts(model, task):
                    continue
                reason = member.error
            elif member.backend.is_node and _is_silent_about(member, task):
                reason = f"{member.name} doesn’t say which models it has."
            else:
                continue
            if self._may_list(model.id, task, member):
                yield _place(member, reason)

    def _judged(self, row: Row) -> Row:
        return msgspec.structs.replace(row, verdict=self._verdict(row.places))

    def _verdict(self, places: tuple[Placement, ...]) -> Verdict:
        """Say which is the best of `places`, or why none will do."""
        usable = [place for place in places if place.usable]
        if not usable:
            first = places[0]
            reason = first.reason
            if not reason.startswith(first.backend):
                reason = f"{first.backend} can’t be asked: {reason}"
            return Verdict(reason=reason)
        best = usable[0]
        label = self._labels[best.backend]
        if best.reason:
            label = f"May run on {best.backend}"
        return Verdict(
            where=_where(best.tier), label=label, reason=best.reason, more=len(usable) - 1
        )

    def _lacking(self, model: HubModel, task: str) -> Verdict:
        """Say what it would take to run here, or elsewhere."""
        fit = judge(model, task, self._machine)
        if fit.fits:
            size = f"a {size_words(model.size_bytes)}" if model.size_bytes else "a"
            return Verdict(where="download", label=f"Runs here after {size} download")
        return Verdict(reason=f"{fit.reason} {self._way_out(model, task)}")

    def _way_out(self, model: HubModel, task: str) -> str:
        for member in self._members:
            if (
                task in member.capabilities.open_tasks
                and member.backend.is_node
                and self._may_list(model.id, task, member)
            ):
                if member.error:
                    return f"{member.name} isn’t answering just now."
                if not _has_answered(member):
                    return f"{member.name} hasn’t said yet what it has."
                if _lists(member, task):
                    return f"{member.name} doesn’t list it either."
        if hosts := _hosts(model, task):
            names = " and ".join(hosts[:2])
            return f"Hosted by {names}: a backend of kind huggingface would reach it."
        return "Another node that has it could run it."


def _nearest(member: Member) -> tuple[int, int, bool]:
    return (member.priority, member.backend.tier, member.backend.is_node)


def _label(member: Member) -> str:
    if member.backend.kind == _ECHO:
        return "Echo, answers are made up"
    if member.source == "local":
        return "Runs here"
    if member.backend.kind == _HUGGINGFACE:
        return "Via Hugging Face"
    return f"{'Via' if member.backend.tier is Tier.CLOUD else 'On'} {member.name}"


def _where(tier: str) -> Literal["local", "peer", "team", "cloud"]:
    match tier:
        case "local" | "peer" | "team":
            return tier
        case _:
            return "cloud"


def _hosts(model: HubModel, task: str) -> list[str]:
    """Return the providers that do `task` with the model now."""
    return [
        provider.name
        for provider in model.providers
        if provider.task == task or (provider.task == "conversational" and task in _BY_CHAT)
    ]


def _lists(member: Member, task: str) -> bool:
    return task in member.capabilities.listed_tasks


def _has_answered(member: Member) -> bool:
    """Whether what it offers is its own word, not only what is expected of its kind."""
    return member.capabilities is not member.backend.assumed


def _is_silent_about(member: Member, task: str) -> bool:
    """Whether a node answers, does the task, and never says with which models."""
    return not member.error and _has_answered(member) and not _lists(member, task)


def _place(member: Member, reason: str) -> Placement:
    return Placement(
        backend=member.name,
        source=member.source,
        tier=member.backend.tier.label,
        usable=not member.error,
        reason=reason,
    )


def _row(
    model: Model, tasks: tuple[str, ...], places: tuple[Placement, ...], verdict: Verdict
) -> Row:
    detail = model.detail
    if not detail:
        return Row(id=model.id, tasks=tasks, aliases=model.aliases, places=places, verdict=verdict)
    gated = detail.get("gated")
    trending = detail.get("trendingScore")
    return Row(
        id=model.id,
        tasks=tasks,
        aliases=model.aliases,
        detail=detail,
        places=places,
        likes=_count(detail.get("likes")),
        downloads=_count(detail.get("downloads")),
        trending_score=trending if isinstance(trending, int | float) else None,
        gated=str(gated).lower() if gated else "false",
        size_bytes=_count(detail.get("size_bytes")),
        parameters=_count(detail.get("parameters")),
        library=library if isinstance(library := detail.get("library"), str) else None,
        verdict=verdict,
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None
