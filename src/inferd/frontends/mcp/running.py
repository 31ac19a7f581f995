"""One tool call as a request through the gateway, and its answer as a reply."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import nullcontext

import msgspec

from inferd.core.answer import Answer, Served, collect
from inferd.core.clock import Clock
from inferd.core.errors import InvalidRequest, PayloadTooLarge
from inferd.core.progress import Stage, unheard
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Result, TextDelta
from inferd.core.tasks import check, check_name, task_named
from inferd.frontends._http.alongside import alongside
from inferd.frontends.mcp.advice import of_task
from inferd.frontends.mcp.files import take_files
from inferd.frontends.mcp.tools import Object, Question, Reply, Say
from inferd.wire import hf_tasks
from inferd.wire.context import Context as Asked
from inferd.wire.context import directed

MOST_TEXT = 1 << 20
"""Characters of one reply: more than any model's context has room for."""
MOST_MEDIA_BYTES = 16 << 20
_LONGEST_SECONDS = 3600.0
_BETWEEN_SECONDS = 1.0
_WORDS = {Stage.QUEUED: "waiting", Stage.LOADING: "loading the model"}


async def run_task(
    question: Question, task: str, model: str, payload: Object, parameters: Object
) -> Reply:
    """Run a task as everybody's requests are run.

    Raises:
        NodeError: Whatever stopped it.
    """
    known = task_named(task)
    try:
        rest, files = take_files(known, payload)
        inputs, steered = check(known, rest, parameters)
    except InvalidRequest as error:
        raise of_task(known, error, payload, parameters) from error
    progress = None if question.say is None else Progress(question.context.clock, question.say)
    request = InferenceRequest(
        id=question.id,
        task=known.name,
        model=check_name("model", model),
        inputs=inputs,
        files=tuple(files),
        parameters=steered,
        stream=progress is not None and known.streams,
        tell=unheard if progress is None else progress.tell,
    )
    request = directed(request, question.asked)
    async with (
        nullcontext() if progress is None else alongside(progress.report()),
        question.context.gateway.infer(request, question.principal) as answer,
    ):
        heard = answer if progress is None else Answer(progress.counted(answer))
        result = await collect(heard)
    return _reply(request, result, answer.served)


def with_deadline(asked: Asked, clock: Clock, seconds: float | None) -> Asked:
    """Return what was asked, with a deadline so many seconds from now.

    Raises:
        InvalidRequest: Nobody waits so long, or so short.
    """
    if seconds is None:
        return asked
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise InvalidRequest(
            f"timeout must be a number of seconds up to {_LONGEST_SECONDS:g}",
            details={"param": "timeout"},
        )
    until = clock.now() + seconds
    found = asked.copy()
    found["deadline"] = min(until, asked.get("deadline") or until)
    return found


class Progress:
    """How far a request is, told every second while it runs."""

    def __init__(self, clock: Clock, say: Say) -> None:
        self._clock = clock
        self._say = say
        self._began = clock.now()
        self._stage = Stage.ROUTED
        self._ahead = 0
        self._pieces = 0

    def tell(self, stage: Stage, /, *, ahead: int = 0) -> None:
        """Hear from a backend."""
        self._stage, self._ahead = stage, ahead

    async def counted(self, answer: Answer) -> AsyncIterator[Chunk]:
        """Yield an answer's chunks, and count the text."""
        async for chunk in answer:
            self._pieces += type(chunk) is TextDelta
            yield chunk

    async def report(self) -> None:
        """Tell of it until cancelled."""
        while True:
            await self._clock.sleep(_BETWEEN_SECONDS)
            await self._say(round(self._clock.now() - self._began, 3), self._words())

    def _words(self) -> str:
        if self._pieces:
            return f"writing, about {self._pieces} tokens so far"
        if self._stage is Stage.QUEUED and self._ahead:
            return f"waiting, {self._ahead} ahead"
        return _WORDS.get(self._stage, "running")


def _reply(request: InferenceRequest, result: Result, served: Served) -> Reply:
    told: dict[str, object] = {
        "task": request.task,
        "model": result.finish.model or served.model or request.model,
        "backend": served.backend,
        "source": served.source,
        "node": served.node,
        "usage": msgspec.structs.asdict(result.usage),
    }
    if served.warnings:
        told["warnings"] = served.warnings
    if result.media is not None:
        return _file(result, told)
    many = isinstance(request.inputs.get("prompt"), list | tuple)
    body = hf_tasks.encode_result(request.task, result, many=many).body
    text = _own_text(request, result)
    if max(len(body), len(text)) > MOST_TEXT:
        raise PayloadTooLarge(
            f"the result is longer than {MOST_TEXT} bytes, the most a tool returns",
            hint="send fewer inputs, or lower max_tokens",
        )
    told["result"] = msgspec.json.decode(body)
    return Reply(text=text or msgspec.json.encode(told).decode(), structured=told)


def _own_text(request: InferenceRequest, result: Result) -> str:
    """Return the words that are the whole result, where they are."""
    is_text = bool(task_named(request.task).text_key) and not result.tool_calls
    return result.text if is_text and not isinstance(result.value, Mapping) else ""


def _file(result: Result, told: dict[str, object]) -> Reply:
    media = result.media
    assert media is not None
    if len(media.data) > MOST_MEDIA_BYTES:
        raise PayloadTooLarge(
            f"the file is longer than {MOST_MEDIA_BYTES >> 20} MiB, the most a tool returns",
            hint="ask for a smaller one",
        )
    told["file"] = {"content_type": media.content_type, "size_bytes": len(media.data)}
    return Reply(text=msgspec.json.encode(told).decode(), structured=told, media=media)


def in_base64(media_bytes: bytes) -> str:
    """Return bytes as the protocol carries them."""
    return base64.b64encode(media_bytes).decode("ascii")
