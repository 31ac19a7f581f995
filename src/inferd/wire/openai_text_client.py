"""OpenAI's completions of a text, the asking end."""

from collections.abc import Mapping

from inferd.core.errors import BackendFailed, InvalidRequest
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Finish, FinishReason, TextDelta, Usage
from inferd.wire import json, openai_chat
from inferd.wire.openai_usage import finish_reason_of, read_usage


def encode_request(request: InferenceRequest) -> bytes:
    """Write the body that asks an upstream to go on with a text; a stream asks for its usage.

    Raises:
        InvalidRequest: A parameter can't be written as JSON.
    """
    document: dict[str, object] = {
        "model": request.model,
        "prompt": f"{request.inputs.get('prompt', '')}{request.continued}",
        **named(request.parameters),
    }
    if request.stream:
        document["stream"] = True
        document["stream_options"] = {"include_usage": True}
    else:
        document.pop("stream_options", None)
    return json.encode(document)


def named(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return a text's parameters under the names that OpenAI's API has for them.

    Raises:
        InvalidRequest: Two of them contradict each other.
    """
    left = dict(parameters)
    left.pop("return_full_text", None)
    if (most := left.pop("max_new_tokens", None)) is not None:
        left["max_tokens"] = most
    samples = left.pop("do_sample", None)
    if samples is False:
        if left.get("temperature"):
            raise InvalidRequest(
                "do_sample=false and a temperature contradict each other",
                details={"param": "do_sample"},
            )
        left["temperature"] = 0
    return left


def decode_result(body: bytes) -> list[Chunk]:
    """Read a whole completion: its first choice, and a Finish.

    Raises:
        BackendFailed: It isn't a completion.
    """
    document = json.answer_object(body)
    choice = next(iter(json.list_of(document.get("choices"))), None)
    text = choice.get("text") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(text, str):
        raise BackendFailed("the upstream's answer has no text")
    finish = Finish(
        reason=finish_reason_of(choice.get("finish_reason")) or FinishReason.STOP,
        usage=read_usage(document.get("usage")) or Usage(),
        model=json.told_name(document.get("model")),
    )
    return [TextDelta(text), finish] if text else [finish]


class StreamDecoder(openai_chat.StreamDecoder):
    """A chat's stream, but for texts where that has deltas."""

    def _choice(self, choice: object) -> list[Chunk]:
        if isinstance(choice, dict) and isinstance(choice.get("text"), str):
            choice = {**choice, "delta": {"content": choice["text"]}}
        return super()._choice(choice)
