"""What can be read: the models, the tasks, and how the node stands."""

from collections.abc import Callable, Sequence
from urllib.parse import unquote

import msgspec

from inferd.core.request import Principal
from inferd.frontends._http.context import Context

MOST_MODELS = 1000
_MODELS = "inferd://models"
_BACKENDS = "inferd://backends/"


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """Something to read, always JSON. `is_template` where its URI has a part to fill in."""

    uri: str
    name: str
    title: str
    description: str
    is_template: bool = False


RESOURCES: Sequence[Resource] = (
    Resource(
        uri=_MODELS,
        name="models",
        title="Models",
        description=f"The models and where each runs; {MOST_MODELS} at most.",
    ),
    Resource(
        uri="inferd://tasks",
        name="tasks",
        title="Tasks",
        description="The tasks, and how many models each has.",
    ),
    Resource(
        uri="inferd://status",
        name="status",
        title="Status",
        description="How the node's backends stand.",
    ),
    Resource(
        uri=_MODELS + "/{+id}",
        name="model",
        title="One model",
        description="A model, where it runs, and why not where it doesn't.",
        is_template=True,
    ),
    Resource(
        uri=_BACKENDS + "{name}",
        name="backend",
        title="One backend",
        description="A backend: its models, how it fares, and what happens to it next.",
        is_template=True,
    ),
)


def read(context: Context, principal: Principal, uri: str) -> bytes | None:
    """Return what is at `uri`, as JSON, or None where there is nothing for this principal.

    Raises:
        PermissionDenied: It may list nothing at all.
    """
    if uri.startswith(_MODELS + "/"):
        name = unquote(uri.removeprefix(_MODELS + "/"))
        rows = context.gateway.models(principal)
        found = next((row for row in rows if row.id == name or name in row.aliases), None)
        return None if found is None else msgspec.json.encode(found)
    if uri.startswith(_BACKENDS):
        wanted = unquote(uri.removeprefix(_BACKENDS))
        report = context.gateway.report(principal)
        row = next((row for row in report.backends if row.name == wanted), None)
        return None if row is None else msgspec.json.encode(row)
    make = _WHOLE.get(uri)
    return None if make is None else msgspec.json.encode(make(context, principal))


def _models(context: Context, principal: Principal) -> object:
    rows = context.gateway.models(principal)
    return {"models": rows[:MOST_MODELS], "total": len(rows)}


def _tasks(context: Context, principal: Principal) -> object:
    return {"tasks": context.gateway.tasks(principal)}


def _status(context: Context, principal: Principal) -> object:
    return context.gateway.report(principal)


_WHOLE: dict[str, Callable[[Context, Principal], object]] = {
    _MODELS: _models,
    "inferd://tasks": _tasks,
    "inferd://status": _status,
}
