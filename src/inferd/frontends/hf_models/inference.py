"""POST to a model's URL: in as these clients ask, out as they read."""

from inferd.core.request import InferenceRequest
from inferd.core.result import Result
from inferd.core.tasks import Task, task_named
from inferd.frontends._http.bodies import json_body, take_apart
from inferd.frontends._http.chat_voice import ChatVoice
from inferd.frontends._http.directions import directions
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.relay import Whole, relay
from inferd.frontends.hf_models.address import Address, Way
from inferd.frontends.hf_models.bodies import Begun, read_body
from inferd.frontends.hf_models.finding import find_task
from inferd.wire import (
    hf_client_requests,
    hf_client_results,
    openai_chat,
    openai_completions,
    openai_raw,
    usage_header,
)

_JAVASCRIPT = "@huggingface/inference/"


async def infer(exchange: Exchange, address: Address) -> None:
    """Answer one request."""
    match address.way:
        case Way.CHAT:
            await _chat(exchange, address.model)
        case Way.COMPLETIONS:
            await _completion(exchange, address.model)
        case Way.TASK:
            await _task(exchange, address)


async def _task(exchange: Exchange, address: Address) -> None:
    named = address.task or exchange.query.get("task", "")
    task = task_named(named) if named else None
    body = await read_body(exchange)
    if isinstance(body, Begun):
        await _file(exchange, address.model, task, body)
        return
    asked = directions(exchange.headers, exchange.context.clock)
    came = await take_apart(body, lambda: hf_client_requests.decode(body))
    found = task or find_task(exchange, address.model, came)
    request = await take_apart(
        body,
        lambda: hf_client_requests.decode_request(
            found, came, id=exchange.request_id, model=address.model, **asked
        ),
    )
    await relay(exchange, request, _Answer(exchange, request, details=came.details))


async def _file(exchange: Exchange, model: str, task: Task | None, body: Begun) -> None:
    asked = directions(exchange.headers, exchange.context.clock)
    came = hf_client_requests.Sent(content_type=body.content_type)
    task = task or find_task(exchange, model, came)
    async with body.open(task.files[0].name if task.files else "") as file:
        request = hf_client_requests.file_request(
            task, file, id=exchange.request_id, model=model, **asked
        )
        await relay(exchange, request, _Answer(exchange, request))


async def _chat(exchange: Exchange, model: str) -> None:
    asked = directions(exchange.headers, exchange.context.clock)
    sent = await json_body(exchange)

    def read() -> InferenceRequest:
        body = openai_raw.with_model(sent, model)
        return openai_chat.decode_request(body, id=exchange.request_id, **asked)

    request = await take_apart(sent, read)
    await relay(exchange, request, ChatVoice(exchange, request))


async def _completion(exchange: Exchange, model: str) -> None:
    asked = directions(exchange.headers, exchange.context.clock)
    body = await json_body(exchange)
    request = await take_apart(
        body,
        lambda: openai_completions.decode_request(
            body, id=exchange.request_id, model=model, **asked
        ),
    )
    await relay(exchange, request, _Completion(exchange, request))


class _Answer:
    """An answer in the shape of Hugging Face's inference API, or as TGI streams it."""

    def __init__(
        self, exchange: Exchange, request: InferenceRequest, *, details: bool = False
    ) -> None:
        self._request = request
        self._details = details
        is_javascript = _JAVASCRIPT in exchange.headers.get("user-agent", "")
        self._bare = is_javascript and request.task == "image-to-text"

    def whole(self, result: Result) -> Whole:
        encoded = hf_client_results.encode_result(
            self._request, result, details=self._details, bare=self._bare
        )
        headers: list[tuple[str, str]] = []
        if encoded.filename:
            name = encoded.filename.replace("\\", "_").replace('"', "_")
            headers.append(("Content-Disposition", f'inline; filename="{name}"'))
        if usage := usage_header.encode_usage(result.usage):
            headers.append((usage_header.NAME, usage))
        return Whole(body=encoded.body, content_type=encoded.content_type, headers=headers)

    def events(self, model: str) -> hf_client_results.StreamEncoder:
        return hf_client_results.StreamEncoder()


class _Completion:
    """A completion of a text."""

    def __init__(self, exchange: Exchange, request: InferenceRequest) -> None:
        self._request = request
        self._id = f"cmpl-{exchange.request_id}"
        self._created = int(exchange.context.clock.wall())

    def whole(self, result: Result) -> Whole:
        model = result.finish.model or self._request.model
        return Whole(
            body=openai_completions.encode_result(
                result, id=self._id, model=model, created=self._created
            )
        )

    def events(self, model: str) -> openai_completions.StreamEncoder:
        return openai_completions.StreamEncoder(self._id, model, self._created)
