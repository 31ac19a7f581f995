"""`inferd models`: what can run where, and why it would or wouldn't."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
from cyclopts import Parameter

from inferd.cli import screen
from inferd.cli.client import Client, open_client
from inferd.cli.failure import did_you_mean
from inferd.cli.inputs import task_called
from inferd.cli.settings import SWITCH, WHERE, Where
from inferd.gateway.catalogue import Placement
from inferd.gateway.explanation import Explanation

_ASKED_OF_STRANGERS = ("text-generation",)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asked:
    """How --why is asked."""

    asker: Annotated[
        str,
        Parameter(
            name="--as",
            show_default=False,
            help="With --why: who asks, such as `secret:laptop`; you by default.",
        ),
    ] = ""
    within: Annotated[
        str,
        Parameter(
            show_default=False,
            help="With --why: how far it may travel: `local`, `peer`, `team`, `cloud`, or a list.",
        ),
    ] = ""
    strategy: Annotated[
        str,
        Parameter(
            show_default=False,
            help="With --why: the order among equals; the node's own by default.",
        ),
    ] = ""

    backend: Annotated[
        str,
        Parameter(show_default=False, help="With --why: the only backend that may answer."),
    ] = ""

    def question(self, task: str, model: str) -> Mapping[str, str]:
        """Return what the node is asked."""
        return {
            "task": task,
            "model": model,
            "asked_by": self.asker,
            "tier": self.within,
            "strategy": self.strategy,
            "backend": self.backend,
        }


NOT_ASKED = Asked()


class Model(msgspec.Struct):
    """A model as `GET /models?task=` tells of it."""

    id: str
    tasks: list[str]
    runs: list[Placement]
    stands_for: list[str] = []


class Known(msgspec.Struct):
    """A model as `GET /v1/models` tells of it."""

    id: str
    tasks: list[str] = []
    aliases: list[str] = []


class _KnownList(msgspec.Struct):
    data: list[Known]


def models(
    *,
    task: Annotated[str, Parameter(name=["--task", "-t"], show_default=False)] = "",
    remote: Annotated[bool, Parameter(show_default=False)] = True,
    why: Annotated[str | None, Parameter(show_default=False)] = None,
    asked: Asked = NOT_ASKED,
    json: Annotated[bool, SWITCH] = False,
    where: Where = WHERE,
) -> None:
    """List the models that you may use and where each of them runs.

    Args:
        task: Only models for this task.
        remote: Whether to list what runs elsewhere too.
        why: A model, or `''` for the task's usual one: show each backend and why it would be asked
            or not.
        asked: How the question is put.
        json: Print JSON.
        where: Which node.
    """
    if task:
        task = task_called(task).name
    if why is not None:
        asyncio.run(_why(why, task, asked, json, where))
    else:
        asyncio.run(_list(task, remote, json, where))


async def _list(task: str, remote: bool, json: bool, where: Where) -> None:
    async with open_client(where) as client:
        with screen.working(f"Asking {client.name} …", quiet=json):
            tasks = [task] if task else _tasks_of(await _known(client))
            found = await _rows(client, tasks, remote)
    if json:
        screen.write_json(found)
        return
    from rich.text import Text

    from inferd.cli.render import grid

    table = grid("model", "tasks", "runs")
    for model in found:
        places = "; ".join(_placed(place) for place in model.runs)
        tasks_shown = "\n".join(model.tasks)
        name = "\n".join((model.id, *(f"  or {each}" for each in model.stands_for)))
        name = name.replace("  or ", "  is ", 1)
        table.add_row(*(Text(screen.printable(text)) for text in (name, tasks_shown, places)))
    screen.show(table)
    if not found:
        screen.note(f"no model here does {task}" if task else "no model runs here")


async def _rows(client: Client, tasks: Iterable[str], remote: bool) -> list[Model]:
    """Merge the lists of several tasks: the node tells of places a task at a time."""
    found: dict[str, Model] = {}
    for task in tasks:
        said = "true" if remote else "false"
        listed = await client.get(
            "/models", list[Model], task=task, include_remote=said, include_hub="false"
        )
        for model in listed:
            known = found.setdefault(model.id, model)
            known.tasks = sorted({*known.tasks, *model.tasks})
            backends = {place.backend for place in known.runs}
            known.runs += [place for place in model.runs if place.backend not in backends]
    return list(found.values())


async def _known(client: Client) -> list[Known]:
    return (await client.get("/v1/models", _KnownList)).data


def _tasks_of(known: Iterable[Known]) -> list[str]:
    return sorted({task for model in known for task in model.tasks})


def _placed(place: Placement) -> str:
    where = "here" if place.source == "local" else f"at {place.backend} ({place.tier})"
    return where if place.usable else f"{where}, not now: {place.reason}"


async def _why(name: str, task: str, asked: Asked, json: bool, where: Where) -> None:
    async with open_client(where) as client:
        known = await _known(client)
        model = next((each for each in known if name in (each.id, *each.aliases)), None)
        tasks = [task] if task else model.tasks if model else _ASKED_OF_STRANGERS
        found = [
            await client.post("/admin/explain", asked.question(each, name), Explanation)
            for each in tasks
        ]
    if json:
        screen.write_json(found)
        return
    _show_reasons(found)
    if model is None and name:
        names = [each.id for each in known]
        names += [alias for each in known for alias in each.aliases]
        screen.note(did_you_mean(name, names, f"no backend lists a model called {name}"))


def _show_reasons(found: Iterable[Explanation]) -> None:
    """Print one table for all the tasks that have the same story."""
    from rich.text import Text

    from inferd.cli.render import grid

    stories: dict[object, list[Explanation]] = {}
    for each in found:
        plain = tuple(
            (one.backend, one.order, _without(one.reason, each.task)) for one in each.candidates
        )
        stories.setdefault(plain, []).append(each)
    for same in stories.values():
        tasks = ", ".join(each.task for each in same)
        screen.show(Text(f"{same[0].model or 'any model'} for {tasks}", "bold"))
        table = grid("", "backend", "kind", "tier", "reason")
        for one in same[0].candidates:
            place = Text(f"{one.order}." if one.order else "-", "green" if one.order else "red")
            cells = (one.backend, one.kind, one.tier, one.reason)
            table.add_row(place, *(Text(screen.printable(cell)) for cell in cells))
        screen.show(table)
        for words in (*_meant(same[0]), *_decision(same[0])):
            screen.show(Text(screen.printable(words), "dim"))
        if same[0].error:
            screen.show(Text(f"nobody would answer: {screen.printable(same[0].error)}", "red"))


def _meant(found: Explanation) -> Iterable[str]:
    """Yield what a name stands for that only a route gives."""
    models = dict.fromkeys(one.model for one in found.candidates if one.order)
    if found.route and found.model and models and found.model not in models:
        yield f"{found.model} is a route's name: it stands for {', or else '.join(models)}."


def _decision(found: Explanation) -> Iterable[str]:
    """Yield what put the first one first, and who lets the caller in."""
    if not found.decided:
        return
    first = found.candidates[0].backend
    route = f" (route {found.route.removeprefix('route ')})" if found.route else ""
    yield f"{first} is asked first: {found.decided}{route}."
    yield f"{found.principal}: {found.rule}."


def _without(reason: str, task: str) -> str:
    return reason.replace(task, "…")
