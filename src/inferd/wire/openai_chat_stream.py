"""OpenAI's chat completions as a stream: chunks to events, events to chunks."""

from collections.abc import Mapping

from inferd.core.errors import BackendFailed, NodeError
from inferd.core.result import (
    NO_USAGE,
    Chunk,
    Embeddings,
    Finish,
    FinishReason,
    Media,
    TextDelta,
    ToolCallDelta,
    Usage,
    Value,
)
from inferd.wire import json, sse
from inferd.wire.failures import Told, failure
from inferd.wire.openai_errors import encode_error
from inferd.wire.openai_message import Places, text_content, tool_calls
from inferd.wire.openai_usage import encode_usage, finish_reason_of, read_usage

DONE = "[DONE]"


class ChunkEncoder:
    """Writes chunks as the events of one completion."""

    end = b"data: [DONE]\n\n"
    """What follows the last chunk, unless it ended in an error."""

    def __init__(
        self,
        id: str,  # noqa: A002
        model: str,
        created: int,
        *,
        include_usage: bool = False,
        has_begun: bool = False,
    ) -> None:
        """`has_begun` is for the rest of a stream: it has said whose turn it is."""
        self._head: dict[str, object] = {
            "id": id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
        }
        self._include_usage = include_usage
        self._begun = has_begun

    def encode(self, chunk: Chunk) -> bytes:
        """Return the event, or events, of a chunk.

        Raises:
            BackendFailed: It is a vector or a file, which a conversation has no place for.
        """
        match chunk:
            case TextDelta(text):
                return self._event({"content": text})
            case ToolCallDelta():
                return self._event({"tool_calls": [_tool_call(chunk)]})
            case Value(value):
                return self._event({"content": json.encode(value).decode()})
            case Finish(reason=reason, usage=usage):
                last = self._event({}, reason.value)
                return last + self._usage(usage) if self._include_usage else last
            case bytes():
                return chunk
            case Embeddings() | Media():
                raise BackendFailed("the answer to a conversation is not text")

    def error(self, error: NodeError, request_id: str = "") -> bytes:
        """Return the event of a failure; nothing follows it."""
        return sse.encode(json.encode(encode_error(error, request_id)))

    def _event(self, delta: dict[str, object], finish_reason: str | None = None) -> bytes:
        if not self._begun:
            self._begun = True
            delta = {"role": "assistant", "content": None if "tool_calls" in delta else ""} | delta
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        document = {**self._head, "choices": [choice]}
        if self._include_usage:
            document["usage"] = None
        return sse.encode(json.encode(document))

    def _usage(self, usage: Usage) -> bytes:
        document = {**self._head, "choices": [], "usage": encode_usage(usage)}
        return sse.encode(json.encode(document))


class StreamDecoder:
    """Fed the data of an upstream's events, gives typed chunks and exactly one Finish.

    After the upstream's last byte, `end` gives what is still due, or says that it broke off.
    """

    def __init__(self, told: Told = failure) -> None:
        self._told = told
        self.malformed = 0
        """How many events were skipped because they weren't what this wire says."""
        self.unreadable = 0
        """How many of them were no JSON."""
        self.finished = False
        """Whether the Finish was given."""
        self._reason: FinishReason | None = None
        self._usage: Usage = NO_USAGE
        self._model = ""
        self._places = Places()

    def feed(self, data: str | bytes) -> list[Chunk]:
        """Return the chunks of one event.

        Raises:
            NodeError: The event is the upstream's error.
        """
        text = data.decode(errors="replace") if isinstance(data, bytes) else data
        if self.finished or not text.strip():
            return []
        if text.strip() == DONE:
            return self._finish(self._reason or FinishReason.STOP)
        document = json.attempt(text)
        if not isinstance(document, dict):
            self.malformed += 1
            self.unreadable += 1
            return []
        if document.get("error"):
            raise self._told(_status_of(document), text.encode(errors="replace"))
        self._model = json.told_name(document.get("model")) or self._model
        self._usage = read_usage(document.get("usage")) or self._usage
        choices = document.get("choices")
        if not isinstance(choices, list):
            self.malformed += 0 if document.get("usage") else 1
            return []
        return [chunk for choice in choices for chunk in self._choice(choice)]

    @property
    def is_due(self) -> bool:
        """Whether it was said why the answer ended: what is missing then is only its Finish."""
        return self.finished or self._reason is not None

    def end(self) -> list[Chunk]:
        """Return what is due when the upstream has no more to say.

        Raises:
            BackendFailed: It broke off.
        """
        if self.finished:
            return []
        if self._reason is None:
            raise BackendFailed("the upstream broke off before the end of its answer")
        return self._finish(self._reason)

    def _choice(self, choice: object) -> list[Chunk]:
        if not isinstance(choice, dict) or choice.get("index", 0) != 0:
            return []
        self._reason = finish_reason_of(choice.get("finish_reason")) or self._reason
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return []
        text = text_content(delta.get("content"))
        calls = map(self._places.put, tool_calls(delta.get("tool_calls")))
        return [*([TextDelta(text)] if text else []), *calls]

    def _finish(self, reason: FinishReason) -> list[Chunk]:
        self.finished = True
        return [Finish(reason=reason, usage=self._usage, model=self._model)]


def _tool_call(call: ToolCallDelta) -> dict[str, object]:
    function: dict[str, object] = {"arguments": call.arguments}
    document: dict[str, object] = {"index": call.index, "function": function}
    if call.id or call.name:
        document["type"] = "function"
    if call.id:
        document["id"] = call.id
    if call.name:
        function["name"] = call.name
    return document


def _status_of(document: Mapping[str, object]) -> int:
    """An upstream that breaks off mid-stream may state a status as its code."""
    error = document["error"]
    code = error.get("code") if isinstance(error, dict) else None
    return code if type(code) is int and 400 <= code < 600 else 500
