"""Streams on the HF task wire: the events of text-generation-inference."""

import base64
from collections.abc import Mapping

from inferd.core.errors import BackendFailed, NodeError
from inferd.core.result import (
    Chunk,
    Embeddings,
    Finish,
    FinishReason,
    Media,
    TextDelta,
    Texts,
    ToolCallDelta,
    Usage,
    Value,
)
from inferd.wire import json, sse, vectors
from inferd.wire.failures import Told, node_failure
from inferd.wire.hf_errors import encode_error

_REASONS = {
    FinishReason.STOP: "eos_token",
    FinishReason.LENGTH: "length",
    FinishReason.TOOL_CALLS: "tool_calls",
    FinishReason.CONTENT_FILTER: "content_filter",
}
_READ = {name: reason for reason, name in _REASONS.items()}


def details_of(finish: Finish) -> dict[str, object]:
    """Return how a text ended, as TGI tells it."""
    return {
        "finish_reason": _REASONS[finish.reason],
        "generated_tokens": finish.usage.output_tokens,
        "input_length": finish.usage.input_tokens,
        "seed": None,
    }


class StreamEncoder:
    """Writes chunks as events; the last one repeats the whole text."""

    end = b""
    """Nothing follows the last chunk."""

    def __init__(self) -> None:
        self._texts = Texts()
        self._index = 0

    def encode(self, chunk: Chunk) -> bytes:
        """Return the event of a chunk."""
        match chunk:
            case TextDelta(text):
                self._texts.add(text)
                return self._token(text)
            case Finish():
                return self._last(chunk)
            case ToolCallDelta():
                return _event({"tool_call": chunk})
            case Value(value):
                return _event({"result": value})
            case Embeddings():
                return _event({"embedding": vectors.rows_of(chunk)})
            case Media(data=data, content_type=content_type, name=name):
                media = {
                    "content_type": content_type,
                    "name": name,
                    "base64": base64.b64encode(data).decode(),
                }
                return _event({"media": media})
            case bytes():
                return chunk

    def error(self, error: NodeError, request_id: str = "") -> bytes:
        """Return the event of a failure; nothing follows it."""
        return _event({**encode_error(error, request_id), "error_type": error.kind.value})

    def _token(self, text: str) -> bytes:
        self._index += 1
        return _event(
            {
                "index": self._index,
                "token": {"id": 0, "text": text, "logprob": None, "special": False},
                "generated_text": None,
                "details": None,
            }
        )

    def _last(self, finish: Finish) -> bytes:
        return _event(
            {
                "index": self._index + 1,
                "token": {"id": 0, "text": "", "logprob": None, "special": True},
                "generated_text": str(self._texts),
                "details": details_of(finish),
            }
        )


class StreamDecoder:
    """Fed the data of an upstream's events, gives typed chunks and exactly one Finish.

    After the upstream's last byte, `end` says whether it broke off.
    """

    def __init__(self, told: Told = node_failure) -> None:
        self._told = told
        self.malformed = 0
        """How many events were skipped because they weren't what this wire says."""
        self.unreadable = 0
        """How many of them were no JSON."""
        self.finished = False
        """Whether the Finish was given."""
        self._has_text = False

    def feed(self, data: str | bytes) -> list[Chunk]:
        """Return the chunks of one event.

        Raises:
            NodeError: The event is the upstream's error.
        """
        text = data.decode(errors="replace") if isinstance(data, bytes) else data
        if self.finished or not text.strip() or text.strip() == "[DONE]":
            return []
        document = json.attempt(text)
        if not isinstance(document, dict):
            self.malformed += 1
            self.unreadable += 1
            return []
        if document.get("error"):
            raise self._told(500, text.encode(errors="replace"))
        return self._chunks(document)

    @property
    def is_due(self) -> bool:
        """Whether only its Finish is missing: on this wire that comes with the last event."""
        return self.finished

    def end(self) -> list[Chunk]:
        """Check that the upstream said it was done.

        Raises:
            BackendFailed: It broke off.
        """
        if not self.finished:
            raise BackendFailed("the upstream broke off before the end of its answer")
        return []

    def _chunks(self, document: Mapping[str, object]) -> list[Chunk]:
        chunks = _others(document)
        token = document.get("token")
        whole = document.get("generated_text")
        if isinstance(token, dict):
            text = token.get("text")
            if isinstance(text, str) and text and token.get("special") is not True:
                self._has_text = True
                chunks.append(TextDelta(text))
        elif not chunks and not isinstance(whole, str):
            self.malformed += 1
        if isinstance(whole, str):
            if whole and not self._has_text:
                chunks.append(TextDelta(whole))
            self.finished = True
            chunks.append(_finish(json.object_of(document.get("details"))))
        return chunks


def _others(document: Mapping[str, object]) -> list[Chunk]:
    """Read the events that only our nodes send."""
    chunks: list[Chunk] = []
    if "result" in document:
        chunks.append(Value(document["result"]))
    if isinstance(rows := document.get("embedding"), list):
        chunks.append(vectors.pack(rows))
    if isinstance(call := document.get("tool_call"), dict):
        chunks.append(_tool_call(call))
    if isinstance(media := document.get("media"), dict):
        chunks.append(_media(media))
    return chunks


def _tool_call(call: Mapping[str, object]) -> ToolCallDelta:
    texts = [call.get(name) for name in ("id", "name", "arguments")]
    own_id, name, arguments = [text if isinstance(text, str) else "" for text in texts]
    return ToolCallDelta(
        index=json.count_of(call.get("index")), id=own_id, name=name, arguments=arguments
    )


def _media(media: Mapping[str, object]) -> Media:
    texts = [media.get(key) for key in ("base64", "content_type", "name")]
    packed, content_type, name = [text if isinstance(text, str) else "" for text in texts]
    try:
        data = base64.b64decode(packed, validate=True)
    except ValueError as error:
        raise BackendFailed("the upstream's file isn't base64") from error
    return Media(data=data, content_type=content_type, name=name)


def _finish(details: Mapping[str, object]) -> Finish:
    reason = details.get("finish_reason")
    return Finish(
        reason=_READ.get(reason, FinishReason.STOP)
        if isinstance(reason, str)
        else FinishReason.STOP,
        usage=Usage(
            input_tokens=json.count_of(details.get("input_length")),
            output_tokens=json.count_of(details.get("generated_tokens")),
        ),
    )


def _event(document: Mapping[str, object]) -> bytes:
    return sse.encode(json.encode(document))
