"""OpenAI's completions of a text: the older of its two ways to write, which base models still have.

A backend of the same wire has every field of it. Others continue one text, once.
"""

from collections.abc import Mapping

from inferd.core.errors import InvalidRequest, NodeError
from inferd.core.request import InferenceRequest, Raw
from inferd.core.result import Chunk, Finish, TextDelta
from inferd.core.tasks import check
from inferd.wire import continued, json, openai_peek, sse
from inferd.wire.context import Context, directed
from inferd.wire.openai_completions import encode_result
from inferd.wire.openai_errors import encode_error
from inferd.wire.openai_usage import encode_usage

__all__ = ["WIRE", "ChunkEncoder", "encode_error", "encode_result", "take_request"]

WIRE = "openai.completions"
"""The name of this wire in Raw and Answer."""

TASK = "text-generation"

_ONCE = ("n", "best_of")
_NOT_HERE = ("logprobs", "suffix")
_OWN = frozenset({"model", "stream", "stream_options", "echo", continued.FIELD, *_ONCE, *_NOT_HERE})
_NOT_OURS = ("parameters", "inputs", "text")
"""Names that the task has for other things."""


def take_request(body: bytes, asked: Context, *, id: str) -> InferenceRequest:  # noqa: A002
    """Peek at a caller's body, and leave the rest to who needs it.

    Raises:
        InvalidRequest: It isn't a JSON object, or a field that was looked at is wrong.
    """
    peek = openai_peek.peek(body)
    if peek is None:
        return _whole(body, id, asked)
    model, options = peek.model or "", peek.stream_options
    request = InferenceRequest(
        id=id,
        task=TASK,
        model=openai_peek.model_of(model),
        stream=peek.stream is True,
        raw=Raw(
            wire=WIRE,
            body=openai_peek.unambiguous(body, b'"prompt":', peek.prompt),
            model=model,
            has_routing=peek.has_routing(),
            most_tokens=peek.max_tokens,
            wants_usage=options is not None and options.include_usage is True,
            read=_read,
        ),
    )
    if peek.inferd_continued:
        request = continued.of(request, peek.inferd_continued)
    return directed(request, asked)


def _whole(body: bytes, id: str, asked: Context) -> InferenceRequest:  # noqa: A002
    document = json.request_object(body)
    model = openai_peek.model_of(json.text_of(document, "model"))
    stream = json.flag_of(document, "stream")
    text = continued.taken_from(document)
    inputs, parameters = _fields(document)
    options = json.object_of(document.get("stream_options"))
    return InferenceRequest(
        id=id,
        task=TASK,
        model=model,
        inputs=inputs,
        parameters=parameters,
        stream=stream,
        continued=text,
        raw=Raw(
            wire=WIRE,
            body=openai_peek.with_one_model(body),
            has_routing=openai_peek.has_routing(document),
            wants_usage=options.get("include_usage") is True,
        ),
        **asked,
    )


def _read(body: bytes) -> tuple[Mapping[str, object], Mapping[str, object]]:
    return _fields(json.request_object(body))


def _fields(document: Mapping[str, object]) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Return the inputs and the parameters, for a backend that continues one text."""
    for name in _ONCE:
        if document.get(name) not in (None, 1):
            raise _no(name, f"{name} must be 1: this model gives one continuation")
    for name in _NOT_HERE:
        if document.get(name) is not None:
            raise _no(name, f"{name} isn't something this model gives")
    echo = json.flag_of(document, "echo")
    payload = {name: value for name, value in document.items() if name not in _OWN}
    extra = {name: payload.pop(name) for name in _NOT_OURS if name in payload}
    inputs, parameters = check(TASK, payload | {"prompt": _text(document.get("prompt"))}, {})
    return inputs, parameters | extra | ({"return_full_text": True} if echo else {})


def _text(prompt: object) -> object:
    if isinstance(prompt, list):
        if len(prompt) == 1 and isinstance(prompt[0], str):
            return prompt[0]
        raise _no("prompt", "prompt must be one text for this model", "send a request for each")
    return prompt


def _no(param: str, message: str, hint: str = "leave it out, or ask another model") -> NodeError:
    return InvalidRequest(message, hint=hint, details={"param": param})


class ChunkEncoder:
    """Writes chunks as the events of one completion."""

    end = b"data: [DONE]\n\n"
    """What follows the last chunk, unless it ended in an error."""

    def __init__(self, id: str, model: str, created: int, *, include_usage: bool = False) -> None:  # noqa: A002
        self._head: dict[str, object] = {
            "id": id,
            "object": "text_completion",
            "created": created,
            "model": model,
        }
        self._include_usage = include_usage

    def encode(self, chunk: Chunk) -> bytes:
        """Return the event, or events, of a chunk; none, of what isn't text."""
        match chunk:
            case TextDelta(text):
                return self._event(text, None)
            case Finish(reason=reason, usage=usage):
                last = self._event("", reason.value)
                if not self._include_usage:
                    return last
                document = {**self._head, "choices": [], "usage": encode_usage(usage)}
                return last + sse.encode(json.encode(document))
            case bytes():
                return chunk
            case _:
                return b""

    def error(self, error: NodeError, request_id: str = "") -> bytes:
        """Return the event of a failure; nothing follows it."""
        return sse.encode(json.encode(encode_error(error, request_id)))

    def _event(self, text: str, reason: str | None) -> bytes:
        choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": reason}
        document = {**self._head, "choices": [choice]}
        if self._include_usage:
            document["usage"] = None
        return sse.encode(json.encode(document))
