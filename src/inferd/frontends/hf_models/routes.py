"""The URLs that huggingface_hub and @huggingface/inference are pointed at."""

from starlette.routing import Route

from inferd.core.tasks import check_name
from inferd.frontends._http.context import Context, Frontend
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.hf_models.address import Address, below_models, model_id
from inferd.frontends.hf_models.description import MODELS, PIPELINE
from inferd.frontends.hf_models.inference import infer
from inferd.frontends.hf_models.status import show
from inferd.wire.hf_client_results import encode_error


def frontends(context: Context) -> list[Frontend]:
    """Return these URLs, and the same below `/hf-inference`, as the Hub's router has them."""
    return [
        _frontend("/models/", [_models(context, "/models")], MODELS),
        _frontend("/pipeline/", _pipelines(context, "/pipeline"), PIPELINE),
        _frontend(
            "/hf-inference/",
            [
                _models(context, "/hf-inference/models"),
                *_pipelines(context, "/hf-inference/pipeline"),
            ],
            {},
        ),
    ]


def _frontend(prefix: str, routes: list[Route], paths: dict[str, object]) -> Frontend:
    return Frontend(routes=routes, paths=paths, prefix=prefix, encode_error=encode_error)


def _models(context: Context, path: str) -> Route:
    return resource(context, path + "/{path:path}", {"POST": _at_model, "GET": _shown})


def _pipelines(context: Context, path: str) -> list[Route]:
    return [
        resource(context, path + "/{task}", {"POST": _at_task}),
        resource(context, path + "/{task}/{model:path}", {"POST": _at_task}),
    ]


async def _at_model(exchange: Exchange) -> None:
    await infer(exchange, below_models(exchange.parameters["path"]))


async def _shown(exchange: Exchange) -> None:
    await show(exchange, exchange.parameters["path"])


async def _at_task(exchange: Exchange) -> None:
    task = check_name("the task", exchange.parameters["task"])
    model = model_id(exchange.parameters.get("model", "").removesuffix("/"))
    await infer(exchange, Address(model=model, task=task))
