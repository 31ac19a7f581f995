"""Answers that arrive in pieces: decoded to chunks, or handed on as they are."""

import logging
from collections.abc import AsyncIterator, Generator
from types import coroutine
from typing import Protocol

from inferd.core.answer import Answer, Served, Sink
from inferd.core.errors import BackendFailed, NodeError
from inferd.core.kept import Kept
from inferd.core.result import Chunk
from inferd.http1.client import Response
from inferd.http1.client.connection import Mend
from inferd.wire import openai_chat, sse
from inferd.wire.failures import Told
from inferd.wire.openai_stream_watch import StreamWatch

logger = logging.getLogger(__name__)

_ERROR = b'"error"'
_AT_ONCE = 16 << 10
_GRACE = 0.2
"""How long the end of a body may lag behind the last event, in seconds."""


class Decoder(Protocol):
    """Events in, chunks out, ending in one Finish."""

    finished: bool
    unreadable: int
    """How many events it left out because they are no JSON."""

    @property
    def is_due(self) -> bool:
        """Whether it has been told why the answer ended, and only the end itself is to come."""
        ...

    def feed(self, data: str) -> list[Chunk]: ...
    def end(self) -> list[Chunk]: ...


def typed_stream(response: Response, decoder: Decoder, *, served: Served) -> Answer:
    """Return the answer whose chunks are those of an event stream.

    They fail if the stream does, or breaks off before its end.
    """
    return _TypedStream(response, decoder, served).answer


class _TypedStream:
    __slots__ = ("_decoder", "_is_told", "_response", "answer")

    def __init__(self, response: Response, decoder: Decoder, served: Served) -> None:
        self._response = response
        self._decoder = decoder
        self._is_told = False
        self.answer = Answer(self._chunks(), free=response.close, served=served)

    async def _chunks(self) -> AsyncIterator[Chunk]:
        events, decoder, response = sse.Decoder(), self._decoder, self._response
        try:
            async for piece in response:
                for start in range(0, len(piece), _AT_ONCE):
                    if start:
                        await _turn()
                    for event in events.feed(piece[start : start + _AT_ONCE]):
                        for chunk in self._decoded(event.data):
                            yield chunk
                    if decoder.finished:
                        await response.drain(_GRACE)
                        return
        except NodeError:
            if self._is_told or not decoder.is_due:
                raise
        for chunk in decoder.end():
            yield chunk

    def _decoded(self, data: str) -> list[Chunk]:
        decoder, answer = self._decoder, self.answer
        try:
            chunks = decoder.feed(data)
        except NodeError:
            self._is_told = True
            raise
        if decoder.unreadable != answer.skipped:
            if answer.kept is not None and answer.kept.gives_up():
                self._is_told = True
                raise _unreadable()
            _note_skipped(answer, decoder.unreadable)
        return chunks


@coroutine
def _turn() -> Generator[None]:
    """Let others have their turn: a piece may hold tens of thousands of events."""
    yield


def _unreadable() -> BackendFailed:
    return BackendFailed("the upstream sent a line that can't be read")


def _note_skipped(answer: Answer, count: int) -> None:
    """Count events that were left out, and log the first of a stream."""
    if not answer.skipped:
        logger.warning("a stream has lines that can't be read: they are left out")
    answer.skipped = count


class RawStream:
    """An OpenAI stream on its way through, of which only the end is remembered.

    `takes_usage` takes out the usage that the caller didn't ask for. `hide` takes our keys out of
    what tells of a failure, and `told` is what that means.
    """

    __slots__ = ("_failure", "_response", "_sink", "_told", "_watch", "answer")

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
        self._response = response
        self._watch = StreamWatch(takes=takes_usage, hide=hide)
        self._failure: NodeError | None = None
        self._sink: Sink | None = None
        self.answer = Answer(self, free=self._free, pipe=self, served=served)
        self.answer.wire = wire
        self.answer.status = response.status
        self.answer.content_type = response.content_type
        self.answer.block = response.block

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        while True:
            if self._failure is not None:
                raise self._failure
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
        if self._failure is not None:
            raise self._failure
        self._sink = sink
        await self._response.pipe(sink, self._mended)
        if rest := self._end():
            sink.write(rest)

    def _mended(self, piece: bytes) -> bytes:
        watch = self._watch
        passed = watch.feed(piece)
        if watch.stopped_at:
            return self._stop(passed)
        if watch.skipped != self.answer.skipped:
            _note_skipped(self.answer, watch.skipped)
        return passed

    def _stop(self, passed: bytes) -> bytes:
        """Break off behind what may still be passed on.

        Raises:
            NodeError: It has been, or there is nothing.
        """
        try:
            self._decoded(b"data: %b" % self._watch.stopped_at)
            self._failure = _unreadable()
        except NodeError as error:
            self._failure = error
        if passed and self._sink is None:
            return passed
        if passed and self._sink is not None:
            self._sink.write(passed)
        raise self._failure

    def keep(self, kept: Kept, /) -> None:
        """Note from now on what is passed on, and break off where `kept` gives up."""
        self._watch.keep(kept)

    def _end(self) -> bytes:
        """Return what was held back; some servers end with a finish reason and no [DONE].

        Raises:
            NodeError: It has neither: it broke off. Or it failed, [DONE] or not.
        """
        tail = self._watch.tail
        if _ERROR in tail or not openai_chat.is_complete(tail):
            self._decoded(tail).end()
        return self._watch.end()

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
