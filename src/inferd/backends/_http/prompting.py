"""A continuation, asked for as a conversation of one turn."""

from collections.abc import AsyncIterator, Mapping

import msgspec

from inferd.core.answer import Answer
from inferd.core.content import Message
from inferd.core.errors import InvalidRequest
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, TextDelta


def as_chat(request: InferenceRequest, prompt: str) -> InferenceRequest:
    """Ask for a continuation as a conversation of one turn."""
    return msgspec.structs.replace(
        request,
        task="chat",
        inputs={"messages": (Message(role="user", text=prompt),)},
        parameters=_chat_parameters(request.parameters),
        raw=None,
    )


def _chat_parameters(parameters: Mapping[str, object]) -> dict[str, object]:
    """Rename what chat calls otherwise; what it doesn't know is the server's to refuse."""
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


def wants_prompt(request: InferenceRequest) -> bool:
    """Whether the prompt is to come back before its continuation."""
    return request.parameters.get("return_full_text") is True


def with_prompt(prompt: str, answer: Answer) -> Answer:
    """Return the answer with the prompt before it."""
    full = Answer(_after(prompt, answer), free=answer.close, served=answer.served)
    full.sent_bytes = answer.sent_bytes
    return full


async def _after(prompt: str, answer: Answer) -> AsyncIterator[Chunk]:
    yield TextDelta(prompt)
    async for chunk in answer:
        yield chunk
