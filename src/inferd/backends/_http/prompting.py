"""A continuation, asked for as a conversation of one turn."""

from collections.abc import AsyncIterator

import msgspec

from inferd.core.answer import Answer
from inferd.core.content import Message
from inferd.core.kept import Kept
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, TextDelta
from inferd.wire import openai_text_client

_REPEATS = 16
"""Signs. Whoever begins with as many of a text as there are, repeats it; fewer are chance."""


def as_chat(request: InferenceRequest, prompt: str) -> InferenceRequest:
    """Ask for a continuation as a conversation of one turn."""
    return msgspec.structs.replace(
        request,
        task="chat",
        inputs={"messages": (Message(role="user", text=prompt),)},
        parameters=openai_text_client.named(request.parameters),
        raw=None,
    )


def as_begun(request: InferenceRequest, **more: object) -> InferenceRequest:
    """Ask for the rest of a turn of a conversation that was begun, in its last message.

    `more` are the parameters by which the server knows that it isn't to begin another.
    """
    messages = request.inputs.get("messages")
    said = tuple(messages) if isinstance(messages, list | tuple) else ()
    return msgspec.structs.replace(
        request,
        inputs={"messages": (*said, Message(role="assistant", text=request.continued))},
        parameters={**request.parameters, **more},
        continued="",
        raw=None,
    )


def wants_prompt(request: InferenceRequest) -> bool:
    """Whether the prompt is to come back before its continuation."""
    return request.parameters.get("return_full_text") is True


class _Retold(Answer):
    """A typed answer, told with more text or less; all else is as with the one it is made of."""

    __slots__ = ("_inner",)

    def __init__(self, chunks: AsyncIterator[Chunk], inner: Answer) -> None:
        super().__init__(chunks, free=inner.close, served=inner.served)
        self._inner = inner
        self.sent_bytes = inner.sent_bytes

    async def __anext__(self) -> Chunk:
        try:
            return await super().__anext__()
        finally:
            self.skipped = self._inner.skipped

    def keep(self, kept: Kept) -> bool:
        return self._inner.keep(kept)


def with_prompt(prompt: str, answer: Answer) -> Answer:
    """Return the answer with the prompt before it."""
    return _Retold(_after(prompt, answer), answer)


async def _after(prompt: str, answer: Answer) -> AsyncIterator[Chunk]:
    yield TextDelta(prompt)
    async for chunk in answer:
        yield chunk


def without_repeat(text: str, answer: Answer) -> Answer:
    """Return the answer without `text` where it begins with all of it, sign for sign."""
    if len(text) < _REPEATS:
        return answer
    return _Retold(_behind(text, answer), answer)


async def _behind(text: str, answer: Answer) -> AsyncIterator[Chunk]:
    held: list[Chunk] = []
    size = 0
    async for chunk in answer:
        if size < len(text):
            said = chunk.text if isinstance(chunk, TextDelta) else ""
            if said and text.startswith(said, size):
                held.append(chunk)
                size += len(said)
                continue
            if said and said.startswith(text[size:]):
                chunk = TextDelta(said[len(text) - size :])
                held = []
            size = len(text)
            for each in held:
                yield each
        yield chunk
