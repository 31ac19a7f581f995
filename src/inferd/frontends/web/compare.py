"""The page "Compare": one input, asked of several models side by side."""

from collections.abc import Mapping, Sequence

import msgspec

from inferd.core.errors import InvalidRequest, PermissionDenied, UnsupportedTask
from inferd.core.request import Action
from inferd.core.tasks import check_name, form, task_named
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web.shell import show
from inferd.gateway.browse import TaskCount
from inferd.gateway.catalogue import Row

MOST = 4
"""As many models fit beside each other, and as many run at once."""


class Choice(msgspec.Struct, frozen=True):
    """A model, at a place of its own or (empty) wherever the node sends it."""

    value: str
    model: str
    backend: str
    label: str
    where: str


async def show_compare(exchange: Exchange) -> None:
    """Show what can be compared, and what was chosen."""
    gateway = exchange.context.gateway
    try:
        gateway.authorize(exchange.principal, Action.INFER)
        tasks = [task for task in gateway.tasks(exchange.principal) if task.runnable]
    except PermissionDenied as refused:
        await _show(exchange, 403, "You may not run models here", refused.hint)
        return
    if not tasks:
        await _show(exchange, 200, "Nothing here can run a model yet", "Add a place to run it.")
        return
    try:
        task = _asked(exchange.query.get("task", ""), tasks)
    except UnsupportedTask as unknown:
        await _show(exchange, 404, unknown.message, unknown.hint, tasks)
        return
    rows = gateway.models(exchange.principal, task=task)
    choices = [choice for row in rows for choice in _choices(row)]
    await _show(exchange, 200, "", "", tasks, task, choices)


async def _show(
    exchange: Exchange,
    status: int,
    problem: str,
    why: str,
    tasks: Sequence[TaskCount] = (),
    task: str = "",
    choices: Sequence[Choice] = (),
) -> None:
    names = [name for name in map(_plain, exchange.query.getlist("model")) if name]
    chosen = _chosen(names, choices)
    known = {choice.value for choice in choices}
    label = task_named(task).label if task else ""
    await show(
        exchange,
        "compare.html",
        page="compare",
        title="Compare",
        status=status,
        problem=problem[:1].upper() + problem[1:],
        why=why[:1].upper() + why[1:],
        tasks=tasks,
        task=task,
        label=label,
        choices=choices,
        chosen=chosen,
        lost=[name for name in dict.fromkeys(names) if name not in known][:MOST] if task else [],
        most=MOST,
        data={"compare": _for_script(task, label, choices, chosen)} if task else {},
    )


def _for_script(
    task: str, label: str, choices: Sequence[Choice], chosen: Sequence[Choice]
) -> Mapping[str, object]:
    return {
        "task": task,
        "label": label,
        "schema": form(task),
        "choices": msgspec.to_builtins(choices),
        "chosen": [choice.value for choice in chosen],
        "most": MOST,
    }


def _asked(name: str, tasks: Sequence[TaskCount]) -> str:
    """Return the task that the address names; without one, the first that streams, or the first."""
    if name:
        return task_named(name).name
    return next((task.name for task in tasks if task_named(task.name).streams), tasks[0].name)


def _choices(row: Row) -> Sequence[Choice]:
    """Return the ways to run a model: wherever, and each place where there are several."""
    places = [place for place in row.places if place.usable]
    if not places:
        return ()
    found = [Choice(row.id, row.id, "", row.verdict.label, row.verdict.where)]
    if len(places) > 1:
        found += [
            Choice(f"{row.id}@{place.backend}", row.id, place.backend, place.backend, place.tier)
            for place in places
        ]
    return found


def _chosen(names: Sequence[str], choices: Sequence[Choice]) -> list[Choice]:
    """Return what the address names, each once, as far as it can run; else the first two models."""
    known = {choice.value: choice for choice in choices}
    found = [known[name] for name in dict.fromkeys(names) if name in known]
    if not names:
        found = [choice for choice in choices if not choice.backend][:2]
    return found[:MOST]


def _plain(name: str) -> str:
    try:
        return check_name("model", name)
    except InvalidRequest:
        return ""
