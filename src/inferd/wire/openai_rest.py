"""The rest of a stream on OpenAI's wires, told as if whoever began it had gone on."""

from collections.abc import Callable

import msgspec

from inferd.core.result import Chunk
from inferd.wire import json, openai_chat, openai_text, openai_text_client

WIRES = frozenset({openai_chat.WIRE, openai_text.WIRE})
"""The wires that this can be done on."""

DONE = b"data: [DONE]\n\n"

_DATA = b"data:"
_PREFIX = {openai_chat.WIRE: "chatcmpl", openai_text.WIRE: "cmpl"}
_results: dict[str, Callable[[bytes], list[Chunk]]] = {
    openai_chat.WIRE: openai_chat.decode_result,
    openai_text.WIRE: openai_text_client.decode_result,
}


class _Head(msgspec.Struct, gc=False):
    id: str = ""
    model: str = ""
    created: int = 0


_head = msgspec.json.Decoder(_Head)


class Voice:
    """Writes the rest of a stream: one id, one date and one model, and no second beginning.

    `opening` is the stream's first event, empty where nothing was passed on yet.
    """

    def __init__(
        self,
        wire: str,
        opening: bytes,
        *,
        id: str,  # noqa: A002
        model: str,
        created: int,
        wants_usage: bool,
    ) -> None:
        head = json.peek(_head, _data_of(opening)) or _Head()
        id = head.id or f"{_PREFIX[wire]}-{id}"  # noqa: A001
        model, created = head.model or model, head.created or created
        self._encoder = (
            openai_chat.ChunkEncoder(
                id, model, created, include_usage=wants_usage, has_begun=bool(opening)
            )
            if wire == openai_chat.WIRE
            else openai_text.ChunkEncoder(id, model, created, include_usage=wants_usage)
        )

    def encode(self, chunk: Chunk) -> bytes:
        """Return the event, or events, of a chunk; none, of what the wire doesn't tell.

        Raises:
            NodeError: It can't be told.
        """
        return self._encoder.encode(chunk)


def chunks_of(wire: str, whole: bytes) -> list[Chunk]:
    """Read an answer that came whole though a stream was asked for.

    Raises:
        NodeError: It isn't one.
    """
    return _results[wire](whole)


def comment(text: str) -> bytes:
    """Write a line that programs pass over, and people who look at the stream can read."""
    plain = "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in text)
    return b": %b\n\n" % plain.encode()


def _data_of(event: bytes) -> bytes:
    lines = [line for line in event.splitlines() if line.startswith(_DATA)]
    return lines[0].removeprefix(_DATA) if lines else b""
