"""Answers that arrive in pieces: decoded to chunks, or handed on as they are."""

from collections.abc import AsyncIterator
from typing import Protocol

from inferd.core.answer import Answer, Served
from inferd.core.result import NO_USAGE, Chunk
from inferd.http1.client import Response
from inferd.wire import openai_chat, sse
from inferd.wire.openai_stream_usage import UsageTaker

_TAIL_BYTES = 16 << 10
_GRACE = 0.2
"""How long the end of a body may lag behind the last event, in seconds."""


class Decoder(Protocol):
    """Events in, chunks out, ending in one Finish."""

    finished: bool

    def feed(self, data: str) -> list[Chunk]: ...
    def end(self) -> list[Chunk]: ...


async def typed_stream(response: Response, decoder: Decoder) -> AsyncIterator[Chunk]:
    """Yield the chunks of an event stream.

    Raises:
        NodeError: It failed, or broke off before its Finish.
    """
    events = sse.Decoder()
    async for piece in response:
        for event in events.feed(piece):
            for chunk in decoder.feed(event.data):
                yield chunk
        if decoder.finished:
            await response.drain(_GRACE)
            return
    for chunk in decoder.end():
        yield chunk


class RawStream:
    """An OpenAI stream on its way through, of which only the end is remembered.

    `taker` takes out the usage that the caller didn't ask for.
    """

    def __init__(
        self, response: Response, *, wire: str, served: Served, taker: UsageTaker | None
    ) -> None:
        self._response = response
        self._taker = taker
        self._tail = b""
        self.answer = Answer(self, free=self._free, served=served)
        self.answer.wire = wire
        self.answer.status = response.status
        self.answer.content_type = response.header("content-type")

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        while True:
            try:
                piece = await anext(self._response)
            except StopAsyncIteration:
                self._check_end()
                if self._taker is not None and (rest := self._taker.end()):
                    return rest
                raise
            self._tail = (self._tail + piece)[-_TAIL_BYTES:]
            passed = piece if self._taker is None else self._taker.feed(piece)
            if passed:
                return passed

    def _check_end(self) -> None:
        """Some servers end with a finish reason and no [DONE]; with neither, it broke off."""
        if openai_chat.is_complete(self._tail):
            return
        decoder = openai_chat.StreamDecoder()
        for line in self._tail.splitlines():
            if line.startswith(b"data:"):
                decoder.feed(line.removeprefix(b"data:"))
        decoder.end()

    def _free(self) -> None:
        taken = NO_USAGE if self._taker is None else self._taker.usage
        self.answer.usage = openai_chat.usage_of_tail(self._tail) if taken == NO_USAGE else taken
        self._response.close()
