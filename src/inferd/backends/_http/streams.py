"""Answers that arrive in pieces: decoded to chunks, or handed on as they are."""

from collections.abc import AsyncIterator, Generator
from types import coroutine
from typing import Protocol

from inferd.core.answer import Answer, Served, Sink
from inferd.core.errors import NodeError
from inferd.core.result import Chunk
from inferd.http1.client import Response
from inferd.http1.client.connection import Mend
from inferd.wire import openai_chat, sse
from inferd.wire.failures import Told
from inferd.wire.openai_stream_usage import StreamWatch

_ERROR = b'"error"'
_AT_ONCE = 16 << 10
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
        for start in range(0, len(piece), _AT_ONCE):
            if start:
                await _turn()
            for event in events.feed(piece[start : start + _AT_ONCE]):
                for chunk in decoder.feed(event.data):
                    yield chunk
            if decoder.finished:
                await response.drain(_GRACE)
                return
    for chunk in decoder.end():
        yield chunk


@coroutine
def _turn() -> Generator[None]:
    """Let others have their turn: a piece may hold tens of thousands of events."""
    yield


class RawStream:
    """An OpenAI stream on its way through, of which only the end is remembered.

    `takes_usage` takes out the usage that the caller didn't ask for. `hide` takes our keys out of
    what tells of a failure, and `told` is what that means.
    """

    __slots__ = ("_hide", "_response", "_told", "_watch", "answer")

    def __init__(
        self,
        response: Response,
        *,
        wire: str,
        served: Served,
        takes_usage: bool,
        told: Told,
        hide: Mend,
    ) -> None:
        self._told = told
        self._hide = hide
        self._response = response
        self._watch = StreamWatch(takes=takes_usage)
        self.answer = Answer(self, free=self._free, pipe=self, served=served)
        self.answer.wire = wire
        self.answer.status = response.status
        self.answer.content_type = response.content_type
        self.answer.block = response.block

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        while True:
            try:
                piece = await anext(self._response)
            except StopAsyncIteration:
                if rest := self._end():
                    return rest
                raise
            if passed := self._mended(piece):
                return passed

    async def pipe(self, sink: Sink, /) -> None:
        """Pour the rest of it into `sink`.

        Raises:
            NodeError: It broke off.
        """
        await self._response.pipe(sink, self._mended)
        if rest := self._end():
            sink.write(rest)

    def _mended(self, piece: bytes) -> bytes:
        passed = self._watch.feed(piece)
        # With `find`, which is faster than `in`: every piece passes here.
        return passed if passed.find(_ERROR) < 0 else self._hide(passed)

    def _end(self) -> bytes:
        """Return what was held back; some servers end with a finish reason and no [DONE].

        Raises:
            NodeError: It has neither: it broke off. Or it failed, [DONE] or not.
        """
        tail = self._watch.tail
        if _ERROR in tail or not openai_chat.is_complete(tail):
            self._decoded(tail).end()
        return self._hide(self._watch.end())

    @property
    def told_failure(self) -> bool:
        """Whether the caller has the upstream's own word of its failure."""
        try:
            self._decoded(self._watch.passed)
        except NodeError:
            return True
        return False

    @property
    def events_passed(self) -> int:
        """About how many events with content were passed on."""
        return self._watch.events_passed

    def _decoded(self, events: bytes) -> openai_chat.StreamDecoder:
        """Read a stream's last events.

        Raises:
            NodeError: One of them is the upstream's error.
        """
        decoder = openai_chat.StreamDecoder(self._told)
        for line in events.splitlines():
            if line.startswith(b"data:"):
                decoder.feed(line.removeprefix(b"data:"))
        return decoder

    def _free(self) -> None:
        self.answer.usage = self._watch.usage
        self._response.close()
