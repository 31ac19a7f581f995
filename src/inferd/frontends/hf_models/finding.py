"""Which task is meant, where neither the URL nor the query names one."""

from inferd.core.errors import InvalidRequest, ModelNotFound, PermissionDenied
from inferd.core.tasks import TASKS, Task
from inferd.frontends._http.exchange import Exchange
from inferd.wire.hf_client_requests import Asked, Sent, fitting, nearest

_MOST_LISTED = 40
_EMBEDDER, _VECTORS = "sentence-similarity", "feature-extraction"


def find_task(exchange: Exchange, model: str, came: Asked | Sent) -> Task:
    """Return the task that `model` does with what came.

    Raises:
        ModelNotFound: Nobody lists the model, and nobody would try it unlisted.
        PermissionDenied: Who lists it doesn't for this caller.
        InvalidRequest: Several tasks would do, or none; `details["tasks"]` lists those to choose.
    """
    found = exchange.context.gateway.doable(exchange.principal, model)
    # What takes unlisted models is tried with one that nobody lists, or with none.
    listed = found.listed | found.unlisted if not model else found.listed or found.unlisted
    candidates = listed & TASKS.keys()
    if not candidates:
        if found.is_hidden:
            raise PermissionDenied(
                f"you may not use {model or 'any model'} here",
                hint="ask the node's owner for a rule",
            )
        raise ModelNotFound(
            f"nobody here serves {model}",
            hint="GET /models?task=<task>&include_remote=true lists the models of a task",
        )
    if len(candidates) == 1:
        # Reading it as that task says what is wrong with it, if anything is.
        return TASKS[next(iter(candidates))]
    fit = fitting(candidates, came, exchange.headers.get("accept", ""))
    if model and len(fit) > 1:
        fit = [name for name in fit if name in found.tags] or fit
    if _EMBEDDER in candidates and not any(TASKS[name].streams for name in fit):
        # A model of sentences answers a text with its vector, whatever else it can do.
        fit = [name for name in fit if name == _VECTORS] or fit
    if len(fit) == 1:
        return TASKS[fit[0]]
    if not fit:
        # Reading it as the task that is nearest says what is wrong with it.
        near = nearest(candidates, came) if isinstance(came, Asked) else ""
        if near:
            return TASKS[near]
    raise _unclear(model, fit, sorted(candidates))


def _unclear(model: str, fit: list[str], candidates: list[str]) -> InvalidRequest:
    what = model or "the default model"
    url = f"/models/{model}/pipeline/<task>" if model else "/pipeline/<task>"
    tasks = (fit or candidates)[:_MOST_LISTED]
    named = ", ".join(tasks)
    if fit:
        message = f"{what} could do several tasks with this: {named}"
    else:
        message = f"{what} does none of its tasks with this: {named}"
    return InvalidRequest(
        message,
        hint=f"name the task: POST {url}, or add ?task=<task>",
        details={"param": "task", "tasks": tasks},
    )
