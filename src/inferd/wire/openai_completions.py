"""OpenAI's older completions, of one text: what @huggingface/inference asks to generate text."""

from collections.abc import Mapping
from typing import Unpack

from inferd.core.errors import InvalidRequest, NodeError
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Finish, Result, TextDelta, Texts
from inferd.core.tasks import check
from inferd.wire import hf_stream, json, sse
from inferd.wire.context import Context
from inferd.wire.hf_client_results import encode_error
from inferd.wire.openai_usage import encode_usage

_OURS = frozenset({"model", "stream", "stream_options", "options", "provider"})


def decode_request(
    body: bytes,
    *,
    id: str,  # noqa: A002
    model: str,
    **context: Unpack[Context],
) -> InferenceRequest:
    """Read a caller's body as a text-generation; fields it doesn't know become parameters.

    Raises:
        InvalidRequest: A field is missing or wrong; `details["param"]` names it.
    """
    document = json.request_object(body)
    prompt = document.get("prompt")
    if isinstance(prompt, list):
        if len(prompt) != 1:
            raise InvalidRequest(
                "prompt must be one text",
                hint="send a request for each",
                details={"param": "prompt"},
            )
        document["prompt"] = prompt[0]
    payload = {name: value for name, value in document.items() if name not in _OURS}
    inputs, parameters = check("text-generation", payload, {})
    return InferenceRequest(
        id=id,
        task="text-generation",
        model=model,
        inputs=inputs,
        parameters=parameters,
        stream=json.flag_of(document, "stream"),
        **context,
    )


def encode_result(result: Result, *, id: str, model: str, created: int) -> bytes:  # noqa: A002
    """Write a whole completion."""
    choice = _choice(result.text, result.finish.reason.value)
    head = _head(id, model, created)
    return json.encode({**head, "choices": [choice], "usage": encode_usage(result.usage)})


class StreamEncoder:
    """Writes events that are OpenAI's and TGI's in one.

    @huggingface/inference asks here, and takes what comes for TGI's events without a look.
    """

    end = b"data: [DONE]\n\n"
    """What follows the last chunk, unless it ended in an error."""

    def __init__(self, id: str, model: str, created: int) -> None:  # noqa: A002
        self._head = _head(id, model, created)
        self._texts = Texts()

    def encode(self, chunk: Chunk) -> bytes:
        """Return the event of a chunk; none, of what isn't text."""
        match chunk:
            case TextDelta(text):
                self._texts.add(text)
                return self._event(text, None)
            case Finish():
                return self._event("", chunk)
            case bytes():
                return chunk
            case _:
                return b""

    def error(self, error: NodeError, request_id: str = "") -> bytes:
        """Return the event of a failure; nothing follows it."""
        return sse.encode(json.encode(encode_error(error, request_id)))

    def _event(self, text: str, finish: Finish | None) -> bytes:
        token = {"id": 0, "text": text, "logprob": None, "special": finish is not None}
        document: dict[str, object] = {
            **self._head,
            "choices": [_choice(text, finish.reason.value if finish else None)],
            "index": len(self._texts) + (finish is not None),
            "token": token,
            "generated_text": str(self._texts) if finish else None,
            "details": hf_stream.details_of(finish) if finish else None,
        }
        if finish is not None:
            document["usage"] = encode_usage(finish.usage)
        return sse.encode(json.encode(document))


def _head(id: str, model: str, created: int) -> Mapping[str, object]:  # noqa: A002
    return {"id": id, "object": "text_completion", "created": created, "model": model}


def _choice(text: str, reason: str | None) -> dict[str, object]:
    return {"text": text, "index": 0, "logprobs": None, "finish_reason": reason}
