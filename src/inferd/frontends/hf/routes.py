"""The Hugging Face task API: one form for every task."""

from starlette.routing import Route

from inferd.core.request import Action, InferenceRequest
from inferd.core.tasks import check_name, form, task_named
from inferd.frontends._http.auth import is_known
from inferd.frontends._http.context import Context, Frontend
from inferd.frontends._http.directions import directions, place_of
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.native import NativeRoute
from inferd.frontends.hf.description import paths, schemas
from inferd.frontends.hf.inference import infer
from inferd.frontends.hf.listing import models
from inferd.wire.hf_tasks import encode_error

_BODIES = ("application/json", "multipart/form-data")


def frontend(context: Context) -> Frontend:
    """Return this API; errors anywhere but under another's prefix are told in its shape."""
    return Frontend(
        routes=routes(context),
        paths=paths(),
        schemas=schemas(),
        prefix="/",
        encode_error=encode_error,
    )


def routes(context: Context) -> list[Route]:
    """Return this frontend's routes, bound to the node."""
    return [
        resource(context, "/inference", {"POST": infer, "HEAD": source}),
        resource(context, "/models", {"GET": models}),
        resource(context, "/run", {"GET": run}),
        resource(context, "/healthz", {"GET": healthz}, is_open=True),
    ]


def native() -> list[NativeRoute]:
    """Return what is served on connections of our own."""
    return [NativeRoute(method="POST", path="/inference", answer=infer, types=_BODIES)]


async def source(exchange: Exchange) -> None:
    """Say where a request would go now; a warning says why nobody would answer it."""
    gateway = exchange.context.gateway
    gateway.authorize(exchange.principal, Action.INFER)
    asked = directions(exchange.headers, exchange.context.clock)
    if text := exchange.query.get("use_remote"):
        asked["place"] = place_of(text, "use_remote")
    request = InferenceRequest(
        id=exchange.request_id,
        task=task_named(exchange.query.get("task", "text-generation")).name,
        model=check_name("model_id", exchange.query.get("model_id", "")),
        **asked,
    )
    explanation = gateway.explain(request, exchange.principal)
    headers = [("X-Inference-Source", explanation.source)]
    if explanation.error:
        headers.append(("X-Inference-Warning", explanation.error))
    elif explanation.candidates:
        headers.append(("X-Inference-Backend", explanation.candidates[0].backend))
    await exchange.reply(b"", headers=headers)


async def run(exchange: Exchange) -> None:
    """Describe a task's form."""
    exchange.context.gateway.authorize(exchange.principal, Action.LIST)
    name = exchange.query.get("task")
    if not name:
        raise HttpRefusal(
            422, "task is missing", hint="GET /run?task=<task>", details={"param": "task"}
        )
    await exchange.reply_json({"task": name, "schema": form(name)})


async def healthz(exchange: Exchange) -> None:
    """Say that the process serves; which one it is only to those it knows."""
    context = exchange.context
    health = {"status": "ok", "device": context.device}
    if is_known(exchange):
        health |= {
            "node": context.gateway.node,
            "name": context.name,
            "version": context.version,
        }
    await exchange.reply_json(health)
