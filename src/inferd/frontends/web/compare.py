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

_LOST = "Can’t run here now"
_NOBODY = "No place here has it."


class Choice(msgspec.Struct, frozen=True):
    """A model, at a place of its own or (empty) wherever the node sends it.

    `place` is what people call the backend; `reason` says why it can't run now, if it can't.
    """

    value: str
    model: str
    backend: str
    label: str
    where: str
    place: str = ""
    reason: str = ""


async def show_compare(exchange: Exchange) -> None:
    """Show what can be compared, and what was chosen."""
    gateway = exchange.context.gateway
    try:
        gateway.authorize(exchange.principal, Action.INFER)
        tasks = [task for task in gateway.tasks(exchange.principal) if task.runnable]
    except PermissionDenied as refused:
        await _show(exchange, 403, ("You may not run models here", refused.hint))
        return
    if not tasks:
        await _show(exchange, 200, ("Nothing here can run a model yet", "Add a place to run it."))
        return
    try:
        task = _asked(exchange.query.get("task", ""), tasks)
    except UnsupportedTask as unknown:
        await _show(exchange, 404, (unknown.message, unknown.hint), tasks)
        return
    rows = gateway.models(exchange.principal, task=task)
    here = exchange.context.name or "here"
    choices = [choice for row in rows for choice in _choices(row, here)]
    chosen = _chosen(exchange.query.getlist("model"), choices, {row.id: row for row in rows}, here)
    await _show(exchange, 200, ("", ""), tasks, task, choices, chosen)


async def _show(
    exchange: Exchange,
    status: int,
    told: tuple[str, str] = ("", ""),
    tasks: Sequence[TaskCount] = (),
    task: str = "",
    choices: Sequence[Choice] = (),
    chosen: Sequence[Choice] = (),
) -> None:
    problem, why = told
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
        "choices": msgspec.to_builtins(
            [*choices, *(each for each in chosen if each not in choices)]
        ),
        "chosen": [choice.value for choice in chosen],
        "most": MOST,
    }


def _asked(name: str, tasks: Sequence[TaskCount]) -> str:
    """Return the task that the address names; without one, the first that streams, or the first."""
    if name:
        return task_named(name).name
    return next((task.name for task in tasks if task_named(task.name).streams), tasks[0].name)


def _choices(row: Row, here: str) -> Sequence[Choice]:
    """Return the ways to run a model: wherever, and each place where there are several."""
    places = [place for place in row.places if place.usable]
    if not places:
        return ()
    found = [Choice(row.id, row.id, "", row.verdict.label, row.verdict.where)]
    if len(places) > 1:
        found += [
            Choice(
                f"{row.id}@{place.backend}",
                row.id,
                place.backend,
                place.backend,
                place.tier,
                place=_called(place.backend, here),
            )
            for place in places
        ]
    return found


def _called(backend: str, here: str) -> str:
    """Return what people call a place: this node's own engine goes by the node's name."""
    return here if backend == "local" else backend


def _chosen(
    asked: Sequence[str], choices: Sequence[Choice], rows: Mapping[str, Row], here: str
) -> list[Choice]:
    """Return what the address names, each once, or why it can't run; else the first two models."""
    names = list(dict.fromkeys(name for name in map(_plain, asked) if name))
    if not names:
        return [choice for choice in choices if not choice.backend][:2]
    known = {choice.value: choice for choice in choices}
    return [known.get(name) or _unlisted(name, rows, here) for name in names[:MOST]]


def _unlisted(name: str, rows: Mapping[str, Row], here: str) -> Choice:
    """Return a choice that isn't offered: a model's only place by its name, or one that is lost."""
    if row := rows.get(name):
        return Choice(name, name, "", _LOST, "no", reason=row.verdict.reason or _NOBODY)
    model, _, backend = name.rpartition("@")
    row = rows.get(model)
    if row is None:
        return Choice(name, name, "", _LOST, "no", reason=_NOBODY)
    called = _called(backend, here)
    place = next((each for each in row.places if each.backend == backend), None)
    if place and place.usable:
        return Choice(name, model, backend, backend, place.tier, place=called)
    reason = (place.reason if place else "") or f"{called} doesn’t offer it now."
    reason = reason if called in reason else f"{called}: {reason}"
    return Choice(name, model, backend, _LOST, "no", place=called, reason=reason)


def _plain(name: str) -> str:
    try:
        return check_name("model", name)
    except InvalidRequest:
        return ""
