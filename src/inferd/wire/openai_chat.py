"""OpenAI's chat completions: what vLLM, llama.cpp, LM Studio, TGI and their clients speak."""

from collections.abc import Iterable, Mapping
from typing import Protocol, Unpack

from inferd.core.errors import BackendFailed, InvalidRequest
from inferd.core.request import InferenceRequest, Raw
from inferd.core.result import Chunk, Finish, FinishReason, Result, TextDelta, Usage
from inferd.core.tasks import check, encode_message
from inferd.wire import continued, json, openai_peek
from inferd.wire.context import Context, directed
from inferd.wire.openai_chat_stream import ChunkEncoder, StreamDecoder
from inferd.wire.openai_errors import encode_error
from inferd.wire.openai_message import Places, text_content, tool_calls
from inferd.wire.openai_usage import (
    encode_usage,
    finish_reason_of,
    is_complete,
    looks_like_answer,
    read_usage,
    usage_at_end,
    usage_of,
    usage_of_field,
)

__all__ = [
    "WIRE",
    "ChunkEncoder",
    "StreamDecoder",
    "decode_request",
    "decode_result",
    "encode_error",
    "encode_models",
    "encode_request",
    "encode_result",
    "is_complete",
    "looks_like_answer",
    "take_request",
    "usage_at_end",
    "usage_of",
    "usage_of_field",
    "wants_usage",
]

WIRE = "openai.chat"
"""The name of this wire in Raw and Answer."""

_OWN = frozenset({"model", "messages", "stream"})
_NOT_FIELDS = frozenset({"model", "stream", continued.FIELD})


class Offer(Protocol):
    """A row of the model list."""

    @property
    def id(self) -> str: ...
    @property
    def tasks(self) -> Iterable[str]: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...


def decode_request(body: bytes, *, id: str, **context: Unpack[Context]) -> InferenceRequest:  # noqa: A002
    """Read a caller's body; fields it doesn't know become parameters.

    Raises:
        InvalidRequest: A field is missing or wrong; `details["param"]` names it.
    """
    document = json.request_object(body)
    text = continued.taken_from(document)
    inputs, parameters = _fields(document)
    options = document.get("stream_options")
    return InferenceRequest(
        id=id,
        task="chat",
        continued=text,
        model=openai_peek.model_of(json.text_of(document, "model")),
        inputs=inputs,
        parameters=parameters,
        stream=json.flag_of(document, "stream"),
        raw=Raw(
            wire=WIRE,
            body=openai_peek.with_one_model(body),
            has_routing=openai_peek.has_routing(document),
            wants_usage=isinstance(options, dict) and options.get("include_usage") is True,
        ),
        **context,
    )


def take_request(body: bytes, asked: Context, *, id: str) -> InferenceRequest:  # noqa: A002
    """Peek at a caller's body, and leave the rest to who needs it.

    Raises:
        InvalidRequest: It isn't a JSON object, or a field that was looked at is wrong.
    """
    peek = openai_peek.peek(body)
    if peek is None:
        return decode_request(body, id=id, **asked)
    model, options = peek.model or "", peek.stream_options
    request = InferenceRequest(
        id=id,
        task="chat",
        model=openai_peek.model_of(model),
        stream=peek.stream is True,
        raw=Raw(
            wire=WIRE,
            body=openai_peek.unambiguous(body, b'"messages":', peek.messages),
            model=model,
            has_routing=peek.has_routing(),
            most_tokens=peek.max_completion_tokens or peek.max_tokens,
            wants_usage=options is not None and options.include_usage is True,
            read=_read,
        ),
    )
    if peek.inferd_continued:
        request = continued.of(request, peek.inferd_continued)
    return directed(request, asked)


def _read(body: bytes) -> tuple[Mapping[str, object], Mapping[str, object]]:
    return _fields(json.request_object(body))


def _fields(document: Mapping[str, object]) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Return the inputs and the parameters; fields that the task doesn't know are parameters."""
    if "messages" not in document:
        raise InvalidRequest("messages is missing", details={"param": "messages"})
    payload = {name: value for name, value in document.items() if name not in _NOT_FIELDS}
    # A field called `parameters` or `inputs` is some vendor's own here, not a group of fields.
    extra = {name: payload.pop(name) for name in ("parameters", "inputs") if name in payload}
    inputs, parameters = check("chat", payload, {})
    return inputs, parameters | extra


def encode_request(request: InferenceRequest) -> bytes:
    """Write the body that asks an upstream; a stream always asks for its usage.

    Raises:
        InvalidRequest: A parameter can't be written as JSON.
    """
    messages = request.inputs.get("messages")
    document: dict[str, object] = {
        "model": request.model,
        "messages": [
            encode_message(message) for message in messages
        ] if isinstance(messages, tuple | list) else [],
        **{name: value for name, value in request.parameters.items() if name not in _OWN},
    }  # fmt: skip
    if request.stream:
        document["stream"] = True
        document["stream_options"] = {"include_usage": True}
    else:
        document.pop("stream_options", None)
    return json.encode(document)


def wants_usage(request: InferenceRequest) -> bool:
    """Whether the caller asked for usage at the end of the stream."""
    return request.raw is not None and request.raw.wants_usage


def encode_result(result: Result, *, id: str, model: str, created: int) -> bytes:  # noqa: A002
    """Write a whole completion."""
    message: dict[str, object] = {"role": "assistant", "content": result.text}
    if result.tool_calls:
        message["content"] = result.text or None
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in result.tool_calls
        ]
    elif not result.text and result.value is not None:
        message["content"] = json.encode(result.value).decode()
    return json.encode(
        {
            "id": id,
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "logprobs": None,
                    "finish_reason": result.finish.reason.value,
                }
            ],
            "usage": encode_usage(result.usage),
        }
    )


def decode_result(body: bytes) -> list[Chunk]:
    """Read a whole completion: its first choice, and a Finish.

    Raises:
        BackendFailed: It isn't a completion.
    """
    document = json.answer_object(body)
    choices = document.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise BackendFailed("the upstream's answer has no message")
    chunks: list[Chunk] = []
    if text := text_content(message.get("content")):
        chunks.append(TextDelta(text))
    chunks.extend(map(Places().put, tool_calls(message.get("tool_calls"))))
    chunks.append(
        Finish(
            reason=finish_reason_of(choice.get("finish_reason")) or FinishReason.STOP,
            usage=read_usage(document.get("usage")) or Usage(),
            model=json.told_name(document.get("model")),
        )
    )
    return chunks


def encode_models(offers: Iterable[Offer], *, created: int = 0) -> bytes:
    """Write the list of models; `tasks` and `aliases` are ours."""
    return json.encode(
        {
            "object": "list",
            "data": [
                {
                    "id": offer.id,
                    "object": "model",
                    "created": created,
                    "owned_by": "inferd",
                    "tasks": sorted(offer.tasks),
                    "aliases": list(offer.aliases),
                }
                for offer in offers
            ],
        }
    )
