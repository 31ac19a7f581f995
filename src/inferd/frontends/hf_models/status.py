"""GET on a model's URL: what it does, and where it runs."""

from inferd.core.errors import BackendUnavailable, InvalidRequest, ModelNotFound
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.hf_models.address import model_id
from inferd.gateway.catalogue import Row

_HEALTH, _INFO = "/health", "/info"


async def show(exchange: Exchange, path: str) -> None:
    """Describe a model; `/info` after its URL asks the same, `/health` only whether it runs.

    Raises:
        InvalidRequest: The path names none.
        ModelNotFound: Nobody lists it.
        BackendUnavailable: Its health was asked for, and no place where it runs can be used.
    """
    path = path.removesuffix("/")
    if not path:
        raise InvalidRequest(
            "the URL names no model",
            hint="GET /models/<model> describes one, GET /models lists the tasks",
            details={"param": "model"},
        )
    row = _row(exchange, path)
    if row is None and path.endswith((_HEALTH, _INFO)):
        row = _row(exchange, path.rpartition("/")[0])
    if row is None:
        raise ModelNotFound(
            f"nobody here lists {model_id(path)}",
            hint="GET /models?task=<task>&include_remote=true lists the models of a task",
        )
    is_usable = any(place.usable for place in row.places)
    if path.endswith(_HEALTH) and not is_usable:
        raise BackendUnavailable(f"{row.id} can't run just now", hint=row.places[0].reason)
    await exchange.reply_json(
        {
            "id": row.id,
            "model_id": row.id,
            "aliases": row.aliases,
            "tasks": row.tasks,
            "pipeline_tag": row.detail.get("pipeline_tag") or row.tasks[0],
            "loaded": is_usable,
            "state": "Loaded" if is_usable else "Unavailable",
            "runs": row.places,
        }
    )


def _row(exchange: Exchange, name: str) -> Row | None:
    name = model_id(name)
    for row in exchange.context.gateway.models(exchange.principal):
        if name and (name == row.id or name in row.aliases):
            return row
    return None
