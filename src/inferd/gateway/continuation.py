"""A stream that outlives its backend.

Where it breaks off, whoever declares that it goes on with another's text writes the rest, and the
caller sees one stream: nothing is told twice, and nothing is missing. Before anything was passed on
it is simply asked again.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Protocol

import msgspec

from inferd.core.answer import Answer, Sink
from inferd.core.errors import BackendFailed, NodeError
from inferd.core.kept import Kept
from inferd.core.request import InferenceRequest, opened
from inferd.core.result import Chunk, Finish, FinishReason, TextDelta, Usage
from inferd.gateway.account import estimated, together
from inferd.gateway.rest import TASKS, is_plain, rest_of
from inferd.wire import openai_rest

_EVENTS = "text/event-stream"


class Carrier(Protocol):
    """The call that a stream belongs to."""

    @property
    def spent(self) -> Usage:
        """What those took who broke off."""
        ...

    def wall(self) -> float:
        """Return the time, in seconds since 1970."""
        ...

    def can_carry_on(self) -> bool:
        """Whether there is somebody who could write the rest."""
        ...

    async def carry_on(self, error: NodeError, rest: InferenceRequest) -> Answer | None:
        """Book who broke off, and have `rest` from somebody else; None where nobody can.

        Without text in `rest.continued` anybody may be asked, who may answer raw where it has the
        caller's own body; otherwise the answer is typed.
        """
        ...


def survivor_of(
    answer: Answer, request: InferenceRequest, carrier: Carrier, *, keeps: bool
) -> Answer:
    """Return a stream as one that has its rest from others, if it is of a kind that can.

    With `keeps` there may be somebody who goes on with its text; without, it is at most begun
    again, and nothing has to be noted of it.
    """
    if answer.whole is not None or request.task not in TASKS:
        return answer
    if answer.wire and answer.wire not in openai_rest.WIRES:
        return answer
    return Survivor(answer, request, carrier, keeps=keeps)


class Survivor(Answer):
    """An answer that has its rest from others where it breaks off.

    A raw one passes bytes on as its backend does, which notes what they say; the rest is told on
    the same wire. The call that lends it accounts for each backend's part by itself.
    """

    __slots__ = (
        "_carrier",
        "_inner",
        "_is_noted",
        "_keeps",
        "_news",
        "_opened",
        "_request",
        "_story",
        "_voice",
    )

    def __init__(
        self, answer: Answer, request: InferenceRequest, carrier: Carrier, *, keeps: bool
    ) -> None:
        super().__init__()
        self._keeps = keeps
        self._request = request
        self._carrier = carrier
        self._opened: InferenceRequest | None = None
        self._voice: openai_rest.Voice | None = None
        self._news = b""
        self._story = Kept(self._gives_up)
        self.wire = answer.wire
        self._take(answer)

    def _take(self, answer: Answer) -> None:
        """Have the stream from `answer` from now on."""
        if answer.whole is not None and answer.wire:
            told = openai_rest.chunks_of(answer.wire, answer.whole)
            inner = Answer(_each(told), served=answer.served)
        else:
            inner = answer
        self._is_noted = self._keeps and inner.keep(self._story)
        self._inner = inner
        self.served = answer.served
        self.sent_bytes = answer.sent_bytes
        if not self._story.has_begun:
            is_raw = bool(inner.wire)
            self.status = answer.status if is_raw else 200
            self.content_type = answer.content_type if is_raw or not self.wire else _EVENTS
            self.block = answer.block if is_raw else b""
        elif self.wire:
            self._news = openai_rest.comment(f"inferd goes on with {_who(answer)}")

    async def __anext__(self) -> Chunk:
        while True:
            inner = self._inner
            try:
                chunk = await anext(inner)
            except StopAsyncIteration:
                if inner.wire or inner.finish is not None:
                    raise
                await self._go_on(BackendFailed("the answer ended before it was complete"))
            except NodeError as error:
                if inner.finish is not None:
                    raise StopAsyncIteration from error
                await self._go_on(error)
            else:
                if passed := self._passed(chunk):
                    return passed

    async def pipe(self, sink: Sink) -> None:
        while self._inner.wire:
            if not self._is_noted:
                self._story.spoil()
            try:
                await self._inner.pipe(sink)
                return
            except NodeError as error:
                await self._go_on(error)
        async for data in self:
            if not isinstance(data, bytes):
                raise BackendFailed("a raw answer held a chunk that isn't bytes")
            sink.write(data)
            await sink.drained()

    @property
    def told_failure(self) -> bool:
        return self._inner.told_failure

    @property
    def events_passed(self) -> int:
        return self._inner.events_passed if self._inner.wire else len(self._story.texts)

    def close(self) -> None:
        self._inner.close()

    def _passed(self, chunk: Chunk) -> Chunk:
        """Note a chunk, and return it as its caller is told of it, which may be not at all."""
        story = self._story
        if isinstance(chunk, bytes):
            if not self._is_noted:
                story.spoil()
            return chunk
        if isinstance(chunk, TextDelta):
            if self._keeps:
                story.add(chunk.text)
            else:
                story.spoil()
        elif isinstance(chunk, Finish):
            usage = together(self._carrier.spent, chunk.usage)
            chunk = msgspec.structs.replace(chunk, usage=usage)
            self.finish, self.usage = chunk, usage
        else:
            story.spoil()
        passed = self._told(chunk) if self.wire else chunk
        story.begin()
        return passed

    def _told(self, chunk: Chunk) -> bytes:
        voice = self._voice
        if voice is None:
            raw = self._request.raw
            voice = self._voice = openai_rest.Voice(
                self.wire,
                self._story.opening,
                id=self._request.id,
                model=self.served.model or self._request.model,
                created=int(self._carrier.wall()),
                wants_usage=raw is not None and raw.wants_usage,
            )
        news, self._news = self._news, b""
        end = openai_rest.DONE if isinstance(chunk, Finish) else b""
        return news + voice.encode(chunk) + end

    def _gives_up(self) -> bool:
        """Whether to break off at an event that is no good: somebody else goes on before it."""
        story = self._story
        story.settle()
        return (
            not story.reason
            and (not story.has_begun or self._may_be_continued())
            and self._carrier.can_carry_on()
        )

    def _may_be_continued(self) -> bool:
        request = self._as_read()
        return self._story.is_plain and request is not None and is_plain(request)

    async def _go_on(self, error: NodeError) -> None:
        """Have the rest from somebody else.

        Raises:
            NodeError: What broke it off, where nobody can.
        """
        inner, story = self._inner, self._story
        story.settle()
        request = self._as_read()
        if inner.told_failure or request is None:
            raise error
        if story.reason and inner.wire:
            self._complete(None)
            return
        rest: InferenceRequest | None
        if not story.has_begun:
            rest = self._request if self.wire else _typed(request)
        elif not self._may_be_continued():
            raise error
        elif (rest := rest_of(request, story.text, len(story.texts))) is None:
            self._complete(FinishReason.LENGTH)
            return
        if story.opening and not rest.continued:
            # What was told is that it begins: that isn't told again.
            rest = _typed(rest)
        answer = await self._carrier.carry_on(error, rest)
        if answer is None:
            raise error
        self._take(answer)

    def _complete(self, reason: FinishReason | None) -> None:
        """End a stream whose text is all there: only its end was cut off, and `reason` with it."""
        inner = self._inner
        inner.close()
        usage = inner.usage = estimated(self._request, inner)
        finish = Finish(reason=reason or FinishReason.STOP, usage=usage, model=self.served.model)
        if reason is not None:
            inner.finish = finish
            self._inner = Answer(_each([finish]))
            return
        self._inner = Answer(_each([openai_rest.DONE]))
        self._inner.wire = self.wire

    def _as_read(self) -> InferenceRequest | None:
        """Return the request with its inputs and parameters; None where they can't be read."""
        if self._opened is None:
            try:
                self._opened = opened(self._request)
            except NodeError:
                return None
        return self._opened


def _typed(request: InferenceRequest) -> InferenceRequest:
    return msgspec.structs.replace(request, raw=None)


def _who(answer: Answer) -> str:
    served = answer.served
    return ", ".join(dict.fromkeys((served.backend, *served.nodes, *served.seen)))


async def _each(chunks: Iterable[Chunk]) -> AsyncIterator[Chunk]:
    for chunk in chunks:
        yield chunk
