"""Which task is meant, where neither the URL nor the query names one."""

from inferd.core.errors import InvalidRequest, ModelNotFound
from inferd.core.tasks import TASKS, Task
from inferd.frontends._http.exchange import Exchange
from inferd.wire.hf_client_requests import Asked, Sent, fitting, nearest

_MOST_LISTED = 40
_EMBEDDER, _VECTORS = "sentence-similarity", "feature-extraction"


def find_task(exchange: Exchange, model: str, came: Asked | Sent) -> Task:
    """Return the task that `model` does with what came.

    Raises:
        ModelNotFound: Nobody lists the model, and nobody would try it unlisted.
        InvalidRequest: Several tasks would do, or none; `details["tasks"]` lists those to choose.
    """
    tags, candidates = _tasks_of(exchange, model)
    if not candidates:
        raise ModelNotFound(
            f"nobody here serves {model}",
            hint="GET /models?task=<task>&include_remote=true lists the models of a task",
        )
    fit = fitting(candidates, came, exchange.headers.get("accept", ""))
    if len(fit) > 1:
        fit = [name for name in fit if name in tags] or fit
    if _EMBEDDER in candidates and not any(TASKS[name].streams for name in fit):
        # A model of sentences answers a text with its vector, whatever else it can do.
        fit = [name for name in fit if name == _VECTORS] or fit
    if len(fit) == 1:
        return TASKS[fit[0]]
    if not fit:
        # Reading it as the task that is nearest says what is wrong with it.
        near = next(iter(candidates)) if len(candidates) == 1 else ""
        if isinstance(came, Asked):
            near = near or nearest(candidates, came)
        if near:
            return TASKS[near]
    raise _unclear(model, fit, sorted(candidates))


def _tasks_of(exchange: Exchange, model: str) -> tuple[set[str], frozenset[str]]:
    """Return what the model is best at, and all it does; of one nobody lists, what may be tried."""
    tags: set[str] = set()
    listed: set[str] = set()
    unlisted: set[str] = set()
    for member in exchange.context.gateway.pool:
        unlisted |= {task for task in member.capabilities.open_tasks if member.does(task)}
        for offer in member.capabilities.models:
            if not model or model == offer.id or model in offer.aliases:
                listed |= {task for task in offer.tasks if member.does(task)}
                tags.add(str(offer.detail.get("pipeline_tag", "")))
    if not model:
        return set(), frozenset(listed | unlisted) & TASKS.keys()
    return tags, frozenset(listed or unlisted) & TASKS.keys()


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
